"""What each damaged answer looks like on arrival."""

from __future__ import annotations

import gzip
import re

import msgspec
import pytest

from gateway.http.contract import HttpRequest
from gateway.upstream.fake.answer import Raw
from gateway.upstream.fake.behaviour import Behaviour
from tests.upstream.fake.asking import HASTY, PATIENT, Reply, ask, asked, body_of

TEXT = "hi you there"  # four tokens with the echo: five chunks of content, with the role
DONE = b"data: [DONE]\n\n"
modes = pytest.mark.parametrize("stream", [False, True])


def told(line: str, *, stream: bool) -> Reply:
    return ask(f"#fake {line}\n{TEXT}", stream=stream)


def plain(*, stream: bool) -> Reply:
    return ask(TEXT, stream=stream)


def bare(body: bytes) -> bytes:
    """Take out the count of the prompt, which a directive makes longer."""
    return re.sub(rb'"(prompt|total)_tokens":\d+', b"", body)


@pytest.mark.parametrize(("after", "tokens"), [(0, 0), (1, 0), (3, 2), (99, 4)])
@pytest.mark.parametrize("fault", ["reset-mid-answer", "close-mid-answer", "no-finish", "no-finish-done", "error-event"])
def test_so_many_events_arrive_before_a_fault_in_mid_stream(fault: str, after: int, tokens: int) -> None:
    reply, served = asked(f"#fake fault={fault} after={after}\n{TEXT}", stream=True)
    assert sum(b'"content":' in read for read in reply.reads) == min(after, 5)
    assert served.completion_tokens == tokens


@pytest.mark.parametrize("fault", ["hang-mid-answer", "reset-mid-answer", "close-mid-answer"])
def test_half_of_a_body_arrives_before_a_fault_in_mid_answer(fault: str) -> None:
    reply, served = asked(f"#fake fault={fault}\n{TEXT}", limits=HASTY)
    assert reply.headers is not None
    assert len(reply.body) == int(reply.headers["content-length"]) // 2
    assert served.completion_tokens == 4


@modes
def test_a_hang_after_the_head_gives_the_head_alone(stream: bool) -> None:  # a case, not an option
    reply, served = asked("#fake fault=hang-after-head", stream=stream, limits=HASTY)
    assert (reply.status, reply.reads, reply.error) == (200, (), "HttpTimeout")
    assert served.completion_tokens == 0


def test_no_finish_ends_cleanly_with_and_without_done() -> None:
    for fault, last in (("no-finish", b'"finish_reason":null'), ("no-finish-done", b"[DONE]")):
        streamed = told(f"fault={fault}", stream=True)
        assert not streamed.error
        assert b'"finish_reason":"' not in streamed.body
        assert last in streamed.reads[-1]
        assert told(f"fault={fault}", stream=False).json["choices"][0]["finish_reason"] is None


