"""Checks a library beyond what keeps it from being loaded: contracts over time, labels, routes, sizes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from gateway.prompt.contract.compatibility import incompatible
from gateway.prompt.file.names import DRAFT
from gateway.prompt.file.problem import Problem, Severity
from gateway.prompt.label.labels import Move
from gateway.prompt.largest import most_tokens
from gateway.prompt.library.library import Library
from gateway.prompt.library.version import Version


@dataclass(frozen=True, slots=True)
class Size:
    """How many tokens a version's messages have at most; None where nothing bounds them."""

    version: str
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Checked:
    """Everything that is wrong or worth a look, in the order of its places, and the size of every version."""

    problems: tuple[Problem, ...]
    sizes: tuple[Size, ...]

    @property
    def ok(self) -> bool:
        """Tell whether there are no errors; warnings may be."""
        return all(problem.severity == "warning" for problem in self.problems)


def check(library: Library, *, moves: Iterable[Move] = (), windows: Mapping[str, int | None] | None = None) -> Checked:
    """Check every version that a library serves.

    `moves` are those that hold now, one for each label. `windows` are the context windows of all routes in tokens, None for one
    that is not known; without it routes are not looked at.
    """
    moves = tuple(moves)
    problems = [*library.problems, *_labels(library, moves)]
    live = _live(library, moves)
    sizes = []
    for prompt in library.ids():
        versions = library.versions(prompt)
        for old, new in pairwise(versions):
            problems.extend(_contracts(old, new))
        for version in versions:
            size = Size(version.reference, most_tokens(version))
            sizes.append(size)
            if windows is not None:
                problems.extend(_route(version, windows, size=size, live=version.reference in live))
    return Checked(tuple(sorted(set(problems))), tuple(sizes))


def _labels(library: Library, moves: Iterable[Move]) -> Iterator[Problem]:
    """Find labels that lead nowhere: their callers are refused."""
    for move in moves:
        for version in (move.version, move.canary):
            if version is not None and library.get(move.prompt, version) is None:
                yield Problem(
                    move.prompt, 0, f"the label {move.label} stands for {version}, which is not served: move it, or restore it"
                )


def _live(library: Library, moves: Iterable[Move]) -> set[str]:
    """Return the versions that callers reach by a label, as `support/triage@v7`."""
    standing = {(prompt, label): {version} for prompt, seeds in library.seeds.items() for label, version in seeds.items()}
    standing |= {(move.prompt, move.label): {move.version, move.canary or move.version} for move in moves}
    return {f"{prompt}@{version}" for (prompt, _), versions in standing.items() for version in versions}


def _contracts(old: Version, new: Version) -> Iterator[Problem]:
    """Compare a version with the one before it; what a draft does wrong can still be put right, and `publish` refuses it."""
    severity: Severity = "warning" if new.name == DRAFT else "error"
    if new.contract.number < old.contract.number:
        text = f"has contract {new.contract.number}, and {old.name} has {old.contract.number}: it never goes back"
        yield Problem(new.file, 0, text, severity)
    elif new.contract.number == old.contract.number:
        for reason in incompatible(old.contract, new.contract):
            yield Problem(new.file, 0, f"refuses variables that {old.name} takes under the same contract: {reason}", severity)


def _route(version: Version, windows: Mapping[str, int | None], *, size: Size, live: bool) -> Iterator[Problem]:
    route = version.route
    if route is None:
        return
    if route not in windows:
        severity: Severity = "error" if live or version.name == DRAFT else "warning"
        yield Problem(version.file, 0, f"names the route {route!r}, which gateway.toml does not have", severity)
        return
    window, reserved = windows[route], 0 if version.budget is None else version.budget.reserve_output
    if window is not None and size.tokens is not None and size.tokens > window - reserved:
        text = f"may come to {size.tokens} tokens, and the route {route!r} has room for {window - reserved}: limit its inputs"
        yield Problem(version.file, 0, text, "warning")
