from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from gateway.errors import Unavailable
from gateway.store.answering import answering


@pytest.mark.parametrize("failure", [OperationalError("SELECT SENTINEL", {}, Exception("SENTINEL")), OSError("SENTINEL")])
def test_whatever_fails_is_said_in_our_words(failure: Exception) -> None:
    with pytest.raises(Unavailable) as caught, answering("key database"):
        raise failure
    error = caught.value
    assert (error.status, error.retry_after) == (503, 1.0)
    assert error.message == "The key database does not answer; try again."
    assert error.reason == f"key database: {type(failure).__name__}"


def test_a_fault_of_ours_is_not_taken_for_the_databases() -> None:
    with pytest.raises(ZeroDivisionError), answering("key database"):
        raise ZeroDivisionError
