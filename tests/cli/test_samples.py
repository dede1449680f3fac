"""The demonstration's samples can fail: each is a check, not a picture."""

import pytest

from gateway.cli.samples import SAMPLES, Reply, first_model, post
from gateway.errors import SettingsError

EMPTY = Reply(500, {}, b"")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.shows[:30])
@pytest.mark.parametrize("reply", [EMPTY, Reply(200, {}, b"{}"), Reply(200, {}, b"[]"), Reply(200, {}, b'{"error":null}')])
def test_no_sample_holds_for_an_empty_answer(sample: object, reply: Reply) -> None:
    assert not sample.holds(reply)  # type: ignore[attr-defined]


def test_nobody_there_is_one_sentence() -> None:
    with pytest.raises(SettingsError, match="does not answer"):
        post("http://127.0.0.1:1", "/", {}, key="k")
    with pytest.raises(SettingsError, match="does not answer"):
        first_model("http://127.0.0.1:1/v1", "")
