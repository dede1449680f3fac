"""The folder of prompts: what lies in it, and its files read under limits.

    prompts/
      prompts.lock
      _fragments/…                      text that many prompts share
      <namespace>/_fragments/…          text that a namespace's prompts share
      <namespace>/<name>/draft.prompty  the version that may be edited
      <namespace>/<name>/vN.prompty     published, never edited
      <namespace>/<name>/labels.yaml, cases.yaml

Invariants
- Nothing outside the folder is read: a symbolic link that leaves it is a problem, one that stays within is followed.
- Only regular files are opened, and of a file never more than the limit is read.
- Hidden files and folders (`.git`, an editor's leavings) are no part of it; other files that are named here nowhere are left
  alone, except that a `.prompty` file where none belongs is a problem: somebody believes that it is served.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.prompt.file.names import DRAFT, is_name, is_version
from gateway.prompt.file.problem import Problem

SUFFIX: Final = ".prompty"
LABELS: Final = "labels.yaml"
FRAGMENTS: Final = "_fragments"
DRAFT_FILE: Final = DRAFT + SUFFIX

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, times of the last change of content and of the inode: a file whose stamp is the same is the same."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a folder of prompts may hold: bytes of a file, files and folders altogether.

    A file that changed less than `settled_ns` nanoseconds before it was looked at may change again without a new time stamp.
    """

    file_bytes: int = 262_144
    files: int = 10_000
    settled_ns: int = 2_000_000_000


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Found:
    """A file that lies in the folder: its name there, its place, its stamp (None where it changed just now)."""

    file: str
    path: Path
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class FoundPrompt:
    """A prompt's files: versions by name (published ones in their order, then the draft) and labels.yaml."""

    id: str
    versions: dict[str, Found]
    labels: Found | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in the folder, and what should not lie there."""

    prompts: tuple[FoundPrompt, ...]
    problems: tuple[Problem, ...]


class Folder:
    """The folder of prompts at a place; it need not exist, then it is empty."""

    __slots__ = ("_limits", "root")

    def __init__(self, path: Path, *, limits: Limits = LIMITS) -> None:
        self.root = Path(os.path.realpath(path))
        self._limits = limits

    def list(self) -> Listing:
        """Look at everything; what cannot be looked at is a problem."""
        walk = _Walk(self.root, self._limits)
        prompts: list[FoundPrompt] = []
        try:
            prompts.extend(walk.prompts())
        except _TooMany:
            walk.note("", f"holds more than {self._limits.files} files and folders; the others were not looked at")
        return Listing(tuple(prompts), tuple(walk.problems))

    def read(self, file: str) -> tuple[bytes, Stamp | None]:
        """Return the bytes of a file by its name in the folder, and its stamp.

        Raises `OSError` where there is none, it leads out of the folder, is not a regular file or is too large.
        """
        path = _led_to(self.root / file)
        if not path.is_relative_to(self.root):
            raise OSError(errno.EACCES, "leads out of the folder of prompts")
        # Not blocking, so that a pipe in the place of a file cannot hold us; no link, it has been followed already.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as opened:
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "is not a regular file")
            data = opened.read(self._limits.file_bytes + 1)
        if len(data) > self._limits.file_bytes:
            raise OSError(errno.EFBIG, f"is larger than {self._limits.file_bytes} bytes")
        return data, stamp_of(found, settled_ns=self._limits.settled_ns)


def stamp_of(found: os.stat_result, *, settled_ns: int) -> Stamp | None:
    """Return the stamp of a file, None where it changed so lately that its times may not tell of the next change."""
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < settled_ns:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def shown(name: str) -> str:
    """Return a file's name as a log or a terminal may show it."""
    return name if name.isprintable() else ascii(name)[1:-1]


def _led_to(path: str | Path) -> Path:
    """Return the place that a path leads to; raises `OSError`, where pathlib raises `RuntimeError` for a loop of links."""
    return Path(os.path.realpath(path, strict=True))


class _TooMany(Exception):
    """The folder holds more than it may."""


class _Walk:
    """One look at the folder: at three levels and no deeper, each in the order of its names."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.problems: list[Problem] = []
        self._root = root
        self._left = limits.files
        self._settled_ns = limits.settled_ns

    def note(self, file: str, text: str) -> None:
        """Note a problem; the folder itself is shown as `.`."""
        self.problems.append(Problem(shown(file) or ".", 0, text))

    def prompts(self) -> Iterator[FoundPrompt]:
        """Yield every prompt."""
        for namespace, folder in self._folders(self._root, ""):
            for name, inner in self._folders(folder, namespace):
                yield self._prompt(f"{namespace}/{name}", inner)

    def _folders(self, path: Path, file: str) -> Iterator[tuple[str, Path]]:
        for entry in self._entries(path, file):
            below = f"{file}/{entry.name}" if file else entry.name
            place = self._place(entry, below)
            if place is None or entry.name == FRAGMENTS:
                continue
            if not place.is_dir():
                if entry.name.endswith(SUFFIX):
                    self.note(below, "is not served here: a prompt lies in <namespace>/<name>/")
            elif is_name(entry.name):
                yield entry.name, place
            else:
                self.note(below, "is no name: up to 64 of a-z, 0-9, _ and -, a letter or a digit first")

    def _prompt(self, name: str, path: Path) -> FoundPrompt:
        published: list[tuple[int, Found]] = []
        draft = labels = None
        for entry in self._entries(path, name):
            file = f"{name}/{entry.name}"
            stem = entry.name.removesuffix(SUFFIX)
            if entry.name not in {LABELS, DRAFT_FILE} and (stem == entry.name or not is_version(stem)):
                if stem != entry.name:
                    self.note(file, f"is neither {DRAFT_FILE} nor a published version such as v1{SUFFIX}")
                continue
            found = self._found(entry, file)
            if found is None:
                continue
            if entry.name == LABELS:
                labels = found
            elif entry.name == DRAFT_FILE:
                draft = found
            else:
                published.append((int(stem[1:]), found))
        versions = {f"v{number}": found for number, found in sorted(published, key=lambda pair: pair[0])}
        return FoundPrompt(name, versions if draft is None else {**versions, DRAFT: draft}, labels)

    def _found(self, entry: os.DirEntry[str], file: str) -> Found | None:
        place = self._place(entry, file)
        if place is None:
            return None
        try:
            return Found(file, place, stamp_of(place.stat(), settled_ns=self._settled_ns))
        except OSError:  # it is gone already
            return None

    def _place(self, entry: os.DirEntry[str], file: str) -> Path | None:
        """Return where an entry leads to, None where that is nowhere or out of the folder."""
        if not entry.is_symlink():
            return Path(entry.path)
        try:
            place = _led_to(entry.path)
        except OSError:
            self.note(file, "is a symbolic link that leads nowhere")
            return None
        if not place.is_relative_to(self._root):
            self.note(file, "is a symbolic link that leads out of the folder of prompts")
            return None
        return place

    def _entries(self, path: Path, file: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(path) as entries:
                found = list(islice(entries, self._left + 1))
        except FileNotFoundError:  # the folder need not exist, and what was there a moment ago may be gone
            return []
        except OSError as error:
            self.note(file, f"cannot be read: {error.strerror}")
            return []
        self._left -= len(found)
        if self._left < 0:
            raise _TooMany
        return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
