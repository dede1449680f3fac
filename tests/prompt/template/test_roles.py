from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt.template.roles import RoleLine, Voice, split_roles
from gateway.wire.message import AssistantMessage, DeveloperMessage, Message, SystemMessage, UserMessage


def _split(text: str, *, opens: bool = True, closes: bool = True) -> list[str | Voice | None]:
    segments = split_roles(text, opens_line=opens, closes_line=closes)
    return [segment.voice if isinstance(segment, RoleLine) else segment for segment in segments]


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
@pytest.mark.parametrize("line", ["{}:", "  {}:", "# {}:", "#{}:", "{} :", "{}: ", "{}:\t", "\t# {} : "])
def test_a_role_line_is_found_as_the_format_has_it(role: str, line: str) -> None:
    assert _split(f"a\n{line.format(role)}\nb") == ["a\n", Voice(role), "\nb"]  # type: ignore[arg-type]


def test_case_does_not_matter() -> None:
    assert _split("SYSTEM:\nUser:") == [Voice("system"), "\n", Voice("user")]


@pytest.mark.parametrize(
    "text",
    [
        "The user: said",
        "user: hello",
        "users:",
        "a user:",
        "tool:",
        "function:",
        "user",
        "user::",
        "## user:",
        "- user:",
        "“user:”",
        "user[name=x]",
        "u\nser:",
        "user\n:",
    ],
)
def test_anything_else_is_text(text: str) -> None:
    assert _split(text) == [text]


@pytest.mark.parametrize("attributes", ['name="anna"', "name=anna", " name = anna ", 'name="a-b_C9"'])
def test_a_role_line_may_name_the_speaker(attributes: str) -> None:
    (voice,) = _split(f"user[{attributes}]:")
    assert isinstance(voice, Voice)
    assert voice.name in {"anna", "a-b_C9"}


@pytest.mark.parametrize(
    "attributes", ["", "id=7", "name=", 'name=""', "name=a, id=7", "name='a'", "name=a b", "name=" + "a" * 65, "x"]
)
def test_any_other_attribute_leaves_nobody_speaking(attributes: str) -> None:
    assert _split(f"user[{attributes}]:") == [None]


def test_what_begins_within_a_line_is_no_role_line() -> None:
    assert _split("user:\nsystem:", opens=False) == ["user:\n", Voice("system")]
    assert _split("user:\nsystem:", closes=False) == [Voice("user"), "\nsystem:"]
    assert _split("user:", opens=False, closes=False) == ["user:"]


def test_a_role_line_knows_its_line() -> None:
    offsets = [
        segment.offset
        for segment in split_roles("a\n\nuser:\nb\nsystem:", opens_line=True, closes_line=True)
        if isinstance(segment, RoleLine)
    ]
    assert offsets == [2, 4]


@given(st.text(alphabet="user:\n #[]=a"))
def test_no_text_is_lost(text: str) -> None:
    kept = "".join(segment for segment in split_roles(text, opens_line=True, closes_line=True) if isinstance(segment, str))
    lines = [line for line in text.split("\n") if not _split(line) or isinstance(_split(line)[0], str)]
    assert [line for line in kept.split("\n") if line] == [line for line in lines if line]


@pytest.mark.parametrize(
    ("voice", "message"),
    [
        (Voice("system"), SystemMessage(content="x")),
        (Voice("developer"), DeveloperMessage(content="x")),
        (Voice("user", "anna"), UserMessage(content="x", name="anna")),
        (Voice("assistant"), AssistantMessage(content="x")),
    ],
)
def test_a_voice_says_a_message_of_its_role(voice: Voice, message: Message) -> None:
    assert voice.says("x") == message
