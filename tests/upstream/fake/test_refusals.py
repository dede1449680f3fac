"""Each refusal has its server's status, headers and words."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.upstream.fake.refusals import LEAK, REDIRECTED, SECRET
from tests.upstream.fake.asking import ask, asked, body_of, fake, run_send

ENVELOPES: list[tuple[str, int, dict[str, Any]]] = [
    ("rate-limit", 429, {"type": "requests", "param": None, "code": "rate_limit_exceeded"}),
    ("quota", 429, {"type": "insufficient_quota", "param": None, "code": "insufficient_quota"}),
    ("bad-field", 400, {"type": "invalid_request_error", "param": "temperature", "code": "decimal_above_max_value"}),
    ("context-length", 400, {"type": "BadRequestError", "param": "input_tokens", "code": 400}),
    ("unknown-model", 404, {"type": "NotFoundError", "param": "model", "code": 404}),
    ("server-error", 500, {"type": "InternalServerError", "param": None, "code": 500}),
    ("shutdown", 500, {"type": "InternalServerError", "param": None, "code": 500}),
    ("busy", 503, {"type": "ServiceUnavailableError", "param": None, "code": 503}),
    ("overloaded", 503, {"type": "overloaded_error", "param": None, "code": 503}),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "status", "envelope"), ENVELOPES)
def test_envelopes(fault: str, status: int, envelope: dict[str, Any], stream: bool) -> None:  # a case
    reply, served = asked(f"#fake fault={fault}", stream=stream)
    error = reply.json["error"]
    assert error.pop("message")
    assert (reply.status, error) == (status, envelope)
    assert (served.status, served.fault, served.outcome) == (status, fault, "complete")
    assert (served.prompt_tokens, served.completion_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("fault=rate-limit", "1"),
        ("fault=rate-limit retry-after=7", "7"),
        ("fault=overloaded retry-after=0.5", "0.5"),
        ("fault=busy retry-after=7", None),
        ("fault=quota retry-after=7", None),
    ],
)
def test_retry_after_is_sent_where_the_server_sends_it(line: str, seconds: str | None) -> None:
    headers = ask(f"#fake {line}").headers
    assert headers is not None
    assert headers.get("Retry-After") == seconds


def test_the_error_of_an_unauthorized_is_a_string() -> None:
    assert ask("#fake fault=unauthorized").json == {"error": "Unauthorized"}


def test_the_server_error_leaks_what_tests_look_for() -> None:
    assert SECRET in LEAK
    assert LEAK in ask("#fake fault=server-error").text_of_error()


@pytest.mark.parametrize(("fault", "status"), [("html", 200), ("html-error", 502)])
def test_pages(fault: str, status: int) -> None:
    reply = ask(f"#fake fault={fault}")
    assert (reply.status, reply.body[:6]) == (status, b"<html>")
    assert reply.headers is not None
    assert reply.headers["content-type"].startswith("text/html")


def test_an_empty_answer_is_empty() -> None:
    reply = ask("#fake fault=empty")
    assert (reply.status, reply.reads) == (200, ())


def test_a_redirect_leads_to_an_answer_which_the_ledger_tells_apart() -> None:
    client = fake()
    reply = ask("#fake fault=redirect text=followed", client=client)
    assert reply.status == 307
    assert reply.headers is not None
    assert reply.headers["location"] == REDIRECTED
    followed = run_send(client, body_of("#fake fault=redirect text=followed"), path=REDIRECTED)
    assert (followed.status, followed.text) == (200, "followed")
    assert [served.path for served in client.served] == ["/chat/completions", REDIRECTED]
