"""The library: every version of every prompt in the folder, compiled, as one immutable value.

Invariants
- A published version never changes while the process lives: one that was served goes on being served as it was, whatever
  becomes of its file, its fragments or its line in prompts.lock. Each such difference is a problem.
- A published version that was not served yet is served only if its digest is the one in prompts.lock.
- A draft that cannot be used is not served; there is nothing behind it.
- A problem of one file keeps no other file from being served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.prompt.file.names import DRAFT, number_of
from gateway.prompt.file.problem import Problem
from gateway.prompt.file.source import Source
from gateway.prompt.library.folder import Stamp
from gateway.prompt.library.lock import Lock
from gateway.prompt.library.version import Version


@dataclass(frozen=True, slots=True)
class Reading:
    """What a version's file gave when it was read: a source or problems, and, where it was compiled, a version or problems.

    `sha256` is the file's, `fragments` are those that it asked for with their SHA-256, None for one that could not be read.
    """

    stamp: Stamp | None
    sha256: bytes
    fragments: tuple[tuple[str, bytes | None], ...] = ()
    source: Source | None = None
    version: Version | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Versions by prompt and name, and what is wrong with the folder that they were read from.

    `seeds` are the versions of labels.yaml by prompt and label; `lock` is prompts.lock as it was read. `readings` are what the
    next load need not do again, by file.
    """

    prompts: Mapping[str, Mapping[str, Version]] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()
    seeds: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    lock: Lock = field(default_factory=Lock)
    readings: Mapping[str, Reading] = field(default_factory=lambda: MappingProxyType({}))

    def ids(self) -> tuple[str, ...]:
        """Return every prompt that has a version, in the order of their names."""
        return tuple(self.prompts)

    def get(self, prompt: str, name: str) -> Version | None:
        """Return a version by its name (`vN` or `draft`), None where there is none."""
        versions = self.prompts.get(prompt)
        return None if versions is None else versions.get(name)

    def versions(self, prompt: str) -> tuple[Version, ...]:
        """Return a prompt's versions, published ones in their order, then the draft."""
        return tuple(self.prompts.get(prompt, {}).values())

    def published(self, prompt: str) -> tuple[Version, ...]:
        """Return a prompt's published versions in their order."""
        return tuple(version for version in self.versions(prompt) if version.name != DRAFT)

    @property
    def count(self) -> int:
        """How many versions it serves."""
        return sum(len(versions) for versions in self.prompts.values())

    def serves_as(self, other: Library) -> bool:
        """Tell whether it serves the very same versions, seeds and problems as another."""
        if self.problems != other.problems or self.seeds != other.seeds or self.prompts.keys() != other.prompts.keys():
            return False
        return all(self.prompts[prompt] == other.prompts[prompt] for prompt in self.prompts)


def in_order(versions: Mapping[str, Version]) -> Mapping[str, Version]:
    """Return versions by name in the order in which they were published, the draft last."""
    names = sorted(versions, key=lambda name: (name == DRAFT, 0 if name == DRAFT else number_of(name)))
    return MappingProxyType({name: versions[name] for name in names})
