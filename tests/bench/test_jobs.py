from __future__ import annotations

import msgspec
import pytest

from tests.bench.jobs import Job, Outcome, decode_job, decode_outcome, encode


def test_a_job_survives_its_way() -> None:
    job = Job(model="plain", port=1, connections=64, seconds=2.0, headers={"authorization": "Bearer x"}, rate=200.0)
    assert decode_job(encode(job)) == job


def test_an_outcome_survives_its_way() -> None:
    outcome = Outcome.failed("no connection: Connection refused")
    assert decode_outcome(encode(outcome)) == outcome


def test_a_job_without_its_seconds_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_job(b'{"model":"plain","port":1,"connections":64}')
