from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from gateway.settings.values import FROM_FILE, BaseUrl, DatabaseUrl, Duration, Money, Name, RedisUrl, SecretReference, duration


class Sample(BaseModel):
    span: Duration = 1.0
    money: Money = Decimal(0)
    name: Name = "a"
    secret: SecretReference = "env:A"
    url: BaseUrl = ""
    redis: RedisUrl = ""
    database: DatabaseUrl = ""


def read(**values: object) -> Sample:
    return Sample.model_validate(values, context={FROM_FILE: True})


def refusal(**values: object) -> str:
    with pytest.raises(ValidationError) as caught:
        read(**values)
    assert caught.value.error_count() == 1
    return caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("text", ["", "30", "30 s", "-1s", "1e3s", "s", "1y", "\u0661s", "30s ", "30S", "0x1s", "9" * 13 + "s"])
def test_a_duration_without_a_plain_number_and_unit_is_refused_with_an_example(text: str) -> None:
    assert 'such as "30s"' in refusal(span=text)


@pytest.mark.parametrize("value", [30, 30.0, True, None, ["30s"]])
def test_a_duration_in_the_file_is_never_a_number(value: object) -> None:
    assert 'such as "30s"' in refusal(span=value)


@pytest.mark.parametrize("text", ["0s", "0.000000s", "3661d"])
def test_a_duration_of_nothing_or_beyond_ten_years_is_refused(text: str) -> None:
    assert "should be" in refusal(span=text)


def test_code_may_give_a_duration_in_seconds_but_no_flag_and_nothing_infinite() -> None:
    assert Sample(span=0.25).span == 0.25
    for value in (True, float("inf"), float("nan")):
        with pytest.raises(ValidationError):
            Sample(span=value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("30s", 30.0), ("1.5m", 90.0), ("2h", 7200.0), ("90d", 7_776_000.0)]
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert read(span=text).span == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "250ms"), (1.5, "1500ms"), (75.0, "75s"), (120.0, "2m"), (86400.0, "1d"), (90000.0, "25h")]
)
def test_a_duration_is_written_as_an_operator_would(seconds: float, text: str) -> None:
    assert duration(seconds) == text
    assert Sample(span=seconds).model_dump(mode="json")["span"] == text


@given(st.integers(min_value=1, max_value=10**9))
def test_a_duration_that_was_written_reads_the_same(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert read(span=duration(seconds)).span == pytest.approx(seconds, rel=1e-5)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a\n", "ä", "a" * 129, "../x", "a?b"])
def test_a_name_that_would_need_quoting_elsewhere_is_refused(name: str) -> None:
    assert "must be a name" in refusal(name=name)


@pytest.mark.parametrize("name", ["a", "gpt-4.1", "meta-llama/Llama-3:8b", "7b"])
def test_names_of_models_are_names(name: str) -> None:
    assert read(name=name).name == name


@pytest.mark.parametrize("text", ["sk-abcdef123456", "env:", "env:1A", "env:A B", "file:", "ENV:A", "file:a\0b", ""])
def test_a_secret_written_in_place_of_its_reference_is_refused_and_not_repeated(text: str) -> None:
    message = refusal(secret=text)
    assert '"env:NAME" or "file:path"' in message
    assert "sk-abcdef" not in message


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:8000", "http or https"),
        ("ftp://h/v1", "http or https"),
        ("http://", "http or https"),
        ("http://h:0/v1", "http or https"),
        ("http://h:99999/v1", "cannot be read"),
        ("http://[::1/v1", "cannot be read"),
        ("http://h/v1?a=b", "query"),
        ("http://h/v1?", "query"),
        ("http://h/v1#", "query"),
        ("http://user:hunter2@h/v1", "api_key"),
        ("http://h/v 1", "spaces"),
        ("http://h/v1\x7f", "control"),
    ],
)
def test_an_address_that_could_not_be_called_is_refused_and_not_repeated(url: str, why: str) -> None:
    message = refusal(url=url)
    assert why in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("", ""),
        ("http://h:8000/v1/", "http://h:8000/v1"),
        ("https://h//", "https://h"),
        ("http://[::1]:8/v1", "http://[::1]:8/v1"),
    ],
)
def test_an_address_is_kept_without_the_slash_at_its_end(url: str, kept: str) -> None:
    assert read(url=url).url == kept


def test_shared_engines_are_named_by_their_scheme() -> None:
    assert "redis://" in refusal(redis="127.0.0.1:6379")
    assert "postgresql://" in refusal(database="postgres://h/d")
    assert read(redis="rediss://h:1/0", database="postgresql://h/d").redis == "rediss://h:1/0"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1,5",
        "-1",
        "+1",
        "1e3",
        ".5",
        "1.",
        "0.0000001",
        "1000000000",
        "NaN",
        "\u0661",
        "1 ",
        1,
        1.5,
        True,
        None,
        Decimal("NaN"),
    ],
)
def test_money_that_is_no_plain_decimal_string_is_refused_with_an_example(value: object) -> None:
    assert 'such as "100.00"' in refusal(money=value)


@pytest.mark.parametrize("text", ["0", "100.00", "0.000001", "999999999.999999"])
def test_money_keeps_every_digit(text: str) -> None:
    assert read(money=text).money == Decimal(text)
    assert read(money=text).model_dump(mode="json")["money"] == text


def test_code_may_give_money_as_a_decimal() -> None:
    assert Sample(money=Decimal("1E+3")).money == 1_000
