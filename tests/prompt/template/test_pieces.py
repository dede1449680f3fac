from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.template.findings import Findings
from gateway.prompt.template.limits import RENDER_LIMITS
from gateway.prompt.template.pieces import Piece, Tag, Text, Token, read_pieces


def _read(body: str) -> list[Piece]:
    findings = Findings(lambda line: ("f", line))
    pieces = read_pieces(body, findings, RENDER_LIMITS)
    findings.settle()
    return pieces


def _faults(body: str) -> list[tuple[int, str]]:
    with pytest.raises(PromptInvalid) as caught:
        _read(body)
    return [(problem.line, problem.text) for problem in caught.value.problems]


def _words(body: str) -> list[str]:
    return [token.text for piece in _read(body) if isinstance(piece, Tag) for token in piece.tokens]


def _texts(body: str) -> list[str]:
    return [piece.text for piece in _read(body) if isinstance(piece, Text)]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("a\n{{ x", (2, "the tag is not closed")),
        ("{% if x }}", (1, "unexpected '}'")),
        ("{{ x %}", (1, "unexpected '}'")),
        ("a\n\n{# x", (3, "the comment is not closed: '#}' is missing")),
        ("{% raw %}{{ x }}", (1, "raw is not closed: '{% endraw %}' is missing")),
        ("{{\n'abc }}", (2, "the quoted text is not closed")),
        ("{{ x ! }}", (1, "unexpected '!'")),
        ("{{ x;y }}", (1, "unexpected ';'")),
        ("{{ straße }}", (1, "unexpected 'ß'")),
        ("{{ x }} {{ {} } }}", (1, "unexpected '}'")),
        (r"{{ 'a\q' }}", (1, r"unknown escape '\q' in a quoted text")),
        (r"{{ 'a\x41' }}", (1, r"unknown escape '\x' in a quoted text")),
        ("{{ 0x10 }}", (1, "unexpected '0'")),
        ("{{ 1_000 }}", (1, "unexpected '1'")),
        ("{{ 1e9 }}", (1, "unexpected '1'")),
        ("{{ 1234567890123456789 }}", (1, "unexpected '1'")),
        ("{{ \x00 }}", (1, r"unexpected '\x00'")),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(body: str, fault: tuple[int, str]) -> None:
    assert fault in _faults(body)


def test_reading_goes_on_behind_a_fault() -> None:
    assert [line for line, _ in _faults("{{ ! }}\n{{ x }}\n{{ ? }}\n{% $ %}")] == [1, 3, 4]


def test_text_and_tags_come_in_their_order() -> None:
    assert [type(piece) for piece in _read("a{{ b }}c{% if d %}")] == [Text, Tag, Text, Tag]


def test_a_comment_is_gone_whatever_it_holds() -> None:
    assert _texts("a{# {{ x }} {% y %} '\" #}b") == ["a", "b"]


def test_raw_is_text_and_marked() -> None:
    pieces = _read("{% raw %}{{ x }}{% y %}{# z #}{% endraw %}")
    assert [(piece.text, piece.raw) for piece in pieces if isinstance(piece, Text)] == [("{{ x }}{% y %}{# z #}", True)]


@pytest.mark.parametrize("body", ["{%- raw -%}x{%- endraw -%}", "{%+raw%}x{%endraw+%}", "{%  raw\n%}x{%\nendraw %}"])
def test_raw_may_be_written_in_every_way(body: str) -> None:
    assert _texts(body) == ["x"]


def test_an_end_inside_quotes_or_braces_ends_nothing() -> None:
    assert _words("""{{ "}}" }}{{ '%}' }}{{ {"a": {"b": 1}}}}{% if "%}" %}""") == [
        *("}}", "%}"),
        *("{", "a", ":", "{", "b", ":", "1", "}", "}"),
        *("if", "%}"),
    ]


def test_words_signs_numbers_and_texts_are_told_apart() -> None:
    tag = _read("{{ a_1 // 2.50 == 'x' }}")[0]
    assert isinstance(tag, Tag)
    assert [(token.kind, token.text) for token in tag.tokens] == [
        ("name", "a_1"),
        ("mark", "//"),
        ("number", "2.50"),
        ("mark", "=="),
        ("string", "x"),
    ]


def test_an_escape_is_read() -> None:
    assert _words(r"""{{ "a\\\"\'\n\r\tb" }}""") == ["a\\\"'\n\r\tb"]


@pytest.mark.parametrize(
    ("body", "trims"),
    [
        ("a{{ x }}b", [(False, False), (False, False)]),
        ("a{{- x }}b", [(False, True), (False, False)]),
        ("a{{ x -}}b", [(False, False), (True, False)]),
        ("a{%- x -%}b", [(False, True), (True, False)]),
        ("a{%+ x +%}b", [(False, False), (False, False)]),
        ("a{#- x -#}b", [(False, True), (True, False)]),
        ("a{%- raw %}b{% endraw -%}c", [(False, True), (False, False), (True, False)]),
        ("a{% raw -%}b{%- endraw %}c", [(False, False), (True, True), (False, False)]),
    ],
)
def test_what_takes_whitespace_is_noted_at_the_text(body: str, trims: list[tuple[bool, bool]]) -> None:
    assert [(piece.trim_start, piece.trim_end) for piece in _read(body) if isinstance(piece, Text)] == trims


def test_text_knows_whether_its_ends_are_ends_of_lines() -> None:
    ends = [(piece.opens_line, piece.closes_line) for piece in _read("a\n{{ x }}b\n{{ x }}\nc") if isinstance(piece, Text)]
    assert ends == [(True, True), (False, True), (False, True)]


@pytest.mark.parametrize(
    ("body", "alone"),
    [("{{ x }}", True), ("a\n  {{ x }}\t\nb", True), ("a {{ x }}\n", False), ("{{ x }}b", False), ("{{ x }}{{ x }}", False)],
)
def test_a_tag_knows_whether_it_stands_alone_on_its_line(*, body: str, alone: bool) -> None:
    tag = next(piece for piece in _read(body) if isinstance(piece, Tag))
    assert tag.alone is alone


def test_every_piece_and_word_knows_its_line() -> None:
    pieces = _read("a\nb\n{{ x\n + y }}\nc{# \n #}{% if\nz %}")
    assert [piece.line for piece in pieces] == [1, 3, 4, 6]
    assert [token.line for piece in pieces if isinstance(piece, Tag) for token in piece.tokens] == [3, 4, 4, 6, 7]


@given(st.text())
def test_a_text_is_written_for_the_engine_so_that_it_reads_the_same(text: str) -> None:
    assert _words("{{ " + Token("string", text, 1).source() + " }}") == [text]


@given(
    st.lists(
        st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", "raw", "endraw", "'", '"', "\\", "-", "\n", " ", "x", "{", "}"])
    )
)
def test_whatever_is_written_is_read_or_refused(parts: list[str]) -> None:
    findings = Findings(lambda line: ("f", line))
    try:
        pieces = read_pieces("".join(parts), findings, RENDER_LIMITS)
    except PromptInvalid:
        return
    assert all(1 <= piece.line <= 1 + parts.count("\n") for piece in pieces)
