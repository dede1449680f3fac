"""The variables of a template: which exist where, and how often the text of the values may stand in each."""

from __future__ import annotations

from collections.abc import Iterable


class Scope:
    """Names that exist at one place of the body; loops open a scope of their own, conditions do not.

    Every variable has its copies: how often the text of the values can stand in it. An input has 1.
    """

    def __init__(self, inputs: Iterable[str]) -> None:
        self._inputs = frozenset(inputs)
        self._frames: list[dict[str, int]] = [{}]
        self.used: set[str] = set()
        """Inputs that were read."""

    def open(self) -> None:
        """Begin a loop's body."""
        self._frames.append({})

    def close(self) -> None:
        """End a loop's body: what was set in it is gone."""
        self._frames.pop()

    def bind(self, name: str, copies: int) -> None:
        """Let a name exist from here on; one that is set twice keeps the larger number, because either may have been run."""
        self._frames[-1][name] = max(copies, self._frames[-1].get(name, 0))

    def is_input(self, name: str) -> bool:
        """Tell whether a name is a declared input."""
        return name in self._inputs

    def read(self, name: str) -> int | None:
        """Return the copies of a variable, or None where there is none of that name."""
        for frame in reversed(self._frames):
            if name in frame:
                return frame[name]
        if name in self._inputs:
            self.used.add(name)
            return 1
        return None

    def names(self) -> list[str]:
        """Return all names that exist here."""
        return sorted({*self._inputs, *(name for frame in self._frames for name in frame)})
