from __future__ import annotations

import pytest

from gateway.prompt.template.account import Account, RenderFailed, missing, too_much, unfit
from gateway.prompt.template.expression import GIVEN
from gateway.prompt.template.limits import RENDER_LIMITS, RenderLimits

SECRET = "4111-1111"


class _Text(str):
    """A text that a library marks as safe."""

    __slots__ = ()


def _open(limits: RenderLimits = RENDER_LIMITS, size: int = 0) -> Account:
    account = Account(limits)
    account.open(size)
    return account


@pytest.mark.parametrize("failure", [missing(), too_much("x"), unfit("x")])
def test_a_failure_is_a_400_about_the_variables(failure: RenderFailed) -> None:
    assert (failure.status, failure.code, failure.param) == (400, "prompt_variables_invalid", "/prompt/variables")


@pytest.mark.parametrize("value", ["a", "", _Text("a"), 1, 1.5, True])
def test_text_and_numbers_are_left_to_the_engine(value: object) -> None:
    assert _open().write(value) is NotImplemented


def test_null_writes_nothing() -> None:
    assert _open().write(None) == ""


@pytest.mark.parametrize("value", [[SECRET], {SECRET: 1}, (SECRET,), object(), SECRET.upper, b"x"])
def test_what_is_no_text_is_refused_and_not_told(value: object) -> None:
    with pytest.raises(RenderFailed) as caught:
        _open().write(value)
    assert SECRET not in caught.value.message + caught.value.reason


def test_output_is_paid_for_by_its_length() -> None:
    account = _open(RenderLimits(output_chars=10, output_share=0))
    account.write("x" * 10)
    with pytest.raises(RenderFailed, match="too large"):
        account.write("x")


@pytest.mark.parametrize("value", [_Text("x" * 8), 1, True, 1.5])
def test_every_kind_of_output_is_paid_for(value: object) -> None:
    with pytest.raises(RenderFailed, match="too large"):
        _open(RenderLimits(output_chars=7, output_share=0)).write(value)


def test_larger_values_may_be_written_out_so_many_times() -> None:
    account = _open(RenderLimits(output_chars=0, output_share=3), size=10)
    account.write("x" * 30)
    with pytest.raises(RenderFailed):
        account.write("x")


def test_an_account_begins_anew_with_every_rendering() -> None:
    account = _open(RenderLimits(output_chars=10, output_share=0))
    account.write("x" * 10)
    account.open(0)
    account.write("x" * 10)


def test_the_clock_ends_what_costs_nothing_else() -> None:
    account = _open(RenderLimits(cpu_seconds=0))
    with pytest.raises(RenderFailed) as caught:
        for _ in range(200):
            account.write("")
    assert caught.value.reason == "time"


def test_control_within_its_time_an_account_lets_any_number_of_outputs_pass() -> None:
    account = _open(RenderLimits(cpu_seconds=60))
    for _ in range(1000):
        account.write("")


@pytest.mark.parametrize(("arguments", "numbers"), [((3,), [0, 1, 2]), ((1, 3), [1, 2]), ((3, 0, -2), [3, 1]), ((0,), [])])
def test_a_range_is_a_list_of_numbers(arguments: tuple[int, ...], numbers: list[int]) -> None:
    assert _open().range(*arguments) == numbers


def test_a_long_range_is_refused_before_it_is_made() -> None:
    with pytest.raises(RenderFailed):
        _open().range(10**15)


@pytest.mark.parametrize(
    ("value", "separator", "parts"),
    [("a,b", (",",), ["a", "b"]), (" a  b ", (), ["a", "b"]), ("", (",",), [""]), ("a", (None,), ["a"])],
)
def test_text_is_split(value: str, separator: tuple[str, ...], parts: list[str]) -> None:
    assert _open().filters()["split"](value, *separator) == parts


@pytest.mark.parametrize(
    ("value", "lines"), [("", []), ("a", ["a"]), ("a\nb\r\nc\n", ["a", "b", "c"]), ("\n", [""]), ("a\n\nb", ["a", "", "b"])]
)
def test_text_is_cut_into_lines(value: str, lines: list[str]) -> None:
    assert _open().filters()["lines"](value) == lines


@pytest.mark.parametrize(("name", "text"), [("split", "a " * 5), ("lines", "a\n" * 5)])
def test_text_of_too_many_parts_is_refused(name: str, text: str) -> None:
    with pytest.raises(RenderFailed):
        _open(RenderLimits(split_items=4)).filters()[name](text)
    assert len(_open(RenderLimits(split_items=5)).filters()[name](text)) == 5


def test_a_list_is_made_of_anything_but_text() -> None:
    make = _open().filters()["list"]
    assert make({"a": 1}.items()) == [("a", 1)]
    with pytest.raises(RenderFailed):
        make("abc")


def test_what_is_missing_is_refused() -> None:
    given = _open().filters()[GIVEN]
    assert given("") == ""
    with pytest.raises(RenderFailed, match="not there"):
        given(None)


def test_json_is_written_as_it_is() -> None:
    write = _open().filters()["tojson"]
    assert write({"é": "<it's>"}) == '{"é":"<it\'s>"}'
    assert write([1], 4) == "[\n  1\n]"