def test_a_half_event_ends_cleanly_inside_an_event() -> None:
    whole = plain(stream=True).body
    reply = told("fault=half-event after=2", stream=True)
    assert not reply.error
    assert len(reply.reads) == 3
    assert whole.startswith(reply.body)
    assert not reply.body.endswith(b"\n")
    assert told("fault=half-event after=99", stream=True).reads[-1] == DONE[: len(DONE) // 2]


def test_an_error_event_is_vllms_and_done_follows() -> None:
    reply = told("fault=error-event", stream=True)
    assert reply.reads[-1] == DONE
    assert msgspec.json.decode(reply.reads[-2].removeprefix(b"data: "))["error"]["code"] == 500
    whole = told("fault=error-event", stream=False)
    assert (whole.status, whole.json["error"]["code"]) == (500, 500)


def test_malformed_json_stands_between_good_events() -> None:
    reply = told("fault=malformed-json after=2", stream=True)
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(reply.reads[2].removeprefix(b"data: "))
    assert reply.reads[:2] + reply.reads[3:] == plain(stream=True).reads


@pytest.mark.parametrize("fault", ["malformed-json", "half-event", "short-length"])
def test_half_a_body_is_announced_as_all_of_it(fault: str) -> None:
    reply = told(f"fault={fault}", stream=False)
    assert not reply.error
    assert reply.body == plain(stream=False).body[: len(reply.body)]
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(reply.body)


@modes
def test_invalid_utf8_is_invalid_utf8_and_nothing_else(stream: bool) -> None:  # a case, not an option
    body = told("fault=invalid-utf8 after=2", stream=stream).body
    with pytest.raises(UnicodeDecodeError):
        body.decode()
    assert bare(body.replace(b"\xff\xfe", b"")) == bare(plain(stream=stream).body)


def test_wrong_types_come_after_good_events() -> None:
    events = told("fault=wrong-types after=2", stream=True).chunks
    assert [isinstance(event["choices"], str) for event in events] == [False, False, True, True, True]
    assert told("fault=wrong-types", stream=False).json["choices"] == "none"


def test_wrong_content_is_a_number() -> None:
    events = told("fault=wrong-content after=2", stream=True).chunks
    assert [event["choices"][0]["delta"]["content"] for event in events] == ["", "echo:", 42, 42, 42]
    assert told("fault=wrong-content", stream=False).json["choices"][0]["message"]["content"] == 42


def test_usage_is_left_out() -> None:
    assert "usage" not in told("fault=missing-usage", stream=False).json
    options = {"include_usage": True, "continuous_usage_stats": True}
    reply = ask("#fake fault=missing-usage", stream=True, stream_options=options)
    assert b"usage" not in reply.body
    assert reply.reads[-1] == DONE


@modes
def test_the_id_is_null(stream: bool) -> None:  # a case, not an option
    reply = told("fault=null-id", stream=stream)
    bodies = reply.chunks if stream else [reply.json]
    assert {body["id"] for body in bodies} == {None}


def test_done_is_left_out() -> None:
    assert told("fault=missing-done", stream=True).reads == plain(stream=True).reads[:-1]


def test_the_mode_is_the_other_one() -> None:
    assert bare(told("fault=wrong-mode", stream=True).body) == bare(plain(stream=False).body)
    assert told("fault=wrong-mode", stream=False).body == plain(stream=True).body


@modes
def test_a_wrong_length_announces_more_than_arrives(stream: bool) -> None:  # a case, not an option
    reply = told("fault=wrong-length", stream=stream)
    assert reply.headers is not None
    assert bare(reply.body) == bare(plain(stream=stream).body)
    assert int(reply.headers["content-length"]) > len(reply.body)
    assert reply.error == "HttpBroken"


@modes
def test_a_short_length_announces_less_than_is_sent(stream: bool) -> None:  # a case, not an option
    request = HttpRequest("POST", "/chat/completions", {}, body_of("#fake fault=short-length", stream=stream))
    first, rest = Behaviour().answer(request)[0].parts
    assert isinstance(first, bytes)
    assert isinstance(rest, Raw)
    assert (first + rest.data).endswith(DONE if stream else b"}")


@pytest.mark.parametrize("fault", ["oversize", "long-line"])
@modes
def test_a_long_answer_is_valid_and_as_long_as_told(fault: str, stream: bool) -> None:  # a case
    reply = told(f"fault={fault} size=200000", stream=stream)
    text = reply.text
    assert len(text) == 200_000 + (len(f"echo: {TEXT}") if stream else 0)
    if stream:
        lines = max(len(line) for line in reply.body.split(b"\n"))
        assert (lines > 200_000) == (fault == "long-line")


@modes
def test_gzip_arrives_unpacked_and_was_packed(stream: bool) -> None:  # a case, not an option
    reply = told("fault=gzip", stream=stream)
    assert reply.headers is not None
    assert reply.headers["content-encoding"] == "gzip"
    assert bare(reply.body) == bare(plain(stream=stream).body)
    request = HttpRequest("POST", "/chat/completions", {}, body_of("#fake fault=gzip", stream=stream))
    packed = b"".join(part for part in Behaviour().answer(request)[0].parts if isinstance(part, bytes))
    assert gzip.decompress(packed).startswith(b"data: {" if stream else b"{")


@modes
def test_a_gzip_bomb_is_small_on_the_wire(stream: bool) -> None:  # a case, not an option
    request = HttpRequest("POST", "/chat/completions", {}, body_of("#fake fault=gzip-bomb size=5000000", stream=stream))
    packed = b"".join(part for part in Behaviour().answer(request)[0].parts if isinstance(part, bytes))
    assert len(packed) < 50_000
    assert len(gzip.decompress(packed)) > 5_000_000


@modes
def test_a_trickle_is_valid_and_comes_byte_by_byte(stream: bool) -> None:  # a case, not an option
    reply = told("fault=trickle gap=0.00001", stream=stream)
    assert {len(read) for read in reply.reads} == {1}
    assert bare(reply.body) == bare(plain(stream=stream).body)


def test_odd_events_are_valid_and_odd() -> None:
    reply = told("fault=odd-events", stream=True)
    data = [line[5:] for line in reply.body.split(b"\r\n") if line.startswith(b"data:")]
    assert b"".join(b"data: " + one + b"\n\n" for one in data) == plain(stream=True).body
    assert b"\n\n" not in reply.body
    assert bare(told("fault=odd-events", stream=False).body) == bare(plain(stream=False).body)


def test_a_gap_slows_a_damaged_stream_too() -> None:
    reply, served = asked("#fake fault=close-mid-answer gap=10 after=2", stream=True, limits=HASTY)
    assert (reply.error, served.outcome) == ("HttpTimeout", "aborted")
    assert PATIENT.idle > 10
