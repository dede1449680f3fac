import msgspec
import pytest

from gateway.api.envelope import closing_response, error_body, error_headers
from gateway.errors import ClientError, InvalidRequest, RateLimited, Unauthenticated, Unavailable


def test_the_body_is_openais_envelope_with_exactly_four_fields() -> None:
    error = InvalidRequest("Field 'n' is wrong.", code="invalid_field", param="n", retry_after=3)
    assert msgspec.json.decode(error_body(error)) == {
        "error": {"message": "Field 'n' is wrong.", "type": "invalid_request_error", "param": "n", "code": "invalid_field"}
    }


def test_an_absent_param_is_null_not_missing() -> None:
    assert b'"param":null' in error_body(Unauthenticated())


@pytest.mark.parametrize(
    ("seconds", "header"), [(0.2, b"1"), (1.0, b"1"), (1.01, b"2"), (0.0, b"0"), (-3.0, b"0"), (59.5, b"60")]
)
def test_retry_after_is_whole_seconds_rounded_up_and_never_negative(seconds: float, header: bytes) -> None:
    assert error_headers(RateLimited("Slower.", retry_after=seconds)) == [(b"retry-after", header)]


def test_without_retry_after_there_is_no_header() -> None:
    assert error_headers(Unavailable("Down.")) == []


def test_a_401_names_the_scheme_that_would_be_accepted() -> None:
    assert error_headers(Unauthenticated()) == [(b"www-authenticate", b"Bearer")]


def test_an_unforeseen_error_says_nothing_of_its_cause() -> None:
    error = ClientError("Internal error.")
    error.__cause__ = ValueError("secret")
    assert b"secret" not in error_body(error)


def test_a_closing_response_is_whole_and_names_its_length_id_and_end() -> None:
    error = Unavailable("Later.", retry_after=2.5)
    head, _, body = closing_response(error, "an-id", default_headers=[(b"date", b"now")]).partition(b"\r\n\r\n")
    assert body == error_body(error)
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 503 Service Unavailable",
        b"date: now",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"x-request-id: an-id",
        b"retry-after: 3",
        b"connection: close",
    ]
