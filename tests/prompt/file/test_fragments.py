from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt.file.fragments import Expanded, expand
from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import PromptInvalid

FILE = "support/triage/draft.prompty"
TONE = '{% include "_fragments/tone.md" %}'


def _expand(body: str, fragments: Mapping[str, str] | None = None, *, file: str = FILE) -> Expanded:
    def fragment(path: str) -> bytes:
        if fragments is None or path not in fragments:
            raise FileNotFoundError(path)
        return fragments[path].encode()

    return expand(file, body, first_line=10, fragment=fragment)


def _wrong(body: str, fragments: Mapping[str, str] | None = None) -> list[str]:
    return [problem.sentence() for problem in _expand(body, fragments).problems]


def test_a_fragment_stands_where_it_is_included_less_its_last_line_end() -> None:
    found = _expand(f"a\n{TONE}\nb {TONE}c\n", {"_fragments/tone.md": "Be kind.\nBe brief.\n"})
    assert found.text == "a\nBe kind.\nBe brief.\nb Be kind.\nBe brief.c\n"
    assert found.problems == ()
    assert found.fragments == {"_fragments/tone.md": b"Be kind.\nBe brief.\n"}


def test_each_line_knows_where_it_came_from() -> None:
    fragments = {
        "_fragments/tone.md": "Be kind.\n{% include '_fragments/rules/short.md' %}\nEnd.\n",
        "_fragments/rules/short.md": "Be brief.\nVery.",
    }
    found = _expand(f"a\n\nb {TONE} c\n{TONE}\nd", fragments)
    tone, short = "_fragments/tone.md", "_fragments/rules/short.md"
    assert list(zip(found.text.split("\n"), found.origins, strict=True)) == [
        ("a", (FILE, 10)),
        ("", (FILE, 11)),
        ("b Be kind.", (FILE, 12)),
        ("Be brief.", (short, 1)),
        ("Very.", (short, 2)),
        ("End. c", (tone, 3)),
        ("Be kind.", (tone, 1)),
        ("Be brief.", (short, 1)),
        ("Very.", (short, 2)),
        ("End.", (tone, 3)),
        ("d", (FILE, 14)),
    ]


def test_an_include_of_several_lines_counts_them() -> None:
    found = _expand('{%\ninclude\n"_fragments/tone.md"\n%}\nend', {"_fragments/tone.md": "x"})
    assert found.text == "x\nend"
    assert found.origins == (("_fragments/tone.md", 1), (FILE, 14))


def test_an_empty_body_has_one_line() -> None:
    assert _expand("").origins == ((FILE, 1),)
    assert _expand("a\n").origins == ((FILE, 10), (FILE, 11))


def test_a_fragment_of_the_own_namespace_is_included_by_its_whole_path() -> None:
    body = '{% include "support/_fragments/sign.md" %}'
    assert _expand(body, {"support/_fragments/sign.md": "Support"}).text == "Support"
    said = f"{FILE}:10: includes what does not lie below _fragments/ or support/_fragments/, or is not written plainly"
    assert _wrong('{% include "legal/_fragments/sign.md" %}', {"legal/_fragments/sign.md": "x"}) == [said]


@pytest.mark.parametrize(
    "path",
    [
        "tone.md",
        "/etc/passwd",
        "_fragments/../support/triage/v1.prompty",
        "_fragments/./tone.md",
        "_fragments//tone.md",
        "_fragments/",
        "_fragments",
        "_fragments\\tone.md",
        "_fragments/.hidden",
        "_fragments/a b.md",
        "_fragments/{{name}}.md",
        "../prompts/_fragments/tone.md",
        "",
        "other/_fragments/x.md",
        "support/triage/_fragments/x.md",
        "_fragments/größe.md",
    ],
)
def test_nothing_is_read_from_elsewhere(path: str) -> None:
    asked: list[str] = []

    def fragment(path: str) -> bytes:
        asked.append(path)
        return b""

    found = expand(FILE, f'{{% include "{path}" %}}', first_line=10, fragment=fragment)
    assert [problem.text for problem in found.problems] == [
        "includes what does not lie below _fragments/ or support/_fragments/, or is not written plainly"
    ]
    assert asked == []


@pytest.mark.parametrize(
    "include",
    [
        "{% include name %}",
        '{%- include "_fragments/tone.md" %}',
        '{% include "_fragments/tone.md" -%}',
        '{% include "_fragments/tone.md" ignore missing %}',
        '{% include ["_fragments/tone.md"] %}',
        '{% include "_fragments/" ~ name %}',
        "{% include '_fragments/tone.md\" %}",
        "{%include%}",
    ],
)
def test_an_include_of_another_form_is_told(include: str) -> None:
    assert _wrong(f"a\n{include}", {"_fragments/tone.md": "x"}) == [
        f'{FILE}:11: includes in a way that is not known: write {{% include "_fragments/name.md" %}}'
    ]


