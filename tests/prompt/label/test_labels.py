"""Labels stand for what their latest move says, a canary is drawn the same way every time, and a rollback goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, NotFound
from gateway.prompt.label.labels import BUCKETS, Change, Labels, Move, back, bucket, check, earlier

PROMPT = "support/triage"
FIRST = Move(seq=1, at=1, before=None, prompt=PROMPT, label="production", version="v1", by="os:ada", why="first")
CHANGE = Change(prompt=PROMPT, label="production", version="v1", by="os:ada", why="first")
CANARY = replace(FIRST, seq=2, canary="v2", percent=10)
KEYS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=12, max_size=12)


def history(*versions: str) -> list[Move]:
    """Return moves of one label; "v1+v2" is v1 beside a canary of v2."""
    moves = []
    for seq, text in enumerate(versions, 1):
        version, _, canary = text.partition("+")
        moves.append(replace(FIRST, seq=seq, version=version, canary=canary or None, percent=5 if canary else 0))
    return moves


def drawn(move: Move, key: str) -> str | None:
    return Labels([move]).version(PROMPT, "production", tenant="acme", caller=key)


def test_a_label_is_what_its_latest_move_says_in_whatever_order_they_come() -> None:
    moves = [*history("v1", "v2", "v3"), replace(FIRST, seq=4, label="staging", version="v4")]
    for order in (moves, moves[::-1]):
        labels = Labels(order)
        assert labels.version(PROMPT, "production", tenant="acme", caller="a") == "v3"
        assert labels.version(PROMPT, "staging", tenant="acme", caller="a") == "v4"
        assert {name: move.seq for name, move in labels.labels(PROMPT).items()} == {"production": 3, "staging": 4}
        assert labels.last == 4


def test_what_has_no_moves_is_no_label() -> None:
    assert Labels().last == 0
    for labels in (Labels(), Labels([FIRST])):
        assert labels.version("support/other", "production", tenant="acme", caller="a") is None
        assert labels.version(PROMPT, "staging", tenant="acme", caller="a") is None
        assert labels.labels("support/other") == {}


def test_a_snapshot_does_not_change_through_what_it_gave() -> None:
    labels = Labels([FIRST])
    labels.labels(PROMPT).clear()
    assert labels.labels(PROMPT) == {"production": FIRST}


@pytest.mark.parametrize(
    ("prompt", "label", "key", "expected"),
    [
        (PROMPT, "production", "acme", 792),
        (PROMPT, "production", "beta", 8495),
        (PROMPT, "staging", "acme", 5054),
        ("support/summary", "production", "acme", 3687),
    ],
)
def test_a_draw_never_changes_from_one_release_to_the_next(prompt: str, label: str, key: str, expected: int) -> None:
    """Or every caller would change sides when the software is updated."""
    assert bucket(prompt, label, key=key) == expected


@given(KEYS)
def test_whoever_has_the_canary_keeps_it_while_it_grows(key: str) -> None:
    sides = [drawn(replace(CANARY, percent=percent), key) for percent in range(101)]
    assert sides == sorted(sides, key=lambda side: side == "v2")
    assert (sides[0], sides[100]) == ("v1", "v2")


@pytest.mark.parametrize("percent", [1, 10, 50, 99])
def test_the_canary_goes_to_as_many_as_it_should(percent: int) -> None:
    got = sum(drawn(replace(CANARY, percent=percent), f"key-{number}") == "v2" for number in range(10_000))
    assert abs(got - percent * 100) < 200  # four standard deviations


def test_draws_for_two_labels_or_two_prompts_are_independent() -> None:
    def has(prompt: str, label: str, number: int) -> bool:
        return bucket(prompt, label, key=f"key-{number}") < BUCKETS // 2

    for other in ((PROMPT, "staging"), ("support/summary", "production")):
        both = sum(has(PROMPT, "production", number) and has(*other, number) for number in range(10_000))
        assert abs(both - 2500) < 200


def test_by_tenant_all_its_callers_are_on_one_side_by_caller_each_is_on_its_own() -> None:
    half = replace(CANARY, percent=50)
    tenants = Labels([replace(half, sticky="tenant")])
    for tenant in ("acme", "beta", "gamma", "delta", "epsilon"):
        sides = {tenants.version(PROMPT, "production", tenant=tenant, caller=f"key-{n}") for n in range(20)}
        assert len(sides) == 1
    assert {tenants.version(PROMPT, "production", tenant=f"t{n}", caller="a") for n in range(20)} == {"v1", "v2"}
    callers = Labels([replace(half, sticky="caller")])
    assert {callers.version(PROMPT, "production", tenant="acme", caller=f"key-{n}") for n in range(20)} == {"v1", "v2"}
    assert len({callers.version(PROMPT, "production", tenant=f"t{n}", caller="a") for n in range(20)}) == 1


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"prompt": "triage"}, "prompt"),
        ({"prompt": "support/Triage"}, "prompt"),
        ({"prompt": "a/b/c"}, "prompt"),
        ({"label": "v7"}, "label"),
        ({"label": "v007"}, "label"),
        ({"label": "draft"}, "label"),
        ({"label": ""}, "label"),
        ({"label": "x" * 65}, "label"),
        ({"version": "draft"}, "version"),
        ({"version": "production"}, "version"),
        ({"version": "v0"}, "version"),
        ({"canary": "v1", "percent": 5}, "canary"),
        ({"canary": "draft", "percent": 5}, "canary"),
        ({"canary": "v2", "percent": 101}, "percent"),
        ({"canary": "v2", "percent": -1}, "percent"),
        ({"percent": 5}, "percent"),
        ({"by": ""}, "by"),
        ({"by": "x" * 257}, "by"),
        ({"why": "x" * 1025}, "why"),
        ({"why": "nul \0"}, "why"),
        ({"why": "no text \udcff"}, "why"),
        ({"report": "x" * 257}, "report"),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_is_refused_by_its_field(wrong: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(replace(CHANGE, **wrong))  # type: ignore[arg-type]
    assert (caught.value.param, caught.value.code) == (param, "invalid_field")


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"label": "v7-candidate", "version": "v999999"},
        {"canary": "v2", "percent": 0},
        {"canary": "v2", "percent": 100, "sticky": "tenant"},
        {"why": "", "report": "reports/2026-11-24"},
        {"why": "Prüfung № 7\n" * 80, "report": ""},
    ],
    ids=str,
)
def test_a_change_that_can_be_passes(right: dict[str, object]) -> None:
    check(replace(CHANGE, **right))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moves", "versions"),
    [
        ([], ()),
        (["v1"], ()),
        (["v1", "v1"], ()),
        (["v1", "v2"], ("v1",)),
        (["v1", "v2", "v3"], ("v2", "v1")),
        (["v1", "v2", "v3", "v2"], ("v1", "v3")),  # a second rollback goes on, not forth
        (["v1", "v2", "v3", "v1"], ("v3", "v2")),
        (["v1", "v2", "v1", "v3"], ("v1", "v2")),
        (["v1", "v2", "v1", "v2"], ("v1",)),
        (["v1+v2"], ("v1",)),  # ends the canary
        (["v1", "v2", "v2+v3"], ("v2", "v1")),  # v3 was never the label's
        (["v1", "v1+v2", "v2"], ("v1",)),
    ],
)
def test_the_nearest_version_to_roll_back_to_comes_first(moves: Sequence[str], versions: tuple[str, ...]) -> None:
    assert earlier(history(*moves)) == versions


@given(st.lists(st.sampled_from(["v1", "v2", "v3", "v4", "v1+v2", "v2+v5"]), max_size=12))
def test_every_version_that_bore_the_label_can_be_rolled_back_to_and_no_other(moves: list[str]) -> None:
    told = history(*moves)
    versions = earlier(told)
    bore = {move.version for move in told}
    if told and told[-1].canary is None:
        bore.discard(told[-1].version)
    assert len(versions) == len(set(versions))
    assert set(versions) == bore


def test_a_rollback_goes_to_the_nearest_version_or_to_the_one_that_is_named() -> None:
    told = [*history("v1", "v2"), replace(FIRST, seq=3, version="v3", sticky="tenant", report="r")]
    assert back(told, None, by="os:bob", why="bad") == Change(
        prompt=PROMPT, label="production", version="v2", sticky="tenant", by="os:bob", why="bad"
    )
    assert back(told, "v1", by="os:bob", why="bad").version == "v1"


def test_a_rollback_ends_a_canary() -> None:
    change = back(history("v1", "v1+v2"), None, by="os:bob", why="bad")
    assert (change.version, change.canary, change.percent) == ("v1", None, 0)


def test_a_rollback_to_nowhere_is_refused() -> None:
    with pytest.raises(NotFound) as caught:
        back([], None, by="os:bob", why="bad")
    assert caught.value.code == "prompt_not_found"
    with pytest.raises(InvalidRequest, match="nothing to roll back to") as wrong:
        back(history("v1"), None, by="os:bob", why="bad")
    assert wrong.value.param == "label"
    for version in ("v3", "v9", "draft"):
        with pytest.raises(InvalidRequest, match="promote it instead") as wrong:
            back(history("v1", "v2", "v2+v3"), version, by="os:bob", why="bad")
        assert wrong.value.param == "version"
