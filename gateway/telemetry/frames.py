"""Where an exception passed through our code, and nothing of what it carried."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

_OURS = ("gateway", "guards")
_MOST = 20


def class_names(error: BaseException) -> list[str]:
    """Return the qualified class names of an exception and of what caused it, the outermost first; never a text."""
    return [f"{type(each).__module__}.{type(each).__qualname__}" for each in _chain(error)]


def own_frames(error: BaseException) -> list[str]:
    """Return "module:line function" for our frames, in the order of the calls: of the exception, then of what caused it."""
    frames = [frame for each in _chain(error) for frame in _frames(each.__traceback__)]
    if len(frames) > _MOST:
        # An endless recursion: where it began and where it ended tell the most.
        return [*frames[: _MOST // 2], "…", *frames[-_MOST // 2 :]]
    return frames


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < _MOST:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in _OURS:
            yield f"{module}:{traceback.tb_lineno} {traceback.tb_frame.f_code.co_name}"
        traceback = traceback.tb_next
