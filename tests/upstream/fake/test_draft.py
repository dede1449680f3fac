"""A draft gives bodies or events, changed or left out where an edit says so, with the directive's pace."""

from __future__ import annotations

import msgspec

from gateway.upstream.fake.answer import DONE, Wait
from gateway.upstream.fake.completion import Completion
from gateway.upstream.fake.directive import Directive
from gateway.upstream.fake.draft import ALWAYS, Draft
from gateway.upstream.fake.ledger import Ledger
from gateway.upstream.fake.request import read
from gateway.upstream.fake.speech import Speech
from gateway.wire.answer import Body
from tests.upstream.fake.asking import body_of


def draft(*, stream: bool, gap: float = 0.0) -> Draft:
    served = Ledger().open("chatcmpl-1", "/", headers={}, body=b"")
    completion = Completion(read(body_of()), (Speech(content=("a", "b")),), served, prompt=7, created=1)
    return Draft(completion, Directive(gap=gap), stream=stream)


def test_a_whole_answer_is_json() -> None:
    answer = draft(stream=False).answer()
    (raw,) = answer.parts
    assert raw == draft(stream=False).raw_body()
    assert answer.whole


def test_a_stream_is_events_and_done() -> None:
    parts = list(draft(stream=True).answer().parts)
    assert parts == list(draft(stream=True).events())
    assert parts[-1] == DONE
    assert list(draft(stream=True).events(done=b"")) == parts[:-1]


def test_a_gap_comes_before_each_event() -> None:
    parts = list(draft(stream=True, gap=0.5).answer().parts)
    assert parts[::2] == [Wait(0.5)] * 4
    assert parts[1::2] == list(draft(stream=True).events())


def test_an_edit_sees_every_body_with_its_number() -> None:
    numbers: list[int] = []

    def edit(body: Body, number: int) -> Body:
        numbers.append(number)
        return body

    list(draft(stream=True).events(edit))
    draft(stream=False).body(edit)
    assert numbers == [0, 1, 2, ALWAYS]


def test_an_edit_may_leave_a_chunk_out() -> None:
    events = list(draft(stream=True).events(lambda body, number: body if number != 1 else None))
    assert len(events) == 3
    assert msgspec.json.decode(events[1].removeprefix(b"data: "))["choices"][0]["delta"] == {"content": "b"}
