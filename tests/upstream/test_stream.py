"""A streamed answer, bytes in and chunks out."""

import pytest

from gateway.upstream.stream import AnswerStream

GOOD = b'data: {"choices":[{"index":0,"delta":{}}]}\n\n'


def test_what_came_before_a_problem_in_the_same_read_is_kept() -> None:
    for bad, problem in ((b"data: {\n\n", "not JSON"), (b'data: {"error":{"message":"x"}}\n\n', "error event")):
        stream = AnswerStream()
        assert len(stream.feed(GOOD + GOOD + bad + GOOD)) == 2
        assert stream.problem == problem
        assert not stream.done


def test_what_follows_done_is_not_read() -> None:
    stream = AnswerStream()
    assert len(stream.feed(GOOD + b"data: [DONE]\n\n" + b"data: {\n\n")) == 1
    stream.end()
    assert (stream.done, stream.problem) == (True, "")


@pytest.mark.parametrize(("rest", "problem"), [(b"", ""), (b": comment", ""), (b"data: {", "cut inside an event")])
def test_the_end_of_the_body_may_cut_an_event(rest: bytes, problem: str) -> None:
    stream = AnswerStream()
    stream.feed(GOOD + rest)
    stream.end()
    assert stream.problem == problem
