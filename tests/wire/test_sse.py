"""Server-sent events: the same events come out however a stream is cut, as the specification reads it."""

from __future__ import annotations

import itertools
import re

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.wire import sse
from gateway.wire.answer import WireError
from gateway.wire.sse import Events


def by_the_specification(stream: bytes) -> list[bytes]:
    """Read a whole stream line by line as WHATWG HTML 9.2.6 says; slow and plain."""
    found, data = [], list[bytes]()
    *lines, _unfinished = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in lines:
        if not line:
            if data:
                found.append(b"\n".join(data))
            data = []
            continue
        field, colon, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" ") if colon else b"")
    return found


def read_in(pieces: list[bytes]) -> list[bytes]:
    events = Events()
    return [data for piece in pieces for data in events.feed(piece)]


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


LINES = st.sampled_from([
    b"", b"", b"", b"data: {}", b"data: \xf0\x9f\x98\x80", b"data:x", b"data:  x", b"data", b"data:", b"data: data: y",
    b"data : z", b": ping", b":", b"event: error", b"id: 1", b"retry: 10", b"dat", b"datax: 1", b" data: 1",
    b"\xef\xbb\xbfdata: 1", b"\xff",
])  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    start = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb"]))
    lines = draw(st.lists(st.tuples(LINES, ENDS), max_size=12))
    return start + b"".join(line + end for line, end in lines) + draw(st.sampled_from([b"", b"data: cut", b"\r"]))


@settings(max_examples=1500, derandomize=True, deadline=None)
@given(stream=streams(), cuts=st.lists(st.integers(0, 400), max_size=8))
@example(stream=b"data: a\r\n\r\ndata: b\r\n\r\n", cuts=[8, 9, 10])
@example(stream=b"\n\ndata: a\n\n\n\ndata: b\n\n", cuts=[1, 9, 10, 11])
@example(stream=b"\r\ndata: a\r\rdata: b\n\r\n", cuts=[1, 2])
def test_any_chunking_gives_the_events_that_the_specification_gives(stream: bytes, cuts: list[int]) -> None:
    assert read_in(cut(stream, cuts)) == by_the_specification(stream)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    bodies=st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=8),
    cuts=st.lists(st.integers(0), max_size=5),
)
def test_what_is_written_is_read_back(bodies: list[dict[str, object]], cuts: list[int]) -> None:
    stream = sse.events(bodies) + sse.DONE
    assert stream == b"".join(map(sse.event, bodies)) + sse.DONE
    *data, done = read_in(cut(stream, cuts))
    assert [msgspec.json.decode(item) for item in data] == bodies
    assert done == sse.DONE_DATA


def test_every_single_byte_may_be_a_read_of_its_own() -> None:
    stream = b'\xef\xbb\xbfdata: {"a":"\xc3\xa9"}\r\n\r\n: ping\n\nevent: x\rdata: 1\rdata: 2\r\r'
    assert read_in([bytes([byte]) for byte in stream]) == [b'{"a":"\xc3\xa9"}', b"1\n2"]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n"])
def test_an_event_is_given_as_soon_as_its_empty_line_begins(end: bytes) -> None:
    assert Events().feed(b"data: 1" + end) == [b"1"]


def test_a_carriage_return_ends_the_event_without_waiting_for_a_line_feed() -> None:
    events = Events()
    assert events.feed(b"data: 1\r\n\r") == [b"1"]
    assert events.feed(b"\ndata: 2\n\n") == [b"2"]


def test_an_empty_read_changes_nothing() -> None:
    events = Events()
    assert [events.feed(piece) for piece in (b"", b"data: 1\r\n\r", b"", b"\n", b"")] == [[], [b"1"], [], [], []]
    assert not events.pending


@pytest.mark.parametrize(
    ("stream", "pending"),
    [
        (b"", False),
        (b"data: 1\n\n", False),
        (b"data: 1\r\n\r\n", False),
        (b"data: 1\n\n: ping\n", False),
        (b"data: 1\n\n\n\n", False),
        (b"data: 1\n\n: pi", False),
        (b"data: 1\n\ndata: 2\n", True),
        (b"data: 1\n\ndata: 2", True),
        (b"data: 1\n\nd", True),
        (b"data: 1\n", True),
        (b"\xef\xbb", True),
    ],
)
def test_pending_tells_a_stream_that_was_cut_within_an_event(stream: bytes, pending: bool) -> None:
    whole, bytewise = Events(), Events()
    whole.feed(stream)
    for byte in stream:
        bytewise.feed(bytes([byte]))
    assert (whole.pending, bytewise.pending) == (pending, pending)


def test_an_event_of_the_greatest_length_passes_and_one_byte_more_does_not() -> None:
    largest = b"data: " + b"x" * 94
    assert Events(max_event_bytes=100).feed(largest + b"\n\n") == [b"x" * 94]
    with pytest.raises(WireError):
        Events(max_event_bytes=100).feed(largest + b"x\n\n")


@settings(max_examples=200, derandomize=True, deadline=None)
@given(length=st.integers(96, 104), cuts=st.lists(st.integers(0, 110), max_size=4))
@example(length=100, cuts=[1, 103])
@example(length=100, cuts=[2, 104])
def test_the_greatest_length_holds_however_the_event_is_cut(length: int, cuts: list[int]) -> None:
    events = Events(max_event_bytes=100)
    pieces = cut(b"\n\n\ndata: " + b"x" * (length - 6) + b"\n\n", cuts)
    if length <= 100:
        assert [data for piece in pieces for data in events.feed(piece)] == [b"x" * (length - 6)]
    else:
        with pytest.raises(WireError):
            [events.feed(piece) for piece in pieces]


def test_many_events_in_one_read_may_be_longer_together() -> None:
    assert Events(max_event_bytes=20).feed(b"data: 1234567890\n\n" * 50) == [b"1234567890"] * 50


def test_what_never_ends_is_refused_before_it_is_held() -> None:
    events = Events(max_event_bytes=1000)
    with pytest.raises(WireError):
        for _ in range(100):
            events.feed(b": an endless comment\n")


def test_no_bodies_are_no_bytes() -> None:
    assert sse.events([]) == b""


def test_a_body_never_breaks_its_event() -> None:
    assert sse.event({"a": "1\n\ndata: 2\r\r"}) == b'data: {"a":"1\\n\\ndata: 2\\r\\r"}\n\n'
