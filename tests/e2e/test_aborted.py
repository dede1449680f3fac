"""An upstream that gave up says so in the finish_reason: what it made until then is not an answer.

A vLLM that is told to end while it answers may send finish_reason "abort", then `[DONE]`; "error" is its word for a fault in
the engine. Neither is one of OpenAI's reasons.
"""

from __future__ import annotations

import pytest

from tests.e2e.door import Door
from tests.e2e.settings import MODEL

GAVE_UP = pytest.mark.parametrize("reason", ["abort", "error"])


@GAVE_UP
def test_an_aborted_answer_is_a_failure_of_the_upstream(door: Door, reason: str) -> None:
    answer = door.chat(MODEL, f"#fake finish={reason} chunks=8\nHello.")
    assert (answer.status, answer.code) == (502, "upstream_error")


@GAVE_UP
def test_an_aborted_stream_ends_in_an_error_and_without_done(door: Door, reason: str) -> None:
    answer = door.chat(MODEL, f"#fake finish={reason} chunks=8\nHello.", stream=True)
    assert answer.status == 200
    assert "[DONE]" not in answer.events
    assert '"upstream_error"' in answer.events[-1]
