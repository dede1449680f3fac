"""What a caller set, as the log may tell it."""

from gateway.wire.chat import read_chat_request
from gateway.wire.parameters import NAMES, set_parameters


def test_what_was_set_is_told_and_nothing_else() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0.5,"n":2,"logprobs":true,"seed":null,'
        b'"user":"secret","stop":"secret","verbosity":"low","metadata":{"a":"secret"}}'
    )
    assert set_parameters(read_chat_request(body)) == {"temperature": 0.5, "n": 2, "logprobs": True, "verbosity": "low"}


def test_no_free_text_is_among_them() -> None:
    assert not {"user", "stop", "metadata", "safety_identifier", "prompt_cache_key", "messages", "model"} & set(NAMES)
