"""/v1/prompts: each role reads and changes what it may, every change is in the log, and errors name the field."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args

import pytest

from gateway.exchange.caller import Role
from tests.api.prompt_house import (
    JSON,
    PROMOTE,
    PUBLISH,
    ROLL_BACK,
    URL,
    WHY,
    Ask,
    Error,
    PromptHouse,
    answer,
    data,
    errors,
    get,
    post,
    replies,
)
from tests.asgi import Client
from tests.prompt.shelf import TRIAGE, prompty, put, seal

ROLES: tuple[Role, ...] = get_args(Role)


@pytest.fixture
def house(tmp_path: Path) -> PromptHouse:
    return PromptHouse(tmp_path)


RENDER = post(f"{URL}/render", {"version": "v1", "variables": {"ticket": "Hi"}})
MAY: dict[str, tuple[Ask, set[Role]]] = {
    "list": (get("/v1/prompts"), {"app", "prompt-engineer", "operator", "auditor"}),
    "show": (get(URL), {"app", "prompt-engineer", "operator", "auditor"}),
    "text": (get(f"{URL}?version=v1"), {"prompt-engineer", "operator"}),
    "contract": (get(f"{URL}/contract"), {"app", "prompt-engineer", "operator"}),
    "render": (RENDER, {"prompt-engineer", "operator"}),
    "promote": (PROMOTE, {"prompt-engineer"}),
    "history": (get(f"{URL}/history"), {"prompt-engineer", "operator", "auditor"}),
    "publish": (PUBLISH, {"prompt-engineer"}),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_is_its_own(tmp_path: Path, role: Role) -> None:
    asks = [ask for ask, _ in MAY.values()]
    for reply, (what, (_, may)) in zip(replies(PromptHouse(tmp_path, writable=True), *asks, role=role), MAY.items(), strict=True):
        if role in may:
            assert reply.status == 200, (what, reply.body)
        else:
            assert reply.error() == (403, "role_not_allowed", None), what


def test_engineers_and_operators_roll_back(house: PromptHouse) -> None:
    keys = {role: house.key(role) for role in ROLES}

    async def test(client: Client) -> None:
        for role in ROLES:
            client.key = keys["prompt-engineer"]
            assert (await PROMOTE(client)).status == 200
            client.key = keys[role]
            reply = await ROLL_BACK(client)
            if role in {"prompt-engineer", "operator"}:
                assert (reply.json()["before"], reply.json()["version"]) == ("v2", "v1")
            else:
                assert reply.error() == (403, "role_not_allowed", None)

    house.run(test)


def test_nobody_unknown_learns_anything(house: PromptHouse) -> None:
    async def test(client: Client) -> None:
        client.key = "gth_nobody"
        for ask, _ in MAY.values():
            assert (await ask(client)).error() == (401, "invalid_api_key", None)

    house.run(test)


def test_the_list_tells_labels_and_versions(house: PromptHouse) -> None:
    body = data(house, get("/v1/prompts"), role="operator")
    assert body["object"] == "list"
    (prompt,) = body["data"]
    assert prompt["id"] == TRIAGE
    assert [each["version"] for each in prompt["versions"]] == ["v1", "v2", "v3", "draft"]
    assert prompt["labels"] == [
        {"label": "production", "version": "v1", "canary": None, "percent": 0, "sticky": None, "seed": False}
    ]
    assert "text" not in prompt["versions"][0]


def test_an_app_sees_the_labels_that_it_may_use_and_no_versions(house: PromptHouse) -> None:
    body = data(house, get("/v1/prompts"), role="app")
    assert body["data"] == [
        {
            "id": TRIAGE,
            "labels": [{"label": "production", "version": "v1", "canary": None, "percent": 0, "sticky": None, "seed": False}],
            "versions": [],
        }
    ]


def test_a_prompt_of_a_route_that_an_app_may_not_use_is_unknown_to_it(house: PromptHouse) -> None:
    async def test(client: Client) -> None:
        assert (await client.get("/v1/prompts")).json()["data"] == []
        for path in (URL, f"{URL}/contract", f"{URL}/contract?version=v1"):
            assert (await client.get(path)).error()[:2] == (404, "prompt_not_found")

    house.run(test, role="app", tenant="beta")


def test_a_version_is_shown_with_its_text_and_schema(house: PromptHouse) -> None:
    texts = {"version=v2": "Sort and date", "label=production": "Sort", "version=draft": "All"}
    for text, reply in zip(
        texts.values(), replies(house, *(get(f"{URL}?{query}") for query in texts), role="operator"), strict=True
    ):
        shown = reply.json()
        assert shown["text"] == f"system:\nBe brief.\nuser:\n{text} {{{{ticket}}}}\n"
        assert (shown["schema"]["x-contract"], shown["route"]) == (1, "chat")


def test_the_contract_is_json_schema_of_the_version_that_a_call_would_use(house: PromptHouse) -> None:
    reply = answer(house, get(f"{URL}/contract?label=production"), role="app")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/schema+json"
    assert reply.headers["x-gatehouse-prompt"] == f"{TRIAGE}@v1"
    assert reply.json()["properties"] == {"ticket": {"type": "string"}}
    assert (reply.json()["x-contract"], reply.json()["additionalProperties"]) == (1, False)


UNKNOWN: dict[Role, list[tuple[str, Error]]] = {
    "app": [
        (f"{URL}/contract?version=v9", (404, "prompt_not_found", "version")),
        (f"{URL}/contract?label=nowhere", (404, "prompt_not_found", "label")),
        (f"{URL}/contract?version=draft", (404, "prompt_not_found", "version")),
        (f"{URL}/contract?version=v1&label=production", (400, "invalid_field", "label")),
        ("/v1/prompts/support/nothing/contract", (404, "prompt_not_found", "label")),
        ("/v1/prompts/support/nothing", (404, "prompt_not_found", "id")),
    ],
    "operator": [
        (f"{URL}/contract?version=draft", (404, "prompt_not_found", "version")),
        (f"{URL}?version=v9", (404, "prompt_not_found", "version")),
        (f"{URL}?label=nowhere", (404, "prompt_not_found", "label")),
        ("/v1/prompts/support/nothing", (404, "prompt_not_found", "id")),
        ("/v1/prompts/support/nothing/history", (404, "prompt_not_found", "id")),
        ("/v1/prompts/Support/Triage", (404, "prompt_not_found", "id")),
        ("/v1/prompts/support", (404, "not_found", None)),
    ],
}


@pytest.mark.parametrize("role", UNKNOWN)
def test_what_is_not_there_is_unknown(house: PromptHouse, role: Role) -> None:
    paths = [path for path, _ in UNKNOWN[role]]
    assert errors(house, *map(get, paths), role=role) == [error for _, error in UNKNOWN[role]]


def test_an_engineer_reads_the_contract_of_a_draft(house: PromptHouse) -> None:
    assert data(house, get(f"{URL}/contract?version=draft"))["x-contract"] == 1


def test_render_shows_messages_and_tokens(house: PromptHouse) -> None:
    shown = data(house, post(f"{URL}/render", {"label": "production", "variables": {"ticket": "it hangs <|im_end|>"}}))
    system, user = shown["messages"]
    assert system == {"message": {"role": "system", "content": "Be brief."}, "tokens": 3}
    assert user["message"]["content"].startswith("Sort it hangs <")
    assert (shown["version"], shown["label"], shown["neutralised"]) == (f"{TRIAGE}@v1", "production", 1)
    assert (shown["exact"], shown["counted_by"], shown["route"]) == (True, "fake", "chat")


SAID = [{"role": "user", "content": "Hi"}]
NOT_RENDERED: list[tuple[Any, Error]] = [
    ({"version": "v1", "label": "production"}, (400, "invalid_field", "label")),
    ({"version": "v9"}, (404, "prompt_not_found", "version")),
    ({"label": "nowhere"}, (404, "prompt_not_found", "label")),
    ({"version": "v1"}, (400, "prompt_variables_invalid", "/prompt/variables/ticket")),
    ({"version": "v1", "variables": {"ticket": None}}, (400, "prompt_variables_invalid", "/prompt/variables/ticket")),
    ({"version": "v1", "variables": []}, (400, "invalid_field", "prompt.variables")),
    ({"version": "v1", "variables": {"ticket": ""}, "messages": SAID}, (400, "invalid_field", "messages")),
    ({"version": "v1", "variables": {"ticket": ""}, "messages": [{"role": "x"}]}, (400, "invalid_field", "messages[0].role")),
    ({"version": "v1", "variables": {"ticket": ""}, "model": "other"}, (400, "invalid_field", "model")),
    ({"version": 1}, (400, "invalid_field", "version")),
    ({"versions": "v1"}, (400, "unsupported_field", "versions")),
    ({"version": "v1", "variables": {"ticket": "x" * 40_000}}, (400, "context_length_exceeded", "/prompt/variables")),
]


def test_what_cannot_be_rendered_names_the_field(house: PromptHouse) -> None:
    asks = [post(f"{URL}/render", body) for body, _ in NOT_RENDERED]
    assert errors(house, *asks) == [error for _, error in NOT_RENDERED]


def test_a_prompt_without_a_route_is_rendered_for_one_that_is_there(tmp_path: Path) -> None:
    house = PromptHouse(tmp_path)
    put(house.folder, f"{TRIAGE}/v4.prompty", prompty().replace("{id: chat, apiType: chat}", "{apiType: chat}"))
    seal(house.folder)
    fields = {"version": "v4", "variables": {"ticket": "x"}}

    async def test(client: Client) -> None:
        await asyncio.to_thread(house.live.watch.reload)
        path = f"{URL}/render"
        assert (await client.post(path, fields, **JSON)).error() == (400, "invalid_field", "model")
        assert (await client.post(path, {**fields, "model": "nowhere"}, **JSON)).error() == (404, "model_not_found", "model")
        assert (await client.post(path, {**fields, "model": "chat"}, **JSON)).json()["route"] == "chat"

    house.run(test)


def test_a_change_that_a_form_could_send_is_refused(tmp_path: Path) -> None:
    house = PromptHouse(tmp_path, writable=True)
    found = errors(
        house,
        lambda client: client.post(f"{URL}/labels/production", {"version": "v2", **WHY}),
        lambda client: client.post(f"{URL}/labels/production/rollback", WHY, content_type="text/plain"),
        lambda client: client.post(f"{URL}/publish", {}, content_type="application/x-www-form-urlencoded"),
        lambda client: client.post(f"{URL}/render", {}, content_type="text/plain"),
    )
    assert found == [(400, "invalid_field", "content-type")] * 4
    assert [each["by"] for each in house.entered()] == ["seed"]


def test_the_openapi_document_describes_the_endpoints(house: PromptHouse) -> None:
    documents: list[Any] = []

    async def test(client: Client) -> None:
        documents.append((await client.get("/openapi.json")).json())

    house.run(test)
    paths = documents[0]["paths"]
    base = "/v1/prompts/{namespace}/{name}"
    assert {path: set(methods) for path, methods in paths.items() if path.startswith("/v1/prompts")} == {
        "/v1/prompts": {"get"},
        base: {"get"},
        f"{base}/contract": {"get"},
        f"{base}/render": {"post"},
        f"{base}/history": {"get"},
        f"{base}/labels/{{label}}": {"post"},
        f"{base}/labels/{{label}}/rollback": {"post"},
        f"{base}/publish": {"post"},
    }
    body = paths[f"{base}/labels/{{label}}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["required"]) == {"version", "why"}
    assert set(body["properties"]) == {"version", "why", "percent", "sticky", "report", "expected"}
