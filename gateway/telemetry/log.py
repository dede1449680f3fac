"""The log for operators: JSON lines of named events.

Invariants
- A line never holds content, a header, a key or a text that an upstream or an exception brought; lengths and ids instead.
- One event is one line of UTF-8, whatever its fields hold.
- Logging neither waits nor raises.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import orjson
import structlog

from gateway.exchange.exchange import Exchange
from gateway.telemetry.events import EXCHANGE_ENDED, INTERNAL_ERROR, LOG_LINES_DROPPED, Event, Level
from gateway.telemetry.frames import class_names, own_frames
from gateway.telemetry.lines import CLOSE_DEADLINE, Lines, Stream
from gateway.telemetry.timing import MILLISECONDS, first_byte

Field = str | int | float | bool | None | list[str]
"""What a line may hold beside its event: names, ids, counts, codes."""

_FINISHES = frozenset({"", "stop", "length", "tool_calls", "function_call", "content_filter"})
_OTHER = "other"
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


class Log:
    """Writes events; close it, or leave its `with`, so that the last lines are written."""

    def __init__(self, lines: Lines, level: Level) -> None:
        self._lines = lines
        self._tells_ends = level in ("debug", "info")
        # Built here instead of by structlog.configure: that would be one log for the whole process.
        self._bound: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            lines,
            processors=[_render],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            context_class=dict,
            cache_logger_on_first_use=False,
        ).bind()

    def info(self, event: Event, **fields: Field) -> None:
        """Note something that is as it should be."""
        self._bound.info(event, **fields)

    def warning(self, event: Event, **fields: Field) -> None:
        """Note something that an operator may want to look into."""
        self._bound.warning(event, **fields)

    def error(self, event: Event, **fields: Field) -> None:
        """Note something that needs an operator."""
        self._bound.error(event, **fields)

    def internal_error(self, error: BaseException, request_id: str) -> None:
        """Note a fault of our own: its classes and our frames, without texts and values."""
        self.error(INTERNAL_ERROR, id=request_id, classes=class_names(error), frames=own_frames(error))

    def ended(self, exchange: Exchange, at: int) -> None:
        """Note the end of an exchange at `at`, in nanoseconds of `time.perf_counter_ns`."""
        if not self._tells_ends:
            return
        caller = exchange.caller
        usage = exchange.usage
        waited = first_byte(exchange)
        line = {
            "event": EXCHANGE_ENDED,
            "id": exchange.id,
            "operation": exchange.operation,
            "tenant": caller.tenant if caller else None,
            "app": caller.app if caller else None,
            "key": caller.key_id if caller else None,
            "route": exchange.route,
            "prompt": exchange.prompt.reference if exchange.prompt else None,
            "upstream": exchange.upstream,
            "stream": exchange.stream,
            "result": exchange.result,
            "error": exchange.error,
            "reason": exchange.reason,
            "finish": exchange.finish if exchange.finish in _FINISHES else _known_finishes(exchange.finish),
            "replayed": exchange.replayed,
            "input_tokens": usage.input if usage else None,
            "output_tokens": usage.output if usage else None,
            "duration_ms": round((at - exchange.started) * MILLISECONDS, 3),
            "first_byte_ms": None if waited is None else round(waited * MILLISECONDS, 3),
        }
        # The one line of every request; the logger's own layers would cost as much again.
        self._lines.put(_render(None, "info", line))

    def close(self, deadline: float = CLOSE_DEADLINE) -> None:
        """Write what waits, for at most `deadline` seconds."""
        self._lines.close(deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def open_log(stream: Stream, level: Level = "info") -> Log:
    """Return a log that writes events of at least `level` to `stream`."""
    return Log(Lines(stream, told=_dropped), level)


def raw_stderr() -> Stream:
    """Return stderr without Python's buffer, whose lock a stuck write would hold against everybody else who prints."""
    return io.FileIO(2, "wb", closefd=False)


def _known_finishes(finish: str) -> str:
    """Return the finish_reasons of several choices; one that OpenAI does not know is a text of the upstream's own."""
    return ",".join(part if part in _FINISHES else _OTHER for part in finish.split(","))


def _dropped(count: int) -> bytes:
    return _render(None, "warning", {"event": LOG_LINES_DROPPED, "count": count})


def _render(_logger: Any, level: str, fields: Any) -> bytes:
    line = {"time": datetime.now(UTC), "level": level, "event": fields.pop("event"), **fields}
    try:
        return orjson.dumps(line, option=_OPTIONS)
    except TypeError:  # a lone surrogate, an integer beyond 64 bits: the line is kept, what cannot be written is not
        return orjson.dumps({name: _plain(value) for name, value in line.items()}, option=_OPTIONS)


def _plain(value: Any) -> Any:
    try:
        orjson.dumps(value)
    except TypeError:
        return ascii(value)
    return value
