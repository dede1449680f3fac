"""The upstream HTTP client over aiohttp: connections are kept, redirects are not followed, cookies are not kept."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import TracebackType

import aiohttp
from yarl import URL

from gateway.http.contract import HttpBroken, HttpLimits, HttpRequest, HttpTimeout, HttpUnreachable
from gateway.http.patience import Patience

KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: less than the 5 s of uvicorn, on which vLLM runs, so that we never send on a
connection that the other side is about to close."""


END_GRACE = 0.5
"""Seconds that a body may still take to end once its reader has left in peace; later its connection is closed."""


class AiohttpClient:
    """Sends requests to one base URL over at most `connections` kept connections, each with the constant `headers`."""

    def __init__(self, base_url: str, *, limits: HttpLimits, connections: int, headers: Mapping[str, str] | None = None) -> None:
        self._base = base_url
        self._headers = headers or {}
        self._limits = limits
        self._connections = connections
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None

    def send(self, request: HttpRequest, *, deadline: float) -> Sending:
        """Send a request; see `gateway.http.contract.HttpClient`."""
        url = self._urls.get(request.path)
        if url is None:
            url = self._urls[request.path] = URL(self._base + request.path)
        if self._session is None:
            self._session = self._open()
        return Sending(self._session, url, request, limits=self._limits, deadline=deadline)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE, enable_cleanup_closed=False)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect),
            # Said here because what aiohttp would add by itself, or must be told to leave out, costs more.
            headers={"user-agent": "gatehouse", "accept": "*/*", "accept-encoding": "identity", **self._headers},
            trust_env=False,
        )


class Sending:
    """A request on its way: `async with` gives the answer once its head is here."""

    __slots__ = ("_deadline", "_limits", "_patience", "_request", "_response", "_session", "_url")

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, request: HttpRequest, *, limits: HttpLimits, deadline: float
    ) -> None:
        self._session = session
        self._url = url
        self._request = request
        self._limits = limits
        self._deadline = deadline
        self._patience: Patience | None = None
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> AiohttpResponse:
        request = self._request
        patience = self._patience = Patience(self._deadline, min(self._limits.first_byte, self._limits.idle))
        try:
            self._response = await patience.wait(
                self._session.request(
                    request.method, self._url, data=request.body or None, headers=request.headers, allow_redirects=False
                ),
                self._limits.first_byte,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise HttpUnreachable(type(error).__name__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise HttpBroken(type(error).__name__) from error
        finally:
            if self._response is None:
                patience.close()
        return AiohttpResponse(self._response, self._limits, patience)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        patience, response = self._patience, self._response
        if patience is None or response is None:
            return
        try:
            if kind is None and not response.content.at_eof():
                await self._end(response, patience)
        finally:
            patience.close()
            # Closes a connection whose answer was not read to its end; the others were free again at that end.
            response.close()

    @staticmethod
    async def _end(response: aiohttp.ClientResponse, patience: Patience) -> None:
        """Wait a moment for the body's end: the last bytes often come apart from those that ended the reader's interest."""
        with contextlib.suppress(HttpTimeout, aiohttp.ClientError, OSError):
            await patience.wait(response.content.readany(), END_GRACE)


class AiohttpResponse:
    """An answer whose head has arrived."""

    __slots__ = ("_limits", "_patience", "_response", "_size")

    def __init__(self, response: aiohttp.ClientResponse, limits: HttpLimits, patience: Patience) -> None:
        self._response = response
        self._limits = limits
        self._patience = patience
        self._size = 0

    @property
    def status(self) -> int:
        """The status code."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names compare without case."""
        return self._response.headers

    def reads(self) -> AiohttpResponse:
        """Yield the body as it arrives; see `gateway.http.contract.HttpResponse`."""
        return self

    def __aiter__(self) -> AiohttpResponse:
        return self

    async def __anext__(self) -> bytes:
        try:
            data = await self._patience.wait(self._response.content.readany(), self._limits.idle)
        except (aiohttp.ClientError, OSError) as error:
            raise HttpBroken(type(error).__name__) from error
        if not data:
            raise StopAsyncIteration
        self._size += len(data)
        if self._size > self._limits.max_answer_bytes:
            raise HttpBroken("longer than max_answer_bytes")
        return data

    async def read(self) -> bytes:
        """Return the whole body; raises as `reads` does."""
        content = self._response.content
        parts: list[bytes] = []
        # Most bodies come in one read, together with their end.
        while not content.at_eof():
            try:
                parts.append(await self.__anext__())
            except StopAsyncIteration:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)
