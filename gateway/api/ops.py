"""/healthz, /readyz and /metrics: for probes, operators and Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.access import Access
from gateway.api.server import Draining
from gateway.errors import Forbidden

CHECK_DEADLINE = 2.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that we need: `ask` raises when it does not answer; without a `vital` one nothing can be served."""

    ask: Callable[[], Awaitable[object]]
    vital: bool


def ops_router(
    access: Access,
    *,
    checks: Mapping[str, Check],
    draining: Draining,
    metrics: Callable[[], Awaitable[bytes]],
    deadline: float = CHECK_DEADLINE,
) -> APIRouter:
    """Return the endpoints; each check of readiness may take `deadline` seconds."""
    router = APIRouter(tags=["operations"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Answer 200 as long as the process does."""
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        """Answer 200 when requests can be served, also when degraded; 503 when they cannot or while draining."""
        failed = await _failed(checks, deadline)
        vital = [name for name in failed if checks[name].vital]
        status = "draining" if draining.begun else "unavailable" if vital else "degraded" if failed else "ok"
        body: dict[str, object] = {"status": status}
        try:
            await access.operator(request)
            body["failing"] = failed
        except Forbidden:
            # A stranger learns the status, not the parts.
            pass
        return JSONResponse(body, status_code=503 if draining.begun or vital else 200)

    @router.get("/metrics")
    async def prometheus(request: Request) -> Response:
        """Answer in Prometheus' text format, summed over all workers."""
        await access.operator(request)
        return Response(await metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


async def _failed(checks: Mapping[str, Check], deadline: float) -> list[str]:
    async def fails(check: Check) -> bool:
        try:
            async with asyncio.timeout(deadline):
                await check.ask()
        except Exception:  # noqa: BLE001  # whatever it is that keeps a part from answering, it is not ready
            return True
        return False

    results = await asyncio.gather(*(fails(check) for check in checks.values()))
    return [name for name, failed in zip(checks, results, strict=True) if failed]
