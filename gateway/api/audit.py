"""GET /v1/audit: the log for auditors, and its entries for operators (`gateway.audit.search.rights`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import Access
from gateway.audit.log import AuditLog
from gateway.audit.reader import ReadError
from gateway.audit.search.archive import LIMIT, MOST, Archive, Behind, Page, Record
from gateway.audit.search.filters import Filters, Kind, Outcome, Place, cursor, moment, prompt
from gateway.audit.search.plaintext import access_to, open_parts
from gateway.audit.search.rights import View, check_plaintext, view_of
from gateway.audit.search.shown import ShownExchange, ShownPayload, shown, shown_payload
from gateway.audit.vault.errors import PayloadError
from gateway.audit.vault.reader import PayloadReader
from gateway.errors import InvalidRequest, NotFound, Unavailable

THREADS: Final = 2
"""Reads at a time; they have threads of their own, so that no search keeps an exchange's work waiting."""
MOST_WAITING: Final = 16
PATIENCE: Final = 65_536
"""Entries that one request takes into a search index that is behind; a search that finds more goes on with the next request."""
RETRY_AFTER: Final = 1.0

T = TypeVar("T")


class AuditQuery(BaseModel):
    """What is searched for; `since` and `until` are times of ISO 8601, or how long ago ("7d").

    `prompt` is a prompt's id or a version of it ("support/triage", "support/triage@v7").
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind = "exchange"
    tenant: str | None = None
    app: str | None = None
    route: str | None = None
    prompt: str | None = None
    outcome: Outcome | None = None
    since: str | None = None
    until: str | None = None
    after: str | None = None
    limit: int = Field(default=LIMIT, ge=1, le=MOST)


class Reads:
    """Work that waits for the disk, a few at a time and not too much of it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gatehouse-audit-read")
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in a thread; raises `Unavailable` where too much waits, or where the log cannot be read."""
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Too many searches at a time. Try again.", retry_after=RETRY_AFTER, reason="audit: searches")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except Behind:
            raise Unavailable(
                "The search index is being built. Try again.", code="audit_unavailable", retry_after=RETRY_AFTER
            ) from None
        except ReadError as error:
            raise Unavailable(
                "The log cannot be read.", code="audit_unavailable", retry_after=RETRY_AFTER, reason="audit: cannot be read"
            ) from error
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads, each after what it does now."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def audit_router(access: Access, archive: Archive, *, log: AuditLog, payloads: PayloadReader, reads: Reads) -> APIRouter:
    """Return the endpoints. What a key may not see is as unknown as what is not there; another role is 403."""
    router = APIRouter(tags=["audit"], prefix="/v1/audit")

    async def record_of(exchange_id: str, view: View) -> Record:
        record = await reads.run(lambda: archive.record(exchange_id, view))
        if record is None:
            raise NotFound("There is no such exchange.", param="id")
        return record

    @router.get("")
    async def search(request: Request, query: Annotated[AuditQuery, Query()]) -> Page:
        """List exchanges, the latest first, or the entries of another kind."""
        view = view_of(await access.caller(request))
        filters, after = _filters(query), _after(query)
        return await reads.run(lambda: archive.search(filters, view, after=after, limit=query.limit))

    @router.get("/{exchange_id}")
    async def show(exchange_id: str, request: Request) -> ShownExchange:
        """Return one exchange with its entries."""
        view = view_of(await access.caller(request))
        return shown(await record_of(exchange_id, view))

    @router.get("/{exchange_id}/payload")
    async def payload(exchange_id: str, request: Request, *, response: Response, reason: str = "") -> ShownPayload:
        """Return the plaintext of an exchange's payload; who reads it and why is in the log before it is opened."""
        view = view_of(await access.caller(request))
        check_plaintext(view)
        record = await record_of(exchange_id, view)
        await log.append(access_to(record, view, reason=reason, moment=log.clock.now()))
        try:
            parts = await reads.run(lambda: open_parts(record, payloads))
        except PayloadError as error:
            raise NotFound("The payload of this exchange cannot be opened: it is erased, missing or damaged.") from error
        response.headers["cache-control"] = "no-store"
        return shown_payload(record, parts)

    return router


def _filters(query: AuditQuery) -> Filters:
    now = time.time()
    used = (None, None) if query.prompt is None else prompt(query.prompt)
    if used is None:
        raise InvalidRequest("Write a prompt's id, or a version of it such as 'support/triage@v7'.", param="prompt")
    return Filters(
        kind=query.kind,
        tenant=query.tenant,
        app=query.app,
        route=query.route,
        outcome=query.outcome,
        since=_moment(query.since, "since", now),
        until=_moment(query.until, "until", now),
        prompt=used[0],
        version=used[1],
    )


def _moment(text: str | None, param: str, now: float) -> int | None:
    found = None if text is None else moment(text, now=now)
    if text is not None and found is None:
        raise InvalidRequest('Write a day or a time such as "2026-11-24T12:00:00Z", or how long ago, such as "7d".', param=param)
    return found


def _after(query: AuditQuery) -> Place | None:
    place = None if query.after is None else cursor(query.after)
    if query.after is not None and place is None:
        raise InvalidRequest("Give the 'next' of the page before.", param="after")
    return place
