"""The seam's values and its errors."""

import pytest

from gateway.http.contract import HttpBroken, HttpError, HttpLimits, HttpRequest, HttpTimeout, HttpUnreachable


def test_limits_have_the_defaults_of_the_settings() -> None:
    limits = HttpLimits()
    assert (limits.connect, limits.first_byte, limits.idle, limits.max_answer_bytes) == (2.0, 60.0, 30.0, 16_777_216)


def test_a_request_without_a_body_sends_none() -> None:
    assert HttpRequest("GET", "/models", {}).body == b""


@pytest.mark.parametrize("kind", [HttpUnreachable, HttpTimeout, HttpBroken])
def test_every_failure_of_the_network_can_be_caught_as_one(kind: type[HttpError]) -> None:
    assert issubclass(kind, HttpError)
