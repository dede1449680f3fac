"""What a caller learns of an upstream's refusal, and what never."""

import pytest

from gateway.errors import ClientError, InvalidRequest
from gateway.upstream.refusal import read_refusal, retry_after

FIELDS = frozenset({"temperature", "messages", "response_format", "max_tokens"})
SECRET = "sk-upstream-4711"


def refusal(status: int, body: bytes = b"", **headers: str) -> ClientError:
    return read_refusal(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, fields=FIELDS)


@pytest.mark.parametrize(
    ("status", "ours", "code"),
    [
        (301, 502, "upstream_error"),
        (400, 400, "invalid_field"),
        (401, 502, "upstream_error"),
        (403, 502, "upstream_error"),
        (404, 502, "upstream_error"),
        (413, 413, "request_too_large"),
        (422, 400, "invalid_field"),
        (429, 429, "rate_limit_exceeded"),
        (500, 502, "upstream_error"),
        (503, 503, "upstream_unavailable"),
        (504, 504, "upstream_timeout"),
        (599, 502, "upstream_error"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>" + SECRET.encode(),
        b'{"error":"Unauthorized ' + SECRET.encode() + b'"}',
        b'{"error":{"message":"' + SECRET.encode() + b'","param":"api_base","code":500}}',
        b'{"error":{"message":"' + SECRET.encode() + b'"}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_every_status_has_our_words_and_nothing_of_the_upstream(status: int, ours: int, code: str, body: bytes) -> None:
    error = refusal(status, body)
    assert (error.status, error.code, error.reason) == (ours, code, f"status {status}")
    assert SECRET not in error.message
    assert error.param is None


@pytest.mark.parametrize("param", ["temperature", "messages[2].content", "response_format.json_schema"])
def test_a_400_about_the_caller_s_own_field_keeps_its_text(param: str) -> None:
    error = refusal(400, f'{{"error":{{"message":"must be below 2\\n","param":"{param}"}}}}'.encode())
    assert (error.status, error.code, error.param, error.message) == (400, "invalid_field", param, "must be below 2 ")


def test_a_long_text_is_cut_and_an_empty_one_replaced() -> None:
    assert len(refusal(400, b'{"error":{"message":"' + b"a" * 5000 + b'","param":"messages"}}').message) == 300
    assert refusal(400, b'{"error":{"message":"","param":"messages"}}').message


@pytest.mark.parametrize(
    "error",
    ['"param":"input_tokens"', '"param":"max_tokens"', '"code":"context_length_exceeded"', '"param":"max_completion_tokens"'],
)
def test_too_long_is_said_in_our_words(error: str) -> None:
    refused = refusal(400, f'{{"error":{{"message":"{SECRET}",{error}}}}}'.encode())
    assert isinstance(refused, InvalidRequest)
    assert (refused.code, refused.param) == ("context_length_exceeded", "messages")
    assert SECRET not in refused.message


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("7", 7), ("0", 1), ("999999", 3600), ("-1", 1), ("Wed, 21 Oct 2026 07:28:00 GMT", 1), ("9" * 400, 1), ("٣", 1), ("", 1)],
)
def test_retry_after_is_seconds_within_bounds(given: str, seconds: float) -> None:
    assert retry_after({"retry-after": given}) == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_overload_passes_the_upstream_s_retry_after(status: int) -> None:
    assert refusal(status, retry_after="7").retry_after == 7
