"""A mixture of requests: the log tells of each what clients and the upstream saw, and every commitment opens."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.entry import End, Refused
from gateway.audit.vault.reader import Opened
from tests.e2e.door import ended_well
from tests.e2e.wire import Fake
from tests.fault.client import Seen
from tests.fault.mixed import Asked, ask_all, drawn
from tests.fault.places import House, fake_upstream, ledger
from tests.fault.recorded import Recorded, opened, recorded, verified

pytestmark = pytest.mark.xdist_group("mixed")

AT_ONCE = 2000
"""Requests between two looks at what the fake has served: it keeps the latest 10,000."""
KNOWN = {"acme", "narrow", "auditor"}
"""The keys whose caller is known; those of `narrow` and `auditor` may not ask for this model."""


def lived(house: House, fake: Fake, requests: int) -> tuple[list[tuple[Asked, Seen]], list[dict[str, Any]]]:
    """Serve so many requests, and return what clients saw and what the upstream says it served."""
    keys = {"acme": house.key("acme"), "narrow": house.key("narrow"), "auditor": house.key("acme", role="auditor")}
    keys |= {"": "", "unknown": keys["acme"][:-4] + "AAAA", "malformed": "sk-something"}
    asked = drawn(random.Random(requests), requests)  # noqa: S311  # what is asked
    seen, served = [], []
    with house.serving() as serving:
        while some := list(itertools.islice(asked, AT_ONCE)):
            seen += asyncio.run(ask_all(iter(some), serving.host, serving.port, keys=keys))
            served += ledger(fake)
        ended_well(serving.process, within=15)
    return seen, served


def wrong_answers(seen: list[tuple[Asked, Seen]], found: Recorded, payloads: dict[str, Opened]) -> Iterator[str]:
    """Say where the log tells another story than a client that stayed to the end saw."""
    for asked, each in seen:
        if each.left or not each.status:
            continue
        end = found.ends.get(each.id)
        if end is None:
            continue
        if (end.result == "complete") != each.complete:
            yield f"{each.id}: {end.result}, and the client saw {each.status} {bytes(each.body[-200:])!r}"
        elif each.status != 200 and (end.status, end.error) != (each.status, each.code):
            yield f"{each.id}: {end.status} {end.error}, and the client saw {each.status} {each.code}"
        elif each.id in payloads:
            yield from _wrong_parts(each, asked, payloads[each.id].parts)


def _wrong_parts(each: Seen, asked: Asked, parts: Any) -> Iterator[str]:
    if parts["received"] != asked.body:
        yield f"{each.id}: what was received is not what the client sent"
    if each.complete and parts["delivered"] != each.body:
        yield f"{each.id}: what was delivered is not what the client saw"


def wrong_dispatches(served: list[dict[str, Any]], found: Recorded) -> Iterator[str]:
    """Say where the log and the upstream's own record differ: each dispatch stands in both, once."""
    theirs = {each["id"].removeprefix("chatcmpl-"): each for each in served}
    if len(theirs) != len(served):
        yield "an exchange was dispatched twice"
    for exchange, end in found.ends.items():
        record = theirs.pop(exchange, None)
        if record is None:
            if end.attempts and not (end.result == "cancelled" and not end.attempts[0].status):
                yield f"{exchange}: {end.result}, dispatched by the log alone"
            continue
        yield from _wrong_dispatch(exchange, record, end)
    for exchange in theirs:
        yield f"{exchange}: dispatched, and not in the log"


def _wrong_dispatch(exchange: str, record: dict[str, Any], end: End) -> Iterator[str]:
    if end.attempts_total != 1:
        yield f"{exchange}: {end.attempts_total} attempts"
        return
    (tried,) = end.attempts
    if tried.model != record["model"] or (tried.status or 0) not in {record["status"], 0}:
        yield f"{exchange}: {tried}, and the upstream says {record}"
    if record["outcome"] == "aborted" and end.result not in {"cancelled", "failed"}:
        yield f"{exchange}: {end.result}, and the upstream saw it aborted"
    if end.result == "complete" and end.usage and end.usage.source == "upstream":
        counts = (end.usage.input_tokens, end.usage.output_tokens)
        if counts != (record["prompt_tokens"], record["completion_tokens"]):
            yield f"{exchange}: {counts}, and the upstream says {record}"


