"""What the fake knows, checks and remembers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from gateway.http.contract import HttpRequest
from gateway.upstream.fake.answer import Answer, Wait
from gateway.upstream.fake.behaviour import Behaviour, Character
from tests.upstream.fake.asking import ask, body_of, fake


def get(behaviour: Behaviour, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
    answer, served = behaviour.answer(HttpRequest(method, path, headers or {}))
    assert served is None
    return answer


def post(behaviour: Behaviour, content: str = "hi", *, path: str = "/chat/completions", **headers: str) -> Answer:
    answer, served = behaviour.answer(HttpRequest("POST", path, headers, body_of(content)))
    assert served is not None
    assert served.status == answer.status
    return answer


def body(answer: Answer) -> bytes:
    return b"".join(part for part in answer.parts if isinstance(part, bytes))


def test_paths_are_known_with_and_without_the_base() -> None:
    behaviour = Behaviour()
    for prefix in ("", "/v1"):
        assert get(behaviour, f"{prefix}/models?limit=1").status == 200
        assert get(behaviour, f"{prefix}/health").status == 200
        assert b"vllm:num_requests_running" in body(get(behaviour, f"{prefix}/metrics"))
        assert post(behaviour, path=f"{prefix}/chat/completions").status == 200


def test_other_paths_and_methods_are_refused() -> None:
    assert get(Behaviour(), "/v1/zzz").status == 404
    refused = get(Behaviour(), "/v1/chat/completions")
    assert (refused.status, refused.headers["allow"]) == (405, "POST")


def test_models_are_listed_with_their_window() -> None:
    listed = msgspec.json.decode(body(get(Behaviour(Character(models=("a", "b"), context_window=9)), "/models")))["data"]
    assert [(model["id"], model["max_model_len"]) for model in listed] == [("a", 9), ("b", 9)]
    assert [model["id"] for model in msgspec.json.decode(body(get(Behaviour(), "/models")))["data"]] == ["fake"]


def test_any_model_is_served_unless_some_are_named() -> None:
    assert ask(model="whatever").status == 200
    named = fake(Character(models=("a", "b")))
    assert ask(model="a", client=named).status == 200
    refused = ask(model="c", client=named)
    assert refused.status == 404
    assert refused.json["error"]["param"] == "model"
    assert "Valid aliases: a, b." in refused.json["error"]["message"]


@pytest.mark.parametrize("given", [{}, {"authorization": "Bearer"}, {"authorization": "Bearer nö"}, {"authorization": "k"}])
def test_a_wrong_key_is_refused_as_vllm_refuses_it(given: dict[str, str]) -> None:
    behaviour = Behaviour(Character(api_key="k"))
    for answer in (post(behaviour, **given), get(behaviour, "/models", headers=given)):
        assert (answer.status, body(answer)) == (401, b'{"error":"Unauthorized"}')
    assert behaviour.ledger.served[0].status == 401


def test_a_right_key_is_let_in_and_some_paths_need_none() -> None:
    behaviour = Behaviour(Character(api_key="k"))
    assert post(behaviour, authorization="Bearer k").status == 200
    assert get(behaviour, "/models", headers={"authorization": "Bearer k"}).status == 200
    assert get(behaviour, "/health").status == get(behaviour, "/metrics").status == 200


def test_the_request_id_becomes_the_id_and_otherwise_they_are_counted() -> None:
    behaviour = Behaviour()
    assert msgspec.json.decode(body(post(behaviour, **{"x-request-id": "abc"})))["id"] == "chatcmpl-abc"
    ids = [msgspec.json.decode(body(post(behaviour)))["id"] for _ in range(2)]
    assert ids == ["chatcmpl-fake-00000001", "chatcmpl-fake-00000002"]
    assert behaviour.ledger.served[0].id == "chatcmpl-abc"


def test_the_same_requests_get_the_same_bytes() -> None:
    def told() -> list[bytes]:
        client = fake()
        return [ask("hello", client=client, stream=stream, n=2).body for stream in (False, True)]

    assert told() == told()


def test_the_window_is_kept() -> None:
    small = fake(Character(context_window=20))
    assert ask("x" * 80, client=small).json["error"]["param"] == "input_tokens"
    assert ask("x", max_tokens=16, client=small).json["error"]["param"] == "max_tokens"
    assert ask("a b c d e f g h i j k l m n o p q r", client=small).json["usage"]["total_tokens"] == 20


@pytest.mark.parametrize(
    ("line", "says"),
    [("#fake speed=1", "unknown field"), ("#fake oops", "key=value"), ("#fake fault=oops", "no such fault")],
)
def test_a_directive_that_cannot_be_followed_is_refused(line: str, says: str) -> None:
    reply = ask(line)
    assert (reply.status, reply.json["error"]["param"]) == (400, "messages")
    assert says in reply.json["error"]["message"]


def test_a_directive_may_stand_in_a_content_part() -> None:
    content = [{"role": "user", "content": [{"type": "text", "text": "#fake text=told\nhi"}]}]
    assert ask(content).text == "told"


def test_only_the_last_user_message_directs() -> None:
    content = [{"role": "user", "content": "#fake text=old"}, {"role": "user", "content": "hi"}]
    assert ask(content).text == "echo: hi"


def test_a_line_for_another_model_is_not_there() -> None:
    line = "#fake only=a fault=server-error\nhi"
    assert ask(line, model="a").status == 500
    assert ask(line, model="b").text == "echo: hi"


def test_a_fault_may_meet_only_the_first_requests() -> None:
    client = fake()
    line = "#fake fault=busy times=2 text=done"
    assert [ask(line, client=client).status for _ in range(4)] == [503, 503, 200, 200]
    assert ask(line, client=client).text == "done"
    assert ask(line + "e", client=client).status == 503


def test_lines_are_counted_apart_and_only_so_many() -> None:
    client = fake()
    first = "#fake fault=busy times=1 text=first"
    assert ask(first, client=client).status == 503
    for number in range(1000):
        ask(f"#fake fault=busy times=1 text=t{number}", client=client)
    assert ask(first, client=client).status == 503
    assert ask("#fake fault=busy times=1 text=t999", client=client).status == 200


def test_a_standing_directive_holds_where_a_request_has_none() -> None:
    client = fake(Character(directive="text=standing"))
    assert ask("hi", client=client).text == "standing"
    assert ask("#fake chunks=1\nhi", client=client).text == "w1"


def test_a_delay_comes_before_the_head_also_of_a_refusal() -> None:
    behaviour = Behaviour()
    assert post(behaviour, "#fake delay=2").before == (Wait(2.0),)
    assert post(behaviour, "#fake delay=2 fault=busy").before == (Wait(2.0),)
    assert post(behaviour, "hi").before == ()


def test_what_was_received_can_be_looked_at() -> None:
    client = fake()
    ask("hi", client=client)
    received = client.ledger.received[-1]
    assert received.headers["x-request-id"] == "r-1"
    assert msgspec.json.decode(received.body)["messages"][0]["content"] == "hi"


def test_an_unusable_body_is_entered_too() -> None:
    behaviour = Behaviour()
    answer, served = behaviour.answer(HttpRequest("POST", "/chat/completions", {}, b"{"))
    assert served is not None
    assert (answer.status, served.status, served.model) == (400, 400, "")
