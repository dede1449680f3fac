"""Which exchanges are open after a number of entries. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Mark(msgspec.Struct, frozen=True, gc=False):
    """As much of an entry as it takes to tell which exchanges are open."""

    kind: str
    id: str = ""


_mark = msgspec.json.Decoder(Mark).decode


def kind_of(entry: bytes) -> str:
    """Return an entry's kind, also one that only a later version knows; errors as `follow`."""
    return _mark(entry).kind


def follow(open_begins: dict[str, int], entries: Iterable[bytes], *, first: int) -> None:
    """Bring the begins without end up to date with entries that follow, the first of which has the index `first`.

    Raises `msgspec.MsgspecError` or `UnicodeError` for what is no entry.
    """
    for index, entry in enumerate(entries, first):
        mark = _mark(entry)
        if mark.kind == "begin":
            open_begins[mark.id] = index
        elif mark.kind in {"end", "abandoned"}:
            open_begins.pop(mark.id, None)
