"""Names of routes as a tenant or an app lists them: exact, or up to a star."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.errors import SettingsError


class Patterns:
    """A list of names, in which "team-*" stands for every name that starts with "team-" and "*" for all.

    Raises `SettingsError` with `where`, the setting's key, for a star elsewhere than at the end.
    """

    __slots__ = ("_names", "_prefixes")

    def __init__(self, patterns: Iterable[str], *, where: str) -> None:
        names, prefixes = set(), []
        for pattern in patterns:
            if "*" in pattern[:-1]:
                raise SettingsError(f"{where}: {pattern!r} has a star that is not at its end; write a name, 'prefix*' or '*'")
            if pattern.endswith("*"):
                prefixes.append(pattern[:-1])
            else:
                names.add(pattern)
        self._names = frozenset(names)
        self._prefixes = tuple(prefixes)

    def match(self, name: str) -> bool:
        """Whether the list has the name."""
        return name in self._names or name.startswith(self._prefixes)
