"""A streamed answer as it arrives: bytes in, chunks out. Pure."""

from __future__ import annotations

from gateway.wire.answer import Body, WireError, read_chunk
from gateway.wire.sse import DONE_DATA, Events


class AnswerStream:
    """Reads one streamed answer, as far as it is good.

    `done` tells that `[DONE]` was seen; `problem` says in fixed words what ended the answer too early: an error event, or
    something that OpenAI does not specify. What follows either is not read.
    """

    __slots__ = ("_events", "done", "problem")

    def __init__(self) -> None:
        self._events = Events()
        self.done = False
        self.problem = ""

    def feed(self, data: bytes) -> list[Body]:
        """Return the chunks that `data` completes, up to a problem."""
        bodies: list[Body] = []
        try:
            for payload in self._events.feed(data):
                if payload == DONE_DATA:
                    self.done = True
                    break
                body = read_chunk(payload)
                if "error" in body:
                    self.problem = "error event"
                    break
                bodies.append(body)
        except WireError as error:
            self.problem = str(error)
        return bodies

    def end(self) -> None:
        """Note the end of the body: it may have cut an event in two."""
        if not self.done and self._events.pending:
            self.problem = "cut inside an event"
