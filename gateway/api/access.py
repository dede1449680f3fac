"""Who may see what at the edge: callers by key, and operators or the machine itself for what only they should see."""

from __future__ import annotations

import ipaddress

from fastapi import Request

from gateway.api.incoming import Incoming, read_headers
from gateway.caller.callers import Callers
from gateway.errors import Forbidden, Unauthenticated
from gateway.exchange.caller import Caller


class Access:
    """Answers who a request to the control plane comes from."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def caller(self, request: Request) -> Caller:
        """Return the caller; raises `Unauthenticated`."""
        headers = read_headers(request.scope["headers"])
        return await self._callers.identify(Incoming("", headers, request.receive, 0).credential)

    async def operator(self, request: Request) -> None:
        """Return when the request comes from this machine itself or with an operator's key; raises `Forbidden` otherwise.

        A request that a proxy passed on does not count as this machine's own.
        """
        headers = read_headers(request.scope["headers"])
        forwarded = b"x-forwarded-for" in headers or b"forwarded" in headers
        if not forwarded and request.client is not None and _is_loopback(request.client.host):
            return
        try:
            caller = await self.caller(request)
        except Unauthenticated:
            caller = None
        if caller is None or caller.role != "operator":
            raise Forbidden("Only operators may see this.", code="role_not_allowed")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
