"""Publishing: the draft becomes the next version, for good.

Invariants
- Nothing is written unless the draft can be served, differs from the latest version, and its callers can go on or its contract's
  number says that they cannot.
- The file of a version is whole or not there, and it counts once its line is in prompts.lock, which is written last: whenever
  the machine stops, a version is published or it is not. What an interrupted publication left behind is taken up by the next
  one of the same draft.
- One publication at a time, over all processes on the folder: the next one gets the next number.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import Conflict, InvalidRequest, Unavailable
from gateway.prompt.contract.compatibility import incompatible
from gateway.prompt.file.names import DRAFT, is_id, number_of
from gateway.prompt.file.problem import Problem, PromptInvalid
from gateway.prompt.file.source import read_source
from gateway.prompt.library.folder import DRAFT_FILE, SUFFIX, Folder
from gateway.prompt.library.loading import Fragments
from gateway.prompt.library.lock import FILE as LOCK_FILE
from gateway.prompt.library.lock import Lock, read_lock, write_lock
from gateway.prompt.library.version import Version, compile_version
from gateway.prompt.reference import unknown
from gateway.store.durable import sync_folder

PATIENCE: Final = 10.0
"""Seconds that a publication waits for another one."""
_PAUSE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Published:
    """A version that was just published: `name` is its `vN`, `file` its file in the folder, `contract` its contract's number."""

    id: str
    name: str
    digest: str
    contract: int
    file: str


def publish(path: Path, prompt: str, *, patience: float = PATIENCE) -> Published:
    """Make a prompt's draft its next version; it reads and writes files, so call it in a thread.

    Raises `NotFound` (prompt_not_found) where there is no draft, `PromptInvalid` with what is wrong with the files,
    `InvalidRequest` where the draft is the latest version, `Conflict` (prompt_contract_mismatch) where the contract changes
    incompatibly under the same number, `Unavailable` where another publication does not end. Then nothing was written.
    """
    if not is_id(prompt):
        raise unknown("prompt", "malformed id")
    folder = Folder(path)
    if not (folder.root / prompt / DRAFT_FILE).is_file():
        raise unknown("prompt", "no draft")
    _Publication(folder, prompt).check()  # before the lock, which makes prompts.lock where there is none
    with _alone(folder.root, patience):
        return _Publication(folder, prompt).run()


class _Publication:
    """One publication, while no other runs."""

    def __init__(self, folder: Folder, prompt: str) -> None:
        self._folder = folder
        self._prompt = prompt
        self._fragments = Fragments(folder)

    def check(self) -> None:
        """Raise where the draft cannot be served."""
        self._version(DRAFT)

    def run(self) -> Published:
        """Check everything, then write the version and its line."""
        lock = read_lock(self._read(LOCK_FILE))
        if lock.problems:  # a line that cannot be read would be lost
            raise PromptInvalid(lock.problems)
        data, draft = self._version(DRAFT)
        number = _latest(lock, self._prompt)
        if number:
            self._check(draft, f"v{number}", lock)
        name = f"v{number + 1}"
        file = self._file(name)
        digests = {version: locked.digest for version, locked in lock.versions.items()}
        line = write_lock({**digests, f"{self._prompt}/{name}": draft.digest})
        version = [] if self._lies_there(file, data) else [(self._folder.root / file, data)]
        _write([*version, (self._folder.root / LOCK_FILE, line)])
        return Published(self._prompt, name, draft.digest, draft.contract.number, file)

    def _check(self, draft: Version, name: str, lock: Lock) -> None:
        """Raise where the draft must not follow the latest version."""
        latest = self._version(name)[1]
        if latest.digest != lock.versions[f"{self._prompt}/{name}"].digest:
            raise PromptInvalid([Problem(latest.file, 0, "is not what was published: restore it, the draft cannot be compared")])
        if draft.digest == latest.digest:
            raise InvalidRequest(f"The draft is {name}: there is nothing to publish.", param="prompt")
        old, new = latest.contract, draft.contract
        if new.number < old.number:
            raise _mismatch(f"The draft's contract is {new.number}, that of {name} is {old.number}: it never goes back.")
        reasons = incompatible(old, new) if new.number == old.number else []
        if reasons:
            remedy = f"Raise metadata.gateway.contract to {old.number + 1}, or keep to the contract"
            raise _mismatch(f"The draft refuses variables that {name} takes: {'; '.join(reasons)}. {remedy}.")

    def _lies_there(self, file: str, data: bytes) -> bool:
        """Tell whether an interrupted publication left the version's file, which is then taken up."""
        if not os.path.lexists(self._folder.root / file):
            return False
        if self._read(file) != data:
            raise PromptInvalid([Problem(file, 0, f"lies there without a line in {LOCK_FILE}: remove it, then publish again")])
        return True

    def _version(self, name: str) -> tuple[bytes, Version]:
        file = self._file(name)
        data = self._read(file)
        return data, compile_version(self._prompt, name, read_source(file, data, fragment=self._fragments))

    def _read(self, file: str) -> bytes:
        try:
            return self._folder.read(file)[0]
        except OSError as error:
            raise PromptInvalid([Problem(file, 0, f"cannot be read: {error.strerror}")]) from error

    def _file(self, name: str) -> str:
        return f"{self._prompt}/{name}{SUFFIX}"


def _latest(lock: Lock, prompt: str) -> int:
    """Return the number of a prompt's latest version, 0 where it has none."""
    names = (name.rpartition("/") for name in lock.versions)
    return max((number_of(version) for owner, _, version in names if owner == prompt), default=0)


def _mismatch(message: str) -> Conflict:
    return Conflict(message, code="prompt_contract_mismatch", param="prompt")


def _write(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write whole files in this order, all of them beside their places first: what cannot be written at all leaves nothing."""
    beside = [(path.with_name(f".{path.name}.new"), path) for path, _ in files]
    try:
        for (new, _), (_, data) in zip(beside, files, strict=True):
            with new.open("wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
        while beside:
            new, path = beside[0]
            new.replace(path)
            del beside[0]
            sync_folder(path.parent)
    except OSError as error:
        # Only what was not put in place: once prompts.lock was, the next publication may be writing beside it.
        with suppress(OSError):
            for new, _ in beside:
                new.unlink(missing_ok=True)
        raise PromptInvalid([Problem(LOCK_FILE, 0, f"the new version cannot be written: {error.strerror}")]) from error


@contextmanager
def _alone(root: Path, patience: float) -> Iterator[None]:
    """Hold the lock of prompts.lock; raises `Unavailable` after `patience` seconds."""
    deadline = time.monotonic() + patience
    never = threading.Event()
    while (handle := _try_lock(root / LOCK_FILE)) is None:
        if time.monotonic() > deadline:
            raise Unavailable("Another publication is under way. Try again.", retry_after=1.0, reason="publication under way")
        never.wait(_PAUSE)
    try:
        yield
    finally:
        os.close(handle)


def _try_lock(path: Path) -> int | None:
    """Return a handle that holds the lock, None where another one does, or where the file was replaced meanwhile."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise PromptInvalid([Problem(LOCK_FILE, 0, f"cannot be written: {error.strerror}")]) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except OSError as error:
        if not isinstance(error, BlockingIOError | FileNotFoundError):
            os.close(handle)
            raise PromptInvalid([Problem(LOCK_FILE, 0, f"cannot be locked: {error.strerror}")]) from error
    os.close(handle)
    return None
