"""One mapping of a front matter, read key by key: what is wrong is reported, and a default returned in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from gateway.prompt.file.document import Path
from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.report import Report
from gateway.settings.keys import nearest

Word = TypeVar("Word", bound=str)

_NULLABLE = frozenset({"default", "example"})
"""Keys under which null is a value; under any other it is a value that was forgotten."""


class Fields:
    """The keys of a mapping at `path`; anything that is not a mapping is reported and read as an empty one.

    `known` are the keys that there are, each a `noun`; `retired` are those of other versions of the format with what to write
    instead.
    """

    __slots__ = ("_found", "_is_mapping", "path", "report")

    def __init__(
        self,
        report: Report,
        path: Path,
        value: Any,
        *,
        known: Iterable[str],
        retired: Mapping[str, str] | None = None,
        noun: str = "key of a prompt",
    ) -> None:
        self.report = report
        self.path = path
        self._found: dict[str, Any] = {}
        self._is_mapping = isinstance(value, dict)
        if not isinstance(value, dict):
            report.add(path, "must be a mapping of keys to values")
            return
        names = tuple(known)
        for key, inner in value.items():
            if retired is not None and key in retired:
                report.add((*path, key), retired[key])
            elif key not in names:
                report.unknown((*path, key), names, noun=noun)
            elif inner is None and key not in _NULLABLE:
                report.add((*path, key), "is empty: give it a value or leave it out")
            else:
                self._found[key] = inner

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def at(self, key: str) -> Path:
        """Return the path of a key."""
        return (*self.path, key)

    def raw(self, key: str, default: Any = None) -> Any:
        """Return what stands under a key, whatever it is."""
        return self._found.get(key, default)

    def wrong(self, key: str, text: str) -> None:
        """Report a problem of a key."""
        self.report.add(self.at(key), text)

    def required(self, key: str) -> bool:
        """Tell whether a key is there; report it where it is not, unless what should hold it is no mapping at all."""
        if key not in self._found and self._is_mapping:
            self.report.add(self.path, f"has no {key}: add it")
        return key in self._found

    def text(self, key: str, *, most: int = LIMITS.description_chars) -> str:
        """Return a text of at most `most` characters; empty where it is absent."""
        value = self._found.get(key, "")
        if not isinstance(value, str):
            self.wrong(key, "must be a text: put it in quotes")
            return ""
        if len(value) > most:
            self.wrong(key, f"has more than {most} characters")
        return value

    def integer(self, key: str, *, least: int, default: int) -> int:
        """Return an integer of at least `least`."""
        value = self._found.get(key, default)
        if type(value) is not int or value < least:
            self.wrong(key, f"must be an integer of at least {least}")
            return default
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._found.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "must be true or false")
            return default
        return value

    def word(self, key: str, words: Sequence[Word], *, default: Word) -> Word:
        """Return one of a closed set of words."""
        value = self._found.get(key, default)
        for word in words:
            if word == value:
                return word
        near = nearest(value, words) if isinstance(value, str) and not self.report.full else None
        hint = f': did you mean "{near}"?' if near else ""
        self.wrong(key, f"must be {' or '.join(words)}{hint}")
        return default

    def sequence(self, key: str) -> list[Any]:
        """Return a list; empty where it is absent."""
        value = self._found.get(key, [])
        if not isinstance(value, list):
            self.wrong(key, "must be a list")
            return []
        return value

    def below(
        self, key: str, *, known: Iterable[str], retired: Mapping[str, str] | None = None, noun: str = "key of a prompt"
    ) -> Fields:
        """Return the mapping under a key; an absent one is empty."""
        return Fields(self.report, self.at(key), self._found.get(key, {}), known=known, retired=retired, noun=noun)
