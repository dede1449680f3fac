"""An exchange on a page: everything that is known of it, 80 columns wide."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from gateway.audit.canonical import encode
from gateway.audit.entry import Abandoned, Begin, End, Entry, LeftOut, Tried
from gateway.audit.merkle import leaf_hash
from gateway.audit.reader import Stored
from gateway.audit.search.archive import Found, Record
from gateway.audit.search.page import WIDTH, page
from gateway.audit.search.plaintext import Part
from tests.audit.entries import abandoned, access, attempt, begin, end, exchange_id, prompt_used

ONE = exchange_id(1)
FOUND = Found(
    id=ONE, at="2026-11-24T06:00:00.000000Z", log="0", begin=2, end=4, tenant="acme", app="billing", key="abcdefghij23",
    role="app", operation="chat", route="chat-default", prompt=None, label=None, upstream="vllm-a", stream=True,
    outcome="complete", status=200, error=None, input_tokens=11, output_tokens=22, microseconds=5, payload=True,
)  # fmt: skip
PARTS = [
    Part("received", b'{"model":"chat","messages":[{"role":"user","content":"How tall is it?"}]}', "opens"),
    Part("sent/1", b"{}", "opens"),
    Part("delivered", b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"828 m"}}]}\n\n', "differs"),
    Part("meta", b'{"user":"u-1"}', "none"),
]


def record(*entries: Entry) -> Record:
    """Return a record of entries, the first of which is its begin."""
    stored = [("0", Stored(2 + number, encode(entry), leaf_hash(encode(entry)))) for number, entry in enumerate(entries)]
    first = entries[0]
    assert isinstance(first, Begin)
    last = next((entry for entry in entries if isinstance(entry, (End, Abandoned))), None)
    return Record(FOUND, first, last, stored)


def shown(*entries: Entry, parts: list[Part] | None = None) -> str:
    text = page(record(*entries), parts)
    assert all(len(line) <= WIDTH for line in text.splitlines())
    return text


def joined(text: str) -> str:
    """Return a page as if it were one line, so that it does not matter where it was broken."""
    return " ".join(text.split())


def test_it_tells_who_when_what_and_how_it_ended() -> None:
    timings = {"later": 1, "first_byte": 800, "body": 40, "route": 55, "caller": 12}
    text = joined(shown(begin(ONE), attempt(ONE, 2), msgspec.structs.replace(end(ONE, 2), timings=timings), access()))
    for words in (
        f"Exchange {ONE}",
        "tenant acme, app billing, key abcdefghij23, role app",
        "chat, route chat-default, by vllm-a (model tiny), at most 512 tokens, streamed",
        "temperature 0.7, top_k 40",
        "complete, status 200, finish stop; 0 bytes were handed to the client",
        "1. vllm-a (model tiny), 900 µs, status 200",
        "11 tokens in (cached 3), 22 out (reasoning 0), upstream",
        "caller 12 µs, body 40 µs, route 55 µs, first_byte 800 µs, later 1 µs",
        "2048 bytes, sealed, in the file of 2026-11-24",
        "gatehouse/0.1.0 on node a1b2c3d4, process 0011223344556677",
        "log 0, 3: attempt at",
        "access at 2026-11-24T06:00:00.000000Z by os:alice, role auditor: ticket 4711",
        leaf_hash(encode(begin(ONE))).hex(),
    ):
        assert words in text


def test_what_was_asked_and_answered_is_told_where_the_payload_is_open() -> None:
    text = shown(begin(ONE), end(ONE, 2), parts=PARTS)
    assert "Prompt\n  [user]\n  How tall is it?\n" in text
    assert "Answer\n  [assistant]\n  828 m\n" in text
    assert '  {\n    "user": "u-1"\n  }\n' in text
    assert "received: 73 bytes, is what the log commits to" in text
    assert "delivered: 80 bytes, IS NOT WHAT THE LOG COMMITS TO" in text
    assert "meta: 14 bytes, the log does not commit to it" in text
    assert "Prompt" not in shown(begin(ONE), end(ONE, 2))


def test_a_long_text_is_wrapped_and_keeps_its_lines() -> None:
    content = "word " * 40 + "\\n\\n  indented"
    parts = [Part("received", f'{{"messages":[{{"role":"user","content":"{content}"}}]}}'.encode(), "opens")]
    text = shown(begin(ONE), end(ONE, 2), parts=parts)
    assert "\n    indented\n" in text


def test_a_payload_that_is_no_conversation_is_shown_as_it_is() -> None:
    text = shown(begin(ONE), end(ONE, 2), parts=[Part("received", b"no JSON \x1b[2J", "opens"), Part("answer", b"{}", "opens")])
    assert "no JSON \\u001b[2J" in text


def test_one_that_has_not_ended_or_was_abandoned_says_so() -> None:
    assert "open: it has not ended yet" in shown(begin(ONE))
    text = joined(shown(begin(ONE), abandoned(ONE, 2)))
    assert "abandoned (restart): the gateway did not live to see its end; the upstream may have been asked" in text
    undispatched = msgspec.structs.replace(abandoned(ONE, 2), dispatch="none")
    assert "the upstream was not asked" in joined(shown(begin(ONE), undispatched))
    assert "none was kept" in text


def test_a_refusal_has_what_little_there_is() -> None:
    bare = msgspec.structs.replace(
        begin(ONE), route=UNSET, upstream=UNSET, model=UNSET, app=UNSET, max_tokens=UNSET, parameters=UNSET, stream=False
    )
    refused = msgspec.structs.replace(
        end(ONE, 2), result="refused", status=400, error="invalid_field", attempts=[], attempts_total=0, finish_reasons=[],
        finish_reasons_total=0, usage=UNSET, payload="none", timings={},
    )  # fmt: skip
    text = joined(shown(bare, refused))
    assert "tenant acme, key abcdefghij23, role app" in text
    assert "chat, in one piece" in text
    assert "refused, status 400, invalid_field; 0 bytes" in text
    for label in ("Parameters", "Attempts", "Usage", "Timings", "finish"):
        assert label not in text


def test_what_went_wrong_is_told() -> None:
    tried = Tried(upstream="vllm-a", model="tiny", us=9, error="upstream_timeout", reason="first byte", response_id="cmpl-1")
    failed = msgspec.structs.replace(
        end(ONE, 2), result="cancelled", error="upstream_timeout", reason="first byte", attempts=[tried] * 64, attempts_total=70,
        client_gone=True, replayed=True, finish_reasons=["length", "stop"], finish_reasons_total=2,
    )  # fmt: skip
    shortened = msgspec.structs.replace(begin(ONE), shortened=True, parameters=UNSET, parameters_digest="5a" * 32)
    text = joined(shown(shortened, failed))
    for words in (
        "at most 512 tokens, fewer than the caller asked for",
        "too many for an entry; SHA-256 5a5a",
        "upstream_timeout (first byte), finish length, stop, the client had gone",
        "Idempotency-Key",
        "64. vllm-a (model tiny), 9 µs, upstream_timeout (first byte), its id cmpl-1",
        "and 6 more",
    ):
        assert words in text


def test_the_prompt_is_told_with_its_version_its_label_and_what_was_left_out() -> None:
    used = prompt_used()
    text = joined(shown(msgspec.structs.replace(begin(ONE), prompt=used), end(ONE, 2)))
    assert (
        f"From prompt support/triage@v7, as its label production, contract 2, 3 control tokens made harmless {used.digest} "
        "Left out 4 items of history (812 tokens), 1 items of documents (90 tokens) Parameters" in text
    )
    bare = msgspec.structs.replace(used, label=UNSET, neutralised=0, trimmed=UNSET, trimmed_total=UNSET)
    text = joined(shown(msgspec.structs.replace(begin(ONE), prompt=bare), end(ONE, 2)))
    assert f"From prompt support/triage@v7, contract 2 {used.digest} Parameters" in text
    assert "Left out" not in text


def test_what_was_left_out_of_too_many_inputs_for_an_entry_says_how_many_more() -> None:
    trimmed = [LeftOut(input=f"i{number}", items=1, tokens=2) for number in range(64)]
    used = msgspec.structs.replace(prompt_used(), trimmed=trimmed, trimmed_total=70)
    assert "1 items of i63 (2 tokens) and 6 more" in joined(shown(msgspec.structs.replace(begin(ONE), prompt=used)))


@pytest.mark.parametrize("count", [64])
def test_a_list_that_was_cut_says_how_much_is_missing(count: int) -> None:
    many = msgspec.structs.replace(end(ONE, 2), finish_reasons=["stop"] * count, finish_reasons_total=count + 3)
    assert "and 3 more" in joined(shown(begin(ONE), many))


def test_nothing_that_an_upstream_named_reaches_the_terminal_as_it_is() -> None:
    tried = Tried(upstream="vllm-a", model="tiny", us=9, response_id="\x1b[2J")
    assert "\\u001b[2J" in shown(begin(ONE), msgspec.structs.replace(end(ONE, 2), attempts=[tried]))
