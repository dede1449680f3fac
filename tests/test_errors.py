"""The tree of errors: each has a place in OpenAI's envelope."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.errors import ClientError, GatehouseError, InternalError, SettingsError, Unauthenticated, Unavailable

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ClientError)]
NAMED = [kind for kind in KINDS if kind not in {ClientError, InternalError, Unauthenticated}]


def test_everything_of_ours_can_be_caught_as_one() -> None:
    assert all(issubclass(kind, GatehouseError) for kind in [*KINDS, SettingsError])


@pytest.mark.parametrize("kind", NAMED)
def test_a_kind_has_its_status_type_and_code(kind: type[ClientError]) -> None:
    error = kind("Do this.")
    assert 400 <= error.status <= 504
    assert error.type
    assert (error.code, error.message, str(error)) == (kind.default_code, "Do this.", "Do this.")
    assert (error.param, error.retry_after, error.reason) == (None, None, "")


def test_what_is_told_can_be_said_more_exactly() -> None:
    error = Unavailable("Wait.", code="draining", param="p", retry_after=2.0, reason="why")
    assert (error.code, error.param, error.retry_after, error.reason) == ("draining", "p", 2.0, "why")


def test_the_texts_that_must_not_vary_are_fixed() -> None:
    assert Unauthenticated().message == Unauthenticated().message
    assert (InternalError().status, InternalError().code) == (500, "internal_error")
