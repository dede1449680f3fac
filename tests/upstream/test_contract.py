"""The seam's one value."""

import pytest

from gateway.exchange.evidence import Evidence
from gateway.upstream.contract import Call
from gateway.wire.chat import read_chat_request


def test_a_call_cannot_be_changed_by_who_sends_it() -> None:
    request = read_chat_request(b'{"model":"m","messages":[{"role":"user","content":"x"}]}')
    call = Call("id", model="m", request=request, evidence=Evidence(), max_tokens=1, cache_salt="", deadline=0.0)
    with pytest.raises(AttributeError):
        call.max_tokens = 2  # type: ignore[misc]
