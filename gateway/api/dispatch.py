"""The first of ours to see a request: ids, hosts, drain, the exact-path table of hot endpoints, and the one error handler.

Invariants
- Every answer carries `x-request-id` and every error OpenAI's envelope, whatever raised it.
- What is not a `ClientError` reaches the client as "internal error"; its class goes to the log, never its text.
- A client that is gone cancels its work; nobody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from gateway.api.answering import Answering
from gateway.api.door import DISCONNECT, Disconnect
from gateway.api.incoming import Incoming, Receive, Scope, Send, host_of, read_headers
from gateway.api.server import Draining
from gateway.errors import ClientError, InternalError, InvalidRequest, MethodNotAllowed, Unavailable
from gateway.exchange.ids import new_id
from gateway.settings.tree import Server

Hot = Callable[[Incoming, Answering], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class Observer(Protocol):
    """Whoever counts and logs what the edge refuses or fails at."""

    def refused(self, code: str, request_id: str) -> None:
        """Note a refusal that no exchange stands for."""

    def internal_error(self, error: BaseException, request_id: str) -> None:
        """Note a fault of our own."""


class Dispatch:
    """The ASGI application: hot endpoints by exact path (they are all POST), everything else to `rest`."""

    def __init__(self, hot: Mapping[str, Hot], rest: Asgi, *, server: Server, draining: Draining, observer: Observer) -> None:
        self._hot = hot
        self._rest = rest
        self._hosts = frozenset(host.lower() for host in server.allowed_hosts)
        self._any_host = "*" in self._hosts
        self._max_body_bytes = server.max_body_bytes
        self._draining = draining
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan of the rest."""
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        request_id = new_id()
        disconnect: Disconnect | None = scope.get("extensions", {}).get(DISCONNECT)
        answering = Answering(send, request_id, disconnect)
        hot: Hot | None = None
        try:
            headers = read_headers(scope["headers"])
            hot = self._admit(scope, headers)
            if hot is None:
                await self._rest(scope, receive, answering.passing)
                return
            if disconnect is not None:
                disconnect.task = asyncio.current_task()
            await hot(Incoming(request_id, headers, receive, self._max_body_bytes), answering)
        except ClientError as error:
            if hot is None:
                self._observer.refused(error.code, request_id)
            await answering.fail(error)
        except asyncio.CancelledError:
            if disconnect is None or not disconnect.gone:
                # Not the client but the end of the drain cancels us: whoever still listens is told.
                await answering.fail(_draining())
        except Exception as error:  # noqa: BLE001  # the edge: a fault of ours must not take the connection's other work down
            self._observer.internal_error(error, request_id)
            await answering.fail(InternalError())
        finally:
            if disconnect is not None:
                disconnect.task = None

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Hot | None:
        if not self._any_host and host_of(headers) not in self._hosts:
            raise InvalidRequest("This gateway does not answer to that Host.", code="host_not_allowed")
        hot = self._hot.get(scope["path"])
        if hot is not None:
            if scope["method"] != "POST":
                raise MethodNotAllowed("This endpoint takes POST.")
            if self._draining.begun:
                raise _draining()
        return hot


def _draining() -> Unavailable:
    return Unavailable("This gateway is shutting down; try again.", code="draining", retry_after=1.0)
