"""What prompts leave in the log holds what it should, and no more of what was left out than an entry can."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import pytest

from gateway.audit.canonical import decode, encode
from gateway.audit.clock import Moment
from gateway.audit.entry import LabelMove
from gateway.audit.prompts import label_move, prompt_used
from tests.audit.entries import AT, HASH, begin, exchange_id


@dataclass(frozen=True)
class LeftOut:
    """As the fitting of prompts tells it."""

    input: str
    items: int
    tokens: int


@dataclass(frozen=True)
class Moved:
    """As the table of labels tells it."""

    seq: int = 4
    prompt: str = "support/triage"
    label: str = "production"
    version: str = "v7"
    before: str | None = "v6"
    canary: str | None = None
    percent: int = 0
    sticky: Literal["tenant", "caller"] = "tenant"
    by: str = "os:alice"
    why: str = "better by 3 %"
    report: str | None = None


@pytest.mark.parametrize("count", [0, 1, 64, 65, 1000])
def test_of_what_was_left_out_as_much_is_told_as_an_entry_holds(count: int) -> None:
    trimmed = [LeftOut(f"input-{number}", number, 10 * number) for number in range(count)]
    used = prompt_used("support/triage", "v7", label="production", contract=2, digest=HASH, neutralised=1, trimmed=trimmed)
    fields = msgspec.to_builtins(used)
    assert (fields["id"], fields["version"], fields["label"], fields["contract"]) == ("support/triage", "v7", "production", 2)
    assert (fields["digest"], fields["neutralised"]) == (HASH, 1)
    told = fields.get("trimmed", [])
    assert [each["tokens"] for each in told] == [10 * number for number in range(min(count, 64))]
    assert fields.get("trimmed_total", 0) == count
    begun = msgspec.structs.replace(begin(exchange_id(1)), prompt=used)
    assert decode(encode(begun)) == begun


def test_an_exchange_that_named_the_version_has_no_label() -> None:
    used = prompt_used("a/b", "draft", label="", contract=1, digest=HASH, neutralised=0, trimmed=())
    assert "label" not in msgspec.to_builtins(used)


def test_a_move_is_entered_with_all_that_is_known_of_it() -> None:
    canary = Moved(canary="v8", percent=10, sticky="caller", report="reports/17")
    assert label_move(canary, Moment(AT, 7)) == LabelMove(
        at=AT, mono=7, seq=4, prompt="support/triage", label="production", version="v7", before="v6", canary="v8", percent=10,
        sticky="caller", by="os:alice", why="better by 3 %", report="reports/17",
    )  # fmt: skip


def test_a_move_without_canary_or_before_says_nothing_of_them() -> None:
    fields = msgspec.json.decode(encode(label_move(replace(Moved(), before=None), Moment(AT, 7))))
    assert not {"from", "canary", "sticky", "report"} & fields.keys()
    assert (fields["kind"], fields["percent"], fields["withdrawn"]) == ("label", 0, False)


def test_a_withdrawal_repeats_the_move() -> None:
    made, withdrawn = (label_move(Moved(), Moment(AT, 7), withdrawn=each) for each in (False, True))
    assert withdrawn == msgspec.structs.replace(made, withdrawn=True)
