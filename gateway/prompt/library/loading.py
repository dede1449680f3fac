"""Loads the library from its folder: reads what changed, keeps what did not, and says what is wrong with file and line.

It reads files and compiles, so it runs in a thread: 1,000 versions of 2 kB took 0.5 s of CPU the first time, 0.04 s when nothing
had changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from gateway.prompt.file.names import DRAFT
from gateway.prompt.file.problem import Problem, PromptInvalid
from gateway.prompt.file.source import Source, read_source
from gateway.prompt.library.folder import LIMITS, Folder, Found, FoundPrompt, Limits
from gateway.prompt.library.library import Library, Reading, in_order
from gateway.prompt.library.lock import FILE as LOCK_FILE
from gateway.prompt.library.lock import Lock, Locked, read_lock
from gateway.prompt.library.seeds import read_seeds
from gateway.prompt.library.version import Version, compile_version

Made = TypeVar("Made")

_NEVER_CHANGES: Final = "a published version never changes; restore it and publish a new one"
_GOES_ON: Final = "; what was published goes on being served until the gateway restarts"


def load_library(path: Path, previous: Library | None = None, *, limits: Limits = LIMITS) -> Library:
    """Load every prompt below a folder; never raises for what lies there: that becomes the library's `problems`.

    With the library that was served before, files that did not change are not compiled again and published versions that can no
    longer be loaded go on.
    """
    return _Load(Folder(path, limits=limits), previous or Library()).run()


class Fragments:
    """The fragments of one load, each read once; `used` are those asked for since it was last emptied, with their SHA-256."""

    __slots__ = ("_folder", "_read", "used")

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._read: dict[str, tuple[bytes | OSError, bytes | None]] = {}
        self.used: dict[str, bytes | None] = {}

    def __call__(self, path: str) -> bytes:
        """Return a fragment's bytes by its name in the folder; raises `OSError`."""
        data, self.used[path] = self._get(path)
        if isinstance(data, OSError):
            raise data.with_traceback(None)
        return data

    def sha256(self, path: str) -> bytes | None:
        """Return a fragment's SHA-256, None where it cannot be read."""
        return self._get(path)[1]

    def _get(self, path: str) -> tuple[bytes | OSError, bytes | None]:
        if path not in self._read:
            try:
                data = self._folder.read(path)[0]
                self._read[path] = data, hashlib.sha256(data).digest()
            except OSError as error:
                self._read[path] = error, None
        return self._read[path]


