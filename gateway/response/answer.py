"""An upstream's answer made ours: our id, the caller's model name, usage counted and shown only to who asked. Pure."""

from __future__ import annotations

from gateway.errors import UpstreamFailed
from gateway.exchange.exchange import Exchange
from gateway.wire.answer import Body, WireError
from gateway.wire.chat import ChatRequest
from gateway.wire.option import StreamOptions
from gateway.wire.progress import StreamProgress


class Answer:
    """The answer of one exchange on its way through; notes usage and finish_reason on the exchange.

    Unknown fields of the upstream pass through.
    """

    __slots__ = ("_begun", "_exchange", "_id", "_progress", "_shows_usage")

    def __init__(self, exchange: Exchange, request: ChatRequest) -> None:
        self._exchange = exchange
        self._begun = False
        self._id = f"chatcmpl-{exchange.id}"
        options = request.stream_options
        self._shows_usage = isinstance(options, StreamOptions) and options.include_usage is True
        self._progress = StreamProgress(request.n if isinstance(request.n, int) else 1)

    def ours(self, bodies: list[Body]) -> list[Body]:
        """Return the bodies to deliver; the usage chunk of a stream only where the caller asked for it."""
        if not self._begun:
            self._begun = True
            self._exchange.mark("first_byte")
        try:
            self._progress.feed(bodies)
        except WireError as error:
            raise UpstreamFailed("The model's server sent an answer that cannot be read.", reason=str(error)) from error
        model = self._exchange.model
        for body in bodies:
            body["id"] = self._id
            body["model"] = model
        if self._shows_usage or not self._exchange.stream:
            return bodies
        for body in bodies:
            body.pop("usage", None)
        return [body for body in bodies if body["choices"]]

    def end(self) -> None:
        """Note the end; raises `UpstreamFailed` when not every choice has come to its finish_reason."""
        progress = self._progress
        self._exchange.usage = progress.usage
        self._exchange.finish = progress.finish
        if not progress.complete:
            raise UpstreamFailed("The model's server ended its answer too early.", reason="no finish_reason")
