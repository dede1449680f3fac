"""The tool that measures large bodies beside streams."""

import msgspec
import pytest

from gateway.wire.chat import read_chat_request
from tests.bench.jobs import Outcome
from tests.bench.large import BODY_BYTES, body, worst


def test_the_large_body_is_a_request_of_exactly_its_size() -> None:
    data = body()
    assert len(data) == BODY_BYTES
    assert len(msgspec.json.encode(read_chat_request(data))) <= BODY_BYTES


def test_a_pass_with_errors_gives_no_figure() -> None:
    good = Outcome(seconds=1, answers=1, cpu_us=1, load_us=1, foreign_us=0, latencies_ms=[], late_ms=0, gaps_ms=[1.0, 2.0, 9.0])
    assert worst(good) == 9.0
    with pytest.raises(SystemExit):
        worst(msgspec.structs.replace(good, errors={"cut": 1}))
