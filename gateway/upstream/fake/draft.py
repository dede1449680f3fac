"""An answer before a fault touches it: its bodies, its events, and the places where either can be bent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from gateway.upstream.fake.answer import DONE, Answer, Part, Wait, event, json_answer, stream
from gateway.upstream.fake.completion import Completion
from gateway.upstream.fake.directive import Directive
from gateway.wire.answer import Body

Edit = Callable[[Body, int], Body | None]
"""Changes a body, or drops a chunk; the number is the event's, and beyond any `after` for an answer that is not streamed."""

ALWAYS = sys.maxsize


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be answered; each method may be used once, since tokens are counted as they are made."""

    completion: Completion
    directive: Directive
    stream: bool

    def answer(self, edit: Edit | None = None) -> Answer:
        """Return the ordinary answer, its bodies changed by `edit`."""
        return stream(self.paced(self.events(edit))) if self.stream else json_answer(self.body(edit))

    def body(self, edit: Edit | None = None) -> Body:
        """Return the body of an answer that is not streamed."""
        body = self.completion.whole()
        return (edit(body, ALWAYS) or {}) if edit else body

    def raw_body(self) -> bytes:
        """Return that body as JSON."""
        return msgspec.json.encode(self.body())

    def events(self, edit: Edit | None = None, *, done: bytes = DONE) -> Iterator[bytes]:
        """Yield the events of a stream, then `done`."""
        for number, chunk in enumerate(self.completion.chunks()):
            body = edit(chunk, number) if edit else chunk
            if body is not None:
                yield event(body)
        if done:
            yield done

    def paced(self, events: Iterator[bytes]) -> Iterator[Part]:
        """Yield events with the directive's gap before each."""
        gap = self.directive.gap
        for one in events:
            if gap:
                yield Wait(gap)
            yield one
