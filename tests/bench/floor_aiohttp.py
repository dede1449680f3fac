"""The floor with aiohttp as its client: what is left of a request's cost when Gatehouse's own share is taken away.

Run as `python -m tests.bench.floor_aiohttp PORT UPSTREAM_PORT`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from tests.bench.floor import RELAYED, Answer, forwarder, serve


class AiohttpAnswer:
    """An answer read through aiohttp."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._content = response.content
        self.status = response.status
        self.headers = [(name.lower(), value) for name, value in response.raw_headers if name.lower() in RELAYED]

    @property
    def done(self) -> bool:
        return self._content.at_eof()

    async def reads(self) -> AsyncIterator[bytes]:
        while data := await self._content.readany():
            yield data


class AiohttpClient:
    """One session to one upstream on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._url = URL(f"http://127.0.0.1:{port}/v1/chat/completions", encoded=True)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(self, body: bytes) -> AsyncIterator[Answer]:
        session = self._session or self._open()
        async with session.post(self._url, data=body, headers={"content-type": "application/json"}) as response:
            yield AiohttpAnswer(response)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        """Open the session at the first request: aiohttp wants a running loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=600),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        return self._session


if __name__ == "__main__":
    serve(forwarder(AiohttpClient(int(sys.argv[2])).post), int(sys.argv[1]))
