"""Server-sent events: an incremental reader of upstreams' streams and a writer of ours. Pure: takes and returns bytes.

Reads as WHATWG HTML, section 9.2.6 "Interpreting an event stream": lines end in LF, CR or CRLF, a leading BOM is dropped, an
event ends at an empty line, its `data` lines are joined by LF, an event without data is none, and what stands after the last
empty line is no event. `event`, `id`, `retry` and comments are dropped: OpenAI's streams carry everything in `data`.

Invariants
- However a stream is cut into reads, the same events come out, in the same order.
- What is held between reads is at most one event of `max_event_bytes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.wire.answer import WireError

DONE: Final = b"data: [DONE]\n\n"
"""The last event of a complete stream."""

DONE_DATA: Final = b"[DONE]"
"""Its data, as `Events` gives it."""

_BOM = b"\xef\xbb\xbf"
_encode = msgspec.json.Encoder().encode


class Events:
    """Reads one stream; `max_event_bytes` bounds one event with its field names and comments."""

    __slots__ = ("_after_cr", "_held", "_held_bytes", "_max", "_start")

    def __init__(self, *, max_event_bytes: int = 1_048_576) -> None:
        self._max = max_event_bytes
        self._held: list[bytes] = []  # reads since the last event ended; joined once the next one is whole
        self._held_bytes = 0
        self._after_cr = False  # a LF that comes next belongs to a CR already taken for a line's end
        self._start: bytes | None = b""  # the first bytes, while they may be a BOM

    @property
    def pending(self) -> bool:
        """Whether the stream, if it ended here, ended within an event; a comment alone is none."""
        rest = (self._start or b"") + b"".join(self._held)
        return any(line and not line.startswith(b":") for line in rest.split(b"\n"))

    def feed(self, data: bytes) -> list[bytes]:
        """Take one read; return the data of each event that it completed.

        Raises `WireError` when an event is longer than `max_event_bytes`; the reader is of no use afterwards.
        """
        if self._start is not None:
            data = self._without_bom(data)
        if not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._with_lf(data)
        if data[:1] == b"\n":  # perhaps the second half of an empty line
            data = (self._release() + data).lstrip(b"\n")
        end = data.rfind(b"\n\n")
        if end < 0:
            self._hold(data)
            return []
        if self._held:
            held = self._release()
            data = held + data
            end += len(held)
        complete = data[:end]
        if end + 2 < len(data):
            self._hold(data[end + 2 :])
        return self._data_of(complete)

    def _without_bom(self, data: bytes) -> bytes:
        data = (self._start or b"") + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data.removeprefix(_BOM)

    def _with_lf(self, data: bytes) -> bytes:
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > self._max + 1:  # its last line end may be there already
            raise WireError("an event is too long")

    def _release(self) -> bytes:
        data = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        return data

    def _data_of(self, complete: bytes) -> list[bytes]:
        """Return the data of whole events that are parted by empty lines."""
        if len(complete) > self._max and any(len(block) > self._max for block in complete.split(b"\n\n")):
            raise WireError("an event is too long")
        if complete.startswith(b"data: "):
            found = complete[6:].split(b"\n\ndata: ")
            if complete.count(b"\n") == 2 * (len(found) - 1):  # no line but these: nothing to interpret
                return found
        return [data for block in complete.split(b"\n\n") if (data := _interpret(block)) is not None]


def _interpret(block: bytes) -> bytes | None:
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            lines.append(b"")
    return b"\n".join(lines) if lines else None


def event(body: Any) -> bytes:
    """Encode one body as one event."""
    return b"data: " + _encode(body) + b"\n\n"


def events(bodies: Iterable[Any]) -> bytes:
    """Encode bodies as events, in one piece; nothing for no bodies."""
    joined = b"\n\ndata: ".join(map(_encode, bodies))
    return b"data: " + joined + b"\n\n" if joined else b""