def wrong_refusals(seen: list[tuple[Asked, Seen]], served: list[dict[str, Any]], found: Recorded) -> Iterator[str]:
    """Say where what was refused before anything was dispatched is not counted, by its code, whoever asked."""
    dispatched = {each["id"].removeprefix("chatcmpl-") for each in served}
    told = Counter(each.code for _, each in seen if each.status >= 400 and not each.left and each.id not in dispatched)
    counts: Counter[str] = Counter()
    strangers = 0
    for entry in found.entries:
        if isinstance(entry, Refused):
            counts.update({each.code: each.count for each in entry.refusals})
            strangers += sum(each.count for each in entry.refusals if not each.tenant)
    counts.update(str(end.error) for end in found.ends.values() if not end.attempts and end.result == "refused")
    if counts != told:
        yield f"refused by the log: {counts}, told to clients: {told}"
    if strangers != sum(each.status == 401 for _, each in seen):
        yield f"{strangers} requests of nobody known"


def wrong_begins(seen: list[tuple[Asked, Seen]], found: Recorded) -> Iterator[str]:
    """Say where a known caller's request does not stand in the log once: as an exchange, or folded into a count of its equals."""
    known = [each for asked, each in seen if asked.key in KNOWN]
    answered = {each.id for each in known if each.status}
    folded = sum(each.count for entry in found.entries if isinstance(entry, Refused) for each in entry.refusals if each.tenant)
    if len(answered - found.begins.keys()) != folded:
        yield f"{len(answered - found.begins.keys())} answers have no begin, {folded} are counted"
    if not 0 <= len(found.begins.keys() - answered) <= sum(not each.status for each in known):
        yield "there are begins that nobody asked for"


def wrong(seen: list[tuple[Asked, Seen]], served: list[dict[str, Any]], found: Recorded) -> list[str]:
    """Return all that does not fit together, the first five of each kind."""
    payloads = opened(found)
    dispatched = {exchange for exchange, end in found.ends.items() if end.attempts}
    stories = (
        wrong_answers(seen, found, payloads),
        wrong_dispatches(served, found),
        wrong_refusals(seen, served, found),
        wrong_begins(seen, found),
        (f"{exchange}: no payload" for exchange in dispatched - payloads.keys()),
    )
    return [sentence for story in stories for sentence in itertools.islice(story, 5)]


@pytest.mark.parametrize(
    "requests", [pytest.param(2000, marks=pytest.mark.timeout(180)), pytest.param(20_000, marks=pytest.mark.fault)]
)
def test_the_log_tells_what_clients_and_the_upstream_saw(tmp_path: Path, requests: int) -> None:
    with fake_upstream(tmp_path) as fake:
        house = House(tmp_path, fake)
        seen, served = lived(house, fake, requests)
    found = recorded(house.store)
    assert len(seen) == requests
    assert wrong(seen, served, found) == []
    assert found.unended | found.abandoned == set()
    assert verified(house.store) == []
    results = Counter(end.result for end in found.ends.values())
    assert min(results[each] for each in ("complete", "failed", "cancelled", "refused")) > requests / 100, results
    assert {each.status for _, each in seen} >= {0, 200, 400, 401, 403, 404, 429, 502, 503}


def test_control_a_story_that_differs_is_found_out(tmp_path: Path) -> None:
    with fake_upstream(tmp_path) as fake:
        house = House(tmp_path, fake)
        seen, served = lived(house, fake, 200)
    found = recorded(house.store)
    assert wrong(seen, served, found) == []
    assert len(wrong(seen, served[1:], found)) >= 1
    assert len(wrong(seen, [*served, {**served[0], "id": "chatcmpl-another"}], found)) == 1
    assert len(wrong([each for each in seen if each[1].status != 401], served, found)) == 2
    whole = next(each for _, each in seen if each.complete)
    whole.body[5] ^= 1
    assert len(wrong(seen, served, found)) == 1
    whole.body[5] ^= 1
    del found.ends[whole.id]
    assert len(wrong(seen, served, found)) >= 1