def test_what_is_no_include_is_left_alone() -> None:
    for body in (
        f"{{# {TONE} #}}",
        f"{{% raw %}}{TONE}{{% endraw %}}",
        f"{{%- raw -%}}{{{{{TONE}{{%- endraw -%}}",
        f"{{{{ '{TONE}' }}}}",
        "{% included %}",
        "{ % include x % }",
        f"{{{{ never closed {TONE}",
        f"{{% raw %}} never closed {TONE}",
    ):
        assert (_expand(body).text, _expand(body).problems) == (body, ())


def test_control_after_them_includes_are_found_again() -> None:
    body = f"{{# x #}}{{{{ y }}}}{{% if z %}}{{% raw %}}{{{{{{% endraw %}}{TONE}"
    assert _expand(body, {"_fragments/tone.md": "!"}).text == body.replace(TONE, "!")


def test_a_fragment_that_cannot_be_read_is_told_where_it_is_included() -> None:
    assert _wrong(f"\n{TONE}\n{TONE}") == [f"{FILE}:11: includes _fragments/tone.md, which does not exist"]

    def forbidden(path: str) -> bytes:
        raise PermissionError(path)

    (problem,) = expand(FILE, TONE, first_line=10, fragment=forbidden).problems
    assert problem.text == "includes _fragments/tone.md, which cannot be read"


def test_what_is_wrong_inside_a_fragment_is_told_there() -> None:
    assert _wrong(TONE, {"_fragments/tone.md": "a\n{% include x %}"}) == [
        '_fragments/tone.md:2: includes in a way that is not known: write {% include "_fragments/name.md" %}'
    ]
    assert _wrong(TONE, {"_fragments/tone.md": "a\n\x07"}) == ["_fragments/tone.md:2: holds the control character U+0007"]


def test_fragments_end_lines_as_the_body_does() -> None:
    found = _expand(TONE, {"_fragments/tone.md": "\ufeffa\r\nb\r\n"})
    assert found.text == "a\nb"
    assert found.fragments == {"_fragments/tone.md": b"\xef\xbb\xbfa\r\nb\r\n"}  # the digest takes the bytes


def test_fragments_inside_each_other_end_at_the_third() -> None:
    chain = {f"_fragments/{number}": f'{number}{{% include "_fragments/{number + 1}" %}}' for number in range(1, 4)}
    chain["_fragments/3"] = "3"
    assert _expand('{% include "_fragments/1" %}', chain).text == "123"
    chain["_fragments/3"] = '{% include "_fragments/4" %}'
    assert _wrong('{% include "_fragments/1" %}', {**chain, "_fragments/4": "4"}) == [
        "_fragments/3:1: includes fragments more than 3 deep"
    ]
    assert _wrong(TONE, {"_fragments/tone.md": TONE}) == ["_fragments/tone.md:1: includes fragments more than 3 deep"]


def test_fragments_cannot_be_multiplied_without_end() -> None:
    with pytest.raises(PromptInvalid, match="includes more than 256 fragments, all together"):
        _expand(TONE * (LIMITS.includes + 1), {"_fragments/tone.md": ""})
    with pytest.raises(PromptInvalid, match="the body and its fragments have more than 1048576 characters"):
        _expand(TONE * 3, {"_fragments/tone.md": "x" * 400_000})
    many = '{% include "_fragments/b" %}' * 20
    with pytest.raises(PromptInvalid):
        _expand('{% include "_fragments/a" %}' * 20, {"_fragments/a": many, "_fragments/b": "x"})


@pytest.mark.parametrize(
    "piece", ["{{", "{%", "{#", "{% raw %}", "{", "{% include", "{% include '", "{{}}{%", "{% raw %}{% endraw"]
)
def test_no_body_of_the_largest_size_takes_long(piece: str) -> None:
    body = piece * (LIMITS.body_chars // len(piece))
    began = time.process_time()
    _expand(body)
    assert time.process_time() - began < 3


_PLAIN = st.sampled_from(["{{ a }}", "{# b #}", "{% if c %}", "{% raw %}{{{% endraw %}", "%}", "x", "\n", "é"])
_PIECES = _PLAIN | st.sampled_from([TONE, "{% include x %}", "{% raw %}", "{#", "#}", "{{", "{"])


@given(st.lists(_PLAIN | st.just(TONE), max_size=20).map("".join), st.lists(_PLAIN, max_size=8).map("".join))
def test_where_everything_is_closed_each_include_is_replaced_and_nothing_else(body: str, tone: str) -> None:
    found = _expand(body, {"_fragments/tone.md": tone})
    assert found.text == body.replace(TONE, tone.removesuffix("\n"))
    assert found.problems == ()


@given(st.lists(_PIECES, max_size=20).map("".join), st.lists(_PIECES.filter(lambda one: one != TONE), max_size=8).map("".join))
def test_each_line_of_any_body_begins_where_its_origin_says(body: str, tone: str) -> None:
    found = _expand(body, {"_fragments/tone.md": tone})
    lines = found.text.split("\n")
    assert len(found.origins) == len(lines)
    for line, (file, number) in zip(lines, found.origins, strict=True):
        source = body.split("\n")[number - 10] if file == FILE and number >= 10 else tone.split("\n")[number - 1]
        assert not line or line[0] in source
