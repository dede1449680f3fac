"""kill -9 of a whole gateway under load: what a client holds completely stands in the log, whatever the moment."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.audit.entry import Config, Genesis
from tests.e2e.door import ended_well
from tests.e2e.process import GATEHOUSE
from tests.e2e.settings import MODEL
from tests.fault.client import Line, Seen, chat
from tests.fault.places import House, Serving, fake_upstream
from tests.fault.recorded import opened, recorded, verified

pytestmark = pytest.mark.xdist_group("kills")

CLIENTS = 16
MOST = 150
"""Complete answers before a kill, at most: less than half a second."""
SERVE = (GATEHOUSE, "serve")
LATE = (sys.executable, "-m", "tests.fault.late")


async def load(serving: Serving, key: str, *, number: int) -> list[Seen]:
    """Let clients ask, kill the gateway at a moment drawn by `number`, and return the answers that they hold completely."""
    chance = random.Random(number)  # noqa: S311  # when to kill
    enough, most = asyncio.Event(), chance.randint(1, MOST)
    complete: list[Seen] = []

    async def client(name: int) -> None:
        line = Line(serving.host, serving.port)
        stream = name % 2 == 0
        for count in itertools.count():
            seen = await line.ask(chat(MODEL, f"Round {number}, client {name}, {count}.", stream=stream), key=key, stream=stream)
            if seen.complete:
                complete.append(seen)
            if len(complete) >= most:
                enough.set()
            if not seen.whole:
                break  # killed
            assert seen.status == 200, seen.body
        line.close()

    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(client(name)) for name in range(CLIENTS)]
        await enough.wait()
        await asyncio.sleep(chance.random() / 50)  # at any point of a commit, not only just after an answer
        serving.process.kill()
    assert all(each.done() for each in clients)
    return complete


def kill_often(house: House, kills: int, *, command: Sequence[str] = SERVE) -> list[Seen]:
    """Start and kill a gateway so often, then start it once more and end it well; return all complete answers."""
    key = house.key("acme")
    complete: list[Seen] = []
    for number in range(kills):
        with house.serving(command) as serving:
            complete += asyncio.run(load(serving, key, number=number))
            assert serving.process.wait(within=10) == -9
    with house.serving() as serving:
        ended_well(serving.process, within=15)
    return complete


@pytest.mark.parametrize("kills", [pytest.param(20, marks=pytest.mark.timeout(240)), pytest.param(400, marks=pytest.mark.fault)])
def test_every_answer_that_a_client_holds_has_its_end(tmp_path: Path, kills: int) -> None:
    with fake_upstream(tmp_path) as fake:
        house = House(tmp_path, fake)
        complete = kill_often(house, kills)
    found = recorded(house.store)
    assert len(complete) > kills
    assert len({each.id for each in complete}) == len(complete)
    assert found.lost(complete) == []
    assert found.unended == set()
    assert found.abandoned, "kills met exchanges that were under way"
    assert len(found.begins) == len(found.ends) + len(found.abandoned)
    assert [type(each) for each in found.entries].count(Genesis) == 1
    assert [each.clean for each in found.entries if isinstance(each, Config)] == [True] + [False] * kills
    assert verified(house.store) == []
    payloads = opened(found)
    assert [each.id for each in complete if payloads[each.id].parts["delivered"] != each.body] == []
    assert [each.id for each in complete if payloads[each.id].parts["received"] != each.sent] == []


@pytest.mark.timeout(240)
def test_control_acknowledging_before_the_commit_is_found_out(tmp_path: Path) -> None:
    with fake_upstream(tmp_path) as fake:
        house = House(tmp_path, fake)
        complete = kill_often(house, 4, command=LATE)
    assert recorded(house.store).lost(complete) != []
