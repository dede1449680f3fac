"""prompts.lock: the digest of every published version, one line each; what is not in it was never published.

    support/triage/v7 5f0c…  (64 hexadecimal digits)

Invariants
- Lines are written in the order of their bytes and end with a newline, so that two publications merge line by line.
- A line that cannot be read is a problem of its own; the others count.
- A version that is named twice with different digests counts as not published, since nobody can tell which was meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from gateway.prompt.file.names import is_id, is_version
from gateway.prompt.file.problem import Problem

FILE: Final = "prompts.lock"
_LINE = re.compile(r"(?P<id>[^ ]+)/(?P<version>[^ /]+) (?P<digest>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """A line: the digest of a version, 64 hexadecimal digits, and where it stands."""

    digest: str
    line: int


@dataclass(frozen=True, slots=True)
class Lock:
    """The published versions, by `<namespace>/<name>/vN`, and what is wrong with the file."""

    versions: Mapping[str, Locked] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()


def read_lock(data: bytes) -> Lock:
    """Read prompts.lock; never raises: what cannot be read is a problem with its line."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Lock(problems=(Problem(FILE, 0, "is not UTF-8: restore it, nothing is published without it"),))
    versions: dict[str, Locked] = {}
    unclear: set[str] = set()
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.removesuffix("\r"))
        if match is None or not is_id(match["id"]) or not is_version(match["version"]):
            problems.append(Problem(FILE, number, "is not of the form '<namespace>/<name>/vN <sha256>'"))
            continue
        name = f"{match['id']}/{match['version']}"
        first = versions.setdefault(name, Locked(match["digest"], number))
        if first.line != number:
            problems.append(Problem(FILE, number, f"names {name} again (first in line {first.line})"))
            if first.digest != match["digest"]:
                unclear.add(name)
    kept = {name: locked for name, locked in versions.items() if name not in unclear}
    return Lock(MappingProxyType(kept), tuple(problems))


def write_lock(digests: Mapping[str, str]) -> bytes:
    """Return the file's bytes for digests by `<namespace>/<name>/vN`."""
    return "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items())).encode()
