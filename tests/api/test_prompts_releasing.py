"""/v1/prompts: labels are moved and drafts published, and what cannot be done names the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.prompt_house import JSON, PROMOTE, PUBLISH, URL, WHY, Error, PromptHouse, answer, data, errors, get, post
from tests.asgi import Client
from tests.prompt.shelf import TRIAGE, prompty, put


@pytest.fixture
def house(tmp_path: Path) -> PromptHouse:
    return PromptHouse(tmp_path)


def test_a_promotion_is_made_entered_and_followed(house: PromptHouse) -> None:
    key = house.key("prompt-engineer")

    async def test(client: Client) -> None:
        client.key = key
        reply = await client.post(f"{URL}/labels/production", {"version": "v2", "report": "eval-17", **WHY}, **JSON)
        assert reply.status == 200, reply.body
        moved = reply.json()
        assert (moved["before"], moved["version"], moved["why"], moved["report"]) == ("v1", "v2", WHY["why"], "eval-17")
        assert moved["by"] == key[4:16]
        await house.standing("production", "v2")

    house.run(test)
    seed, moved = house.entered()
    assert (seed["by"], moved["by"], moved["from"], moved["version"]) == ("seed", key[4:16], "v1", "v2")


def test_a_canary_runs_beside_the_version_that_the_label_has(house: PromptHouse) -> None:
    moved = data(house, post(f"{URL}/labels/production", {"version": "v2", "percent": 10, "sticky": "tenant", **WHY}))
    assert (moved["version"], moved["canary"], moved["percent"], moved["sticky"]) == ("v1", "v2", 10, "tenant")


NOT_PROMOTED: list[tuple[Any, Error]] = [
    ({"version": "v2"}, (400, "invalid_field", "why")),
    ({"version": "v2", "why": " "}, (400, "invalid_field", "why")),
    ({"version": "v2", "why": "x" * 1025}, (400, "invalid_field", "why")),
    (WHY, (400, "invalid_field", "version")),
    ({"version": "draft", **WHY}, (404, "prompt_not_found", "version")),
    ({"version": "v9", **WHY}, (404, "prompt_not_found", "version")),
    ({"version": "v2", "percent": 101, **WHY}, (400, "invalid_field", "percent")),
    ({"version": "v2", "percent": "10", **WHY}, (400, "invalid_field", "percent")),
    ({"version": "v1", "percent": 10, **WHY}, (400, "invalid_field", "canary")),
    ({"version": "v2", "sticky": "user", **WHY}, (400, "invalid_field", "sticky")),
    ({"version": "v2", "by": "somebody", **WHY}, (400, "unsupported_field", "by")),
    ({"version": "v2", "expected": "v3", **WHY}, (409, "label_moved", None)),
    ({"version": "v2", "expected": None, **WHY}, (409, "label_moved", None)),
    ({"version": "v2", "percent": 5, "expected": "v3", **WHY}, (409, "label_moved", None)),
]


def test_a_promotion_that_cannot_be_made_names_the_field_and_moves_nothing(house: PromptHouse) -> None:
    asks = [post(f"{URL}/labels/production", body) for body, _ in NOT_PROMOTED]
    assert errors(house, *asks) == [error for _, error in NOT_PROMOTED]
    assert [each["by"] for each in house.entered()] == ["seed"]


def test_a_label_that_is_none_is_refused(house: PromptHouse) -> None:
    asks = [post(f"{URL}/labels/{label}", {"version": "v2", **WHY}) for label in ("v7", "draft", "Prod")]
    assert errors(house, *asks) == [(400, "invalid_field", "label")] * 3


def test_whoever_expects_what_is_so_moves_it(house: PromptHouse) -> None:
    moved = data(
        house,
        post(f"{URL}/labels/production", {"version": "v2", "expected": "v1", **WHY}),
        post(f"{URL}/labels/next", {"version": "v3", "expected": None, **WHY}),
        post(f"{URL}/labels/production/rollback", {"expected": "v2", **WHY}),
    )
    assert (moved["label"], moved["before"], moved["version"]) == ("production", "v2", "v1")


NOT_ROLLED_BACK: list[tuple[Any, Error]] = [
    ({}, (400, "invalid_field", "why")),
    ({"why": ""}, (400, "invalid_field", "why")),
    (WHY, (400, "invalid_field", "label")),
    ({"to": "v3", **WHY}, (400, "invalid_field", "label")),
    ({"expected": "v9", "to": "v1", **WHY}, (400, "invalid_field", "label")),
]


def test_a_rollback_that_cannot_be_made_names_the_field(house: PromptHouse) -> None:
    asks = [post(f"{URL}/labels/production/rollback", body) for body, _ in NOT_ROLLED_BACK]
    assert errors(house, *asks) == [error for _, error in NOT_ROLLED_BACK]


def test_a_rollback_of_a_label_that_is_not_there_is_unknown(house: PromptHouse) -> None:
    assert answer(house, post(f"{URL}/labels/next/rollback", WHY)).error() == (404, "prompt_not_found", "label")


def test_a_rollback_to_what_it_never_was_is_refused(house: PromptHouse) -> None:
    reply = answer(house, PROMOTE, post(f"{URL}/labels/production/rollback", {"to": "v3", **WHY}))
    assert reply.error() == (400, "invalid_field", "version")


def test_a_rollback_of_what_somebody_else_has_moved_is_a_conflict(house: PromptHouse) -> None:
    reply = answer(house, PROMOTE, post(f"{URL}/labels/production/rollback", {"expected": "v3", **WHY}))
    assert reply.error() == (409, "label_moved", None)


def test_the_history_is_the_latest_first_and_may_be_one_label_s(house: PromptHouse) -> None:
    other = post(f"{URL}/labels/next", {"version": "v3", **WHY})
    body = data(house, PROMOTE, other, get(f"{URL}/history"))
    assert [(each["label"], each["version"], each["seq"]) for each in body["data"]] == [
        ("next", "v3", 3), ("production", "v2", 2), ("production", "v1", 1)
    ]  # fmt: skip
    assert body["object"] == "list"


def test_the_history_of_one_label_is_its_own(house: PromptHouse) -> None:
    assert [each["label"] for each in data(house, PROMOTE, get(f"{URL}/history?label=production"))["data"]] == ["production"] * 2


def test_what_can_be_no_label_is_unknown_without_asking_the_database(house: PromptHouse) -> None:
    asks = [get(f"{URL}/history?label={label}") for label in ("v7", "%00", "%ff", "a" * 65)]
    asks += [post(f"{URL}/labels/{label}/rollback", WHY) for label in ("v7", "\0", "\ud7ff")]
    assert errors(house, *asks) == [(404, "prompt_not_found", "label")] * 7


def test_a_prompt_whose_label_was_never_moved_has_an_empty_history(house: PromptHouse) -> None:
    assert data(house, get(f"{URL}/history?label=next"), role="auditor")["data"] == []


def test_publishing_makes_a_version_that_is_there_at_once(tmp_path: Path) -> None:
    house = PromptHouse(tmp_path, writable=True)
    published: list[Any] = []

    async def test(client: Client) -> None:
        published.append((await PUBLISH(client)).json())
        assert (await client.get(f"{URL}?version=v4")).json()["digest"] == published[0]["digest"]
        assert (await client.post(f"{URL}/labels/production", {"version": "v4", **WHY}, **JSON)).status == 200

    house.run(test)
    assert (published[0]["name"], published[0]["file"]) == ("v4", f"{TRIAGE}/v4.prompty")


def test_nothing_is_published_where_the_settings_forbid_it(house: PromptHouse) -> None:
    assert answer(house, PUBLISH).error() == (403, "role_not_allowed", None)
    assert not (house.folder / TRIAGE / "v4.prompty").exists()


@pytest.mark.parametrize(
    ("draft", "error"),
    [
        (None, (404, "prompt_not_found", "prompt")),
        (prompty("{{tickett}}"), (400, "invalid_field", "id")),
        (prompty("Sort and sign {{ticket}}"), (400, "invalid_field", "prompt")),
        (prompty("{{other}}", inputs=("other",)), (409, "prompt_contract_mismatch", "prompt")),
    ],
)
def test_a_draft_that_is_not_ready_is_not_published(tmp_path: Path, draft: str | None, error: tuple[Any, ...]) -> None:
    house = PromptHouse(tmp_path, writable=True)
    (house.folder / TRIAGE / "draft.prompty").unlink()
    if draft is not None:
        put(house.folder, f"{TRIAGE}/draft.prompty", draft)
    assert answer(house, PUBLISH).error() == error