class _Load:
    """One load."""

    def __init__(self, folder: Folder, previous: Library) -> None:
        self._folder = folder
        self._previous = previous
        self._fragments = Fragments(folder)
        self._lock = Lock()
        self._problems: list[Problem] = []
        self._readings: dict[str, Reading] = {}
        self._seeds: dict[str, Mapping[str, str]] = {}
        self._prompts: dict[str, dict[str, Version]] = {}

    def run(self) -> Library:
        """Load everything."""
        listing = self._folder.list()
        self._problems.extend(listing.problems)
        self._read_lock()
        for prompt in listing.prompts:
            self._load(prompt)
        self._keep({(prompt.id, name) for prompt in listing.prompts for name in prompt.versions})
        for prompt in listing.prompts:
            self._seed(prompt)
        return Library(
            prompts=MappingProxyType({prompt: in_order(self._prompts[prompt]) for prompt in sorted(self._prompts)}),
            problems=tuple(sorted(set(self._problems))),
            seeds=MappingProxyType(self._seeds),
            lock=self._lock,
            readings=MappingProxyType(self._readings),
        )

    def _read_lock(self) -> None:
        try:
            data, _ = self._folder.read(LOCK_FILE)
        except FileNotFoundError:
            return
        except OSError as error:
            self._note(LOCK_FILE, f"cannot be read: {error.strerror}")
            return
        self._lock = read_lock(data)
        self._problems.extend(self._lock.problems)

    def _load(self, prompt: FoundPrompt) -> None:
        for name, found in prompt.versions.items():
            reading = self._read(found)
            if name == DRAFT:
                reading = _compiled(reading, prompt.id, name)
                version = reading.version
                self._problems.extend(reading.problems)
            else:
                reading, version = self._published(reading, prompt.id, name=name, file=found.file)
            self._readings[found.file] = reading
            if version is not None:
                self._problems.extend((*version.source.warnings, *version.template.warnings))
                self._prompts.setdefault(prompt.id, {})[name] = version

    def _read(self, found: Found) -> Reading:
        """Read a file, unless its stamp or its bytes tell that it is the one that was read before."""
        before = self._previous.readings.get(found.file)
        if before is not None and not all(self._fragments.sha256(path) == digest for path, digest in before.fragments):
            before = None
        if before is not None and found.stamp is not None and before.stamp == found.stamp:
            return before
        try:
            data, stamp = self._folder.read(found.file)
        except OSError as error:
            return Reading(None, b"", problems=(Problem(found.file, 0, f"cannot be read: {error.strerror}"),))
        sha256 = hashlib.sha256(data).digest()
        if before is not None and before.sha256 == sha256:
            return replace(before, stamp=stamp)
        self._fragments.used = {}
        source, problems = attempt(lambda: read_source(found.file, data, fragment=self._fragments), found.file)
        return Reading(stamp, sha256, tuple(self._fragments.used.items()), source, None, problems)

    def _published(self, reading: Reading, prompt: str, *, name: str, file: str) -> tuple[Reading, Version | None]:
        """Return what is served of a published version: what was served before, or else what prompts.lock names."""
        served = self._previous.get(prompt, name)
        locked = self._lock.versions.get(f"{prompt}/{name}")
        refusal = _refusal(reading.source, locked, file)
        if refusal is None:
            reading = _compiled(reading, prompt, name)
            problems = reading.problems
        else:
            problems = (*reading.problems, refusal)
        version = None if refusal else reading.version
        if served is None:
            self._problems.extend(problems)
            return reading, version
        if version is not None and version.digest != served.digest:
            problems = (Problem(file, 0, f"was changed together with its line in {LOCK_FILE}: {_NEVER_CHANGES}"),)
        self._problems.extend(replace(problem, text=problem.text + _GOES_ON) for problem in problems)
        return reading, served

    def _keep(self, found: set[tuple[str, str]]) -> None:
        """Go on serving published versions whose files are gone, and tell of every one that is missing."""
        for prompt in self._previous.ids():
            for version in self._previous.published(prompt):
                if (prompt, version.name) not in found:
                    self._prompts.setdefault(prompt, {})[version.name] = version
                    self._note(version.file, f"is published and was not found: restore it{_GOES_ON}")
        for name, locked in self._lock.versions.items():
            prompt, _, version_name = name.rpartition("/")
            if (prompt, version_name) not in found and self._previous.get(prompt, version_name) is None:
                self._note(LOCK_FILE, f"{name} is published, and its file was not found: restore it", line=locked.line)

    def _seed(self, prompt: FoundPrompt) -> None:
        if prompt.labels is None:
            return
        file = prompt.labels.file
        try:
            data, _ = self._folder.read(file)
        except OSError as error:
            self._note(file, f"cannot be read: {error.strerror}")
            return
        labels, problems = read_seeds(file, data)
        self._problems.extend(problems)
        versions = self._prompts.get(prompt.id, {})
        for label, seed in labels.items():
            if seed.version not in versions:
                self._note(file, f"the label {label} names {seed.version}, which is not served", line=seed.line)
        self._seeds[prompt.id] = MappingProxyType(
            {label: seed.version for label, seed in labels.items() if seed.version in versions}
        )

    def _note(self, file: str, text: str, *, line: int = 0) -> None:
        self._problems.append(Problem(file, line, text))


def _refusal(source: Source | None, locked: Locked | None, file: str) -> Problem | None:
    """Return why a published version must not be served as it lies there, None where it may."""
    if locked is None:
        return Problem(file, 0, f"is not in {LOCK_FILE}: only 'gatehouse prompts publish' makes a published version")
    if source is None:
        return Problem(file, 0, f"cannot be compared with {LOCK_FILE}: {_NEVER_CHANGES}")
    if source.digest != locked.digest:
        parts = " or ".join(("it", *source.fragments))
        return Problem(file, 0, f"is not what was published under this name ({parts} was changed): {_NEVER_CHANGES}")
    return None


def _compiled(reading: Reading, prompt: str, name: str) -> Reading:
    """Compile what was read, unless that was done before."""
    source = reading.source
    if source is None or reading.version is not None or reading.problems:
        return reading
    version, problems = attempt(lambda: compile_version(prompt, name, source), source.file)
    return replace(reading, version=version, problems=problems)


def attempt(work: Callable[[], Made], file: str) -> tuple[Made | None, tuple[Problem, ...]]:
    """Return what a piece of work on one file makes, or the problems that it ends with, whatever they are."""
    try:
        return work(), ()
    except PromptInvalid as error:
        return None, error.problems
    except Exception as error:  # noqa: BLE001  # no file may take the others down, whatever it makes a parser do
        return None, (Problem(file, 0, f"cannot be used for a fault of Gatehouse, please report it ({type(error).__name__})"),)
