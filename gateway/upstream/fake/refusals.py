"""Answers that replace the answer: refusals and pages of servers and of what stands before them."""

from __future__ import annotations

import math

from gateway.upstream.fake.answer import JSON, Answer, error_answer, json_answer, whole
from gateway.upstream.fake.draft import Draft
from gateway.upstream.fake.request import too_long
from gateway.wire.answer import Body

HTML = "text/html; charset=utf-8"
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><p>proxy-7.internal</p></body></html>\n"

REDIRECTED = "/fake/redirected"
"""Where the redirect leads: a client that follows it gets an answer, and the ledger shows that path."""

SECRET = "sk-live-4f9d2b7c81e04a6f"  # noqa: S105  # looks like a secret, so that tests can look for it
LEAK = f"connect to postgres://admin:hunter2@10.1.2.3/prod failed; api_key={SECRET}; tenant=globex"


def _openai(status: int, message: str, *, kind: str, code: str | None, param: str | None = None) -> tuple[int, Body]:
    return status, {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _retry_after(draft: Draft) -> dict[str, str]:
    seconds = draft.directive.retry_after
    return {"retry-after": str(math.ceil(seconds)) if seconds == math.ceil(seconds) else str(seconds)}


def rate_limit(draft: Draft) -> Answer:
    """Refuse as OpenAI does above a rate limit."""
    message = f"Rate limit reached for {draft.completion.request.model} in organization org-globex on requests per min."
    status, body = _openai(429, message, kind="requests", code="rate_limit_exceeded")
    return json_answer(body, status=status, headers=_retry_after(draft))


def quota(_draft: Draft) -> Answer:
    """Refuse as OpenAI does when the account has no money left."""
    message = "You exceeded your current quota, please check your plan and billing details."
    status, body = _openai(429, message, kind="insufficient_quota", code="insufficient_quota")
    return json_answer(body, status=status)


def bad_field(_draft: Draft) -> Answer:
    """Refuse a field of the caller's as OpenAI does."""
    message = "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 9 instead."
    status, body = _openai(400, message, kind="invalid_request_error", code="decimal_above_max_value", param="temperature")
    return json_answer(body, status=status)


def context_length(draft: Draft) -> Answer:
    """Refuse a prompt that is too long as vLLM does."""
    prompt = draft.completion.prompt
    return error_answer(400, too_long(max(prompt - 1, 1), prompt), kind="BadRequestError", param="input_tokens")


def unauthorized(_draft: Draft) -> Answer:
    """Refuse our key as vLLM does: the error is a string."""
    return json_answer({"error": "Unauthorized"}, status=401)


def unknown_model(draft: Draft) -> Answer:
    """Not know the model, as vLLM says it."""
    message = f"The model `{draft.completion.request.model}` does not exist. Valid aliases: fake."
    return error_answer(404, message, kind="NotFoundError", param="model")


def server_error(_draft: Draft) -> Answer:
    """Fail with a text that must reach no one."""
    return error_answer(500, LEAK, kind="InternalServerError")


def shutdown(_draft: Draft) -> Answer:
    """Fail as a vLLM that is going away does, while its health is still good."""
    return error_answer(500, "cannot schedule new futures after shutdown", kind="InternalServerError")


def busy(_draft: Draft) -> Answer:
    """Refuse as vLLM does when its queue is full."""
    return error_answer(503, "The engine is currently busy", kind="ServiceUnavailableError")


def overloaded(draft: Draft) -> Answer:
    """Refuse as a server does that knows when it will be better."""
    return error_answer(503, "Overloaded", kind="overloaded_error", headers=_retry_after(draft))


def html_error(_draft: Draft) -> Answer:
    """Answer as the proxy before the server does."""
    return whole(PAGE, HTML, status=502)


def html(_draft: Draft) -> Answer:
    """Answer with a page that says it is fine."""
    return whole(b"<html><body>Sign in to the corporate network</body></html>\n", HTML)


def redirect(_draft: Draft) -> Answer:
    """Send the client elsewhere."""
    return whole(b"", JSON, status=307, headers={"location": REDIRECTED})


def empty(_draft: Draft) -> Answer:
    """Answer with nothing."""
    return whole(b"", JSON)
