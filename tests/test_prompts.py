"""Prompts through the whole gateway: both forms of a call, refusals, and labels that move while callers go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from gateway.audit.entry import Begin, End, Entry, LabelMove, Payload, PromptUsed
from gateway.audit.vault.keyring import read_keyring
from gateway.audit.vault.reader import PayloadReader
from gateway.prompt.label.labels import Change
from gateway.prompt.library.loading import load_library
from gateway.prompt.live import LivePrompts
from tests.asgi import Client
from tests.audit.logs import entries_in
from tests.gatehouse import Gatehouse
from tests.prompt.shelf import put, seal

PATH = "/v1/chat/completions"
ID = "support/triage"
CLIENTS = 64
MOVES = 100


def text(version: str) -> str:
    """Return a version of a prompt whose every message says which version it is of."""
    return (
        "---\nmetadata: {gateway: {contract: 2}}\nmodel: {id: chat}\n"
        "inputs: [{name: ticket, kind: string}, {name: lines, kind: array, items: {kind: string}, default: []}]\n---\n"
        f"system:\nBe brief. {version}\nuser:\n{{{{ticket}}}} {version}\n"
        f"{{% for line in lines %}}\nassistant:\n{{{{line}}}} {version}\n{{% endfor %}}\nuser:\nGo on. {version}\n"
    )


def shelf(folder: Path) -> Gatehouse:
    prompts = folder / "prompts"
    for name in ("v1", "v2", "draft"):
        put(prompts, f"{ID}/{name}.prompty", text(name))
    put(prompts, f"{ID}/labels.yaml", "production: v1\n")
    seal(prompts)
    assert load_library(prompts).problems == ()
    return Gatehouse(folder)


def asked(variables: Any = UNSET, **fields: Any) -> dict[str, Any]:
    given = {"ticket": "It burns."} if variables is UNSET else variables
    return {"model": f"prompt/{ID}", "prompt": {"variables": given}, **fields}


def used_in(begin: Begin) -> PromptUsed:
    assert isinstance(begin.prompt, PromptUsed)
    return begin.prompt


def run(gatehouse: Gatehouse, test: Callable[[Client], Awaitable[None]]) -> list[Entry]:
    gatehouse.run(test)
    return entries_in(gatehouse.settings.store.path / "log" / "0")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_prompt_is_answered_and_the_log_names_its_version(tmp_path: Path, stream: bool) -> None:
    gatehouse = shelf(tmp_path)

    async def test(client: Client) -> None:
        first = await client.post(PATH, asked(stream=stream))
        assert first.status == 200
        assert first.headers["x-gatehouse-prompt"] == f"{ID}@v1"
        assert first.headers["x-gatehouse-route"] == "chat"
        second = await client.post(PATH, {"model": "chat", "prompt": {"id": ID, "version": "v2", "variables": {"ticket": "x"}}})
        assert second.headers["x-gatehouse-prompt"] == f"{ID}@v2"
        assert (await client.post(PATH, asked(model=f"prompt/{ID}@v2"))).status == 200

    found = run(gatehouse, test)
    library = load_library(tmp_path / "prompts")
    used = [used_in(each) for each in found if isinstance(each, Begin)]
    assert [(each.id, each.version, each.label, each.contract) for each in used] == [
        (ID, "v1", "production", 2),
        (ID, "v2", UNSET, 2),
        (ID, "v2", UNSET, 2),
    ]
    versions = [library.get(ID, each.version) for each in used]
    assert [each.digest for each in versions if each is not None] == [each.digest for each in used]


def test_labels_yaml_is_where_a_label_begins_and_the_log_says_so(tmp_path: Path) -> None:
    gatehouse = shelf(tmp_path)

    async def test(_client: Client) -> None:
        await asyncio.sleep(0)

    for _ in range(2):  # the second time there is a history
        found = run(gatehouse, test)
    moves = [each for each in found if isinstance(each, LabelMove)]
    assert [(each.label, each.before, each.version, each.by) for each in moves] == [("production", UNSET, "v1", "seed")]


@pytest.mark.parametrize(
    ("variables", "pointer"),
    [
        ({}, "/prompt/variables/ticket"),
        ({"ticket": None}, "/prompt/variables/ticket"),
        ({"ticket": 7}, "/prompt/variables/ticket"),
        ({"ticket": "SENTINEL", "lines": ["SENTINEL", 5]}, "/prompt/variables/lines/1"),
        ({"ticket": "SENTINEL", "SENTINEL": "SENTINEL"}, "/prompt/variables/?"),
    ],
    ids=["missing", "null", "type", "item", "extra"],
)
def test_variables_that_do_not_fit_reach_no_upstream_and_are_entered(tmp_path: Path, variables: Any, pointer: str) -> None:
    gatehouse = shelf(tmp_path)

    async def test(client: Client) -> None:
        answer = await client.post(PATH, asked(variables))
        error = answer.json()["error"]
        assert (answer.status, error["code"], error["param"]) == (400, "prompt_variables_invalid", pointer)
        assert "contract" in error["message"]
        assert "SENTINEL" not in str(error)
        assert gatehouse.served == ()

    found = run(gatehouse, test)
    (begin,) = [each for each in found if isinstance(each, Begin)]
    (end,) = [each for each in found if isinstance(each, End)]
    assert (end.result, end.error, end.status, end.attempts_total) == ("refused", "prompt_variables_invalid", 400, 0)
    assert (used_in(begin).id, used_in(begin).version, begin.tenant) == (ID, "v1", "acme")


@pytest.mark.parametrize(
    ("fields", "headers", "status", "code"),
    [
        ({"model": "prompt/support/none"}, {}, 404, "prompt_not_found"),
        ({"model": f"prompt/{ID}@draft"}, {}, 404, "prompt_not_found"),
        ({"prompt": {"version": "v1", "label": "production"}}, {}, 400, "invalid_field"),
        ({}, {"x-contract": "1"}, 409, "prompt_contract_mismatch"),
        ({"messages": [{"role": "user", "content": "hi"}]}, {}, 400, "invalid_field"),
    ],
)
def test_a_call_that_cannot_be_answered_says_why(
    tmp_path: Path, fields: dict[str, Any], headers: dict[str, str], status: int, code: str
) -> None:
    gatehouse = shelf(tmp_path)

    async def test(client: Client) -> None:
        answer = await client.post(PATH, asked(**fields), **headers)
        assert (answer.status, answer.json()["error"]["code"]) == (status, code)
        assert gatehouse.served == ()

    run(gatehouse, test)


def test_a_draft_is_answered_to_prompt_engineers(tmp_path: Path) -> None:
    gatehouse = shelf(tmp_path)
    engineer = gatehouse.key("acme", role="prompt-engineer")

    async def test(client: Client) -> None:
        answer = await client.post(PATH, asked(model=f"prompt/{ID}@draft"), authorization=f"Bearer {engineer}")
        assert (answer.status, answer.headers["x-gatehouse-prompt"]) == (200, f"{ID}@draft")

    run(gatehouse, test)


def test_a_bad_file_degrades_readiness_and_nothing_else(tmp_path: Path) -> None:
    gatehouse = shelf(tmp_path)
    put(tmp_path / "prompts", "support/broken/draft.prompty", "---\nmodel: {id: chat, unknown: 1}\n---\nuser:\nhi\n")

    async def test(client: Client) -> None:
        ready = await client.get("/readyz")
        assert (ready.status, ready.json()) == (200, {"status": "degraded", "failing": ["prompts"]})
        assert (await client.post(PATH, asked())).status == 200

    run(gatehouse, test)
    (line,) = gatehouse.lines("prompt_problem")
    assert (line["file"], line["line"]) == ("support/broken/draft.prompty", 2)


def move(live: LivePrompts, number: int) -> None:
    """Promote v2, or roll back to v1, in turn."""
    assert live.enter is not None
    if number % 2:
        live.table.rollback(ID, "production", by="os:ada", why="back", enter=live.enter)
    else:
        live.table.move(Change(prompt=ID, label="production", version="v2", by="os:ada", why="on"), enter=live.enter)
    live.following.nudge()


def test_labels_move_under_load_and_no_exchange_sees_two_versions(tmp_path: Path) -> None:
    """64 clients, 100 promotions and rollbacks: nothing fails, and each begin names the version whose messages were sent."""
    gatehouse = shelf(tmp_path)
    seen: dict[str, int] = {}

    async def test(client: Client) -> None:
        moved = asyncio.Event()

        async def ask(number: int) -> None:
            while not moved.is_set():
                answer = await client.post(PATH, asked({"ticket": f"t{number}", "lines": ["a", "b"]}, max_tokens=5))
                assert answer.status == 200
                version = answer.headers["x-gatehouse-prompt"]
                seen[version] = seen.get(version, 0) + 1

        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(ask(number))
            for number in range(MOVES):
                await asyncio.to_thread(move, gatehouse.application._prompts, number)
            moved.set()

    found = run(gatehouse, test)
    assert set(seen) == {f"{ID}@v1", f"{ID}@v2"}
    assert sum(isinstance(each, LabelMove) for each in found) == MOVES + 1
    ends = {each.id: each for each in found if isinstance(each, End)}
    begins = [each for each in found if isinstance(each, Begin)]
    assert len(begins) == len(ends) == sum(seen.values())
    digests = {version.name: version.digest for version in load_library(tmp_path / "prompts").versions(ID)}
    store = gatehouse.settings.store.path
    with closing(read_keyring(store)) as keyring:
        reader = PayloadReader(store, keyring)
        for begin in begins:
            payload = ends[begin.id].payload
            assert isinstance(payload, Payload)
            sent = reader.open_payload(begin.id, payload, tenant="acme", slot="0").parts["sent/1"]
            contents = [message["content"] for message in msgspec.json.decode(sent)["messages"]]
            assert {content.rpartition(" ")[2] for content in contents} == {used_in(begin).version}
            assert len(contents) == 5
            assert used_in(begin).digest == digests[used_in(begin).version]
