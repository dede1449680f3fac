from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.prompt.file.document import _MISLEADING, Document, Path, _Reader, read_document, walk
from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import PromptInvalid


def _read(text: str) -> dict[str, Any]:
    document = read_document("f", text, first_line=2)
    assert document.problems == ()
    return document.value


def _refused(text: str) -> str:
    with pytest.raises(PromptInvalid) as caught:
        read_document("f", text, first_line=2)
    return str(caught.value)


def _noted(text: str) -> list[str]:
    return [problem.sentence() for problem in read_document("f", text, first_line=2).problems]


def test_scalars_are_those_of_json() -> None:
    text = """
a: [true, False, null, ~, '', yes!, 12, -3, +4, 0x1F, 0o17, 010, 1.5, .5, -1e3, 5., 1e-400]
b: [2026-01-31, 12:30, 1_000, "12", 'true', 1.2.3, 0b1, 1e, "\\n", v1]
c: |
  yes
  no
"""
    value = _read(text)
    assert value["a"] == [True, False, None, None, "", "yes!", 12, -3, 4, 31, 15, 10, 1.5, 0.5, -1000.0, 5.0, 0.0]
    assert [type(one) for one in value["a"][6:12]] == [int] * 6
    assert value["b"] == ["2026-01-31", "12:30", "1_000", "12", "true", "1.2.3", "0b1", "1e", "\n", "v1"]
    assert value["c"] == "yes\nno\n"


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert _read("1: a\ntrue: b\n<<: {c: d}\n~: e") == {"1": "a", "true": "b", "<<": {"c": "d"}, "~": "e"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "~", "{}"])
def test_an_empty_document_is_an_empty_mapping(text: str) -> None:
    assert _read(text) == {}


@pytest.mark.parametrize("text", ["a", "- a", "3", "true", "[]"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert _refused(text) == "f:2: the front matter must be a mapping of keys to values"


def test_each_key_and_item_has_its_line() -> None:
    text = "a:\n  b: 1\n  c:\n\n    - x\n    - d: y\n      e: [1,\n        2]\n'é😀': 'x\u2028y'\ng: |\n  z\nf: 1"
    document = read_document("f", text, first_line=2)
    lines: dict[Path, int] = {
        (): 2,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 4,
        ("a", "c", 0): 6,
        ("a", "c", 1): 7,
        ("a", "c", 1, "d"): 7,
        ("a", "c", 1, "e"): 8,
        ("a", "c", 1, "e", 0): 8,
        ("a", "c", 1, "e", 1): 9,
        ("é😀",): 10,
        ("g",): 11,
        ("f",): 13,
    }
    assert document.lines == lines
    assert document.line(("a", "c", 1, "e", 7, "nowhere")) == 8
    assert document.line(("nowhere",)) == 2


def test_an_item_that_is_empty_has_its_line() -> None:
    document = read_document("f", "a:\n  -\n  - b\n  -\n", first_line=2)
    assert document.value == {"a": [None, "b", None]}
    assert [document.line(("a", place)) for place in range(3)] == [3, 4, 5]


def test_what_is_no_yaml_is_told_with_its_line_and_where_it_began() -> None:
    assert _refused("a: 1\nb: [x,\n  y\nc: 2").startswith("f:5: is not YAML: ")
    assert "that begins in line 3" in _refused("a: 1\nb: [x,\n  y\nc: 2")
    assert _refused("a: b: c").startswith("f:2: is not YAML: ")
    assert _refused("a: 1\n...\nb: 2").startswith("f:4: is not YAML: ")
    assert _refused("a: 1\n\tb: 2").startswith("f:3: is not YAML: ")


def test_a_key_that_is_given_twice_is_told_with_both_lines() -> None:
    assert _noted("a: 1\nb:\n  c: 1\n  'c': 2\na: 2") == [
        "f:5: b.c is given twice: it stands in line 4 already",
        "f:6: a is given twice: it stands in line 2 already",
    ]


def test_a_key_that_is_no_text_is_refused() -> None:
    assert _refused("a:\n  ? [b]\n  : c") == "f:3: a has a key that is no text"
    assert _refused("{a: b}: c") == "f:2: the front matter has a key that is no text"
    assert _refused("x: &a y\n*a : c") == "f:3: the front matter has a key that is no text"


@pytest.mark.parametrize("tag", ["!x", "!!str", "!!python/object/apply:os.system", "!<tag:yaml.org,2002:int>", "!"])
def test_a_tag_makes_nothing_and_is_told(tag: str) -> None:
    assert _noted(f"a:\n  - {tag} [1]\n  - b") == ["f:3: a[0] has a tag of YAML: write plain values"]
    assert _noted(f"a: {tag} 'b'") == ["f:2: a has a tag of YAML: write plain values"]


def test_numbers_that_json_does_not_know_are_told() -> None:
    assert _noted("a: .inf\nb: -.INF\nc: .nan\nd: 1e999") == [
        f"f:{line}: {key} is no number that JSON knows" for line, key in ((2, "a"), (3, "b"), (4, "c"), (5, "d"))
    ]
    assert _noted(f"a: {2**64}\nb: {-(2**63) - 1}") == [
        "f:2: a is a number of more than 64 bits",
        "f:3: b is a number of more than 64 bits",
    ]
    assert _noted("a: " + "9" * 5000) == ["f:2: a is no number that JSON knows"]
    assert _read(f"a: {2**64 - 1}\nb: {-(2**63)}") == {"a": 2**64 - 1, "b": -(2**63)}


def test_what_others_read_as_a_boolean_is_a_text_with_a_warning() -> None:
    document = read_document("f", "a: no\nb: 'no'\nc: On", first_line=2)
    assert document.value == {"a": "no", "b": "no", "c": "On"}
    assert [(one.line, one.severity) for one in document.problems] == [(2, "warning"), (4, "warning")]


def test_control_characters_cannot_come_by_an_escape() -> None:
    assert _noted('a: "\\x00"\nb: "\\e[31m"\nc: "\\t\\n"') == [
        "f:2: a holds a control character",
        "f:3: b holds a control character",
    ]


def test_an_alias_stands_for_its_anchor() -> None:
    document = read_document("f", "a: &x {k: [1]}\nb: *x\nc:\n  - *x", first_line=2)
    assert document.value == {"a": {"k": [1]}, "b": {"k": [1]}, "c": [{"k": [1]}]}
    assert document.line(("c", 0, "k", 0)) == 5


def test_an_alias_of_what_is_not_there_yet_is_refused() -> None:
    assert _refused("a: *x") == "f:2: a is an alias of something that does not end before it"
    assert _refused("a: &x [*x]") == "f:2: a[0] is an alias of something that does not end before it"
    assert _refused("a: &x 1\nb: &x [*x]") == "f:3: b[0] is an alias of something that does not end before it"
    assert _refused("a: &x\n  b: {c: *x}") == "f:3: a.b.c is an alias of something that does not end before it"


def test_too_many_aliases_are_refused() -> None:
    most = f"a: &x 1\nb: [{'*x,' * LIMITS.aliases}]"
    assert len(_read(most)["b"]) == LIMITS.aliases
    assert _refused(f"{most}\nc: *x") == "f:4: the front matter has more than 16 aliases: write it out"


def test_aliases_are_counted_with_all_that_they_stand_for() -> None:
    bomb = "a: &a [0,0,0,0,0,0,0,0,0,0]\n" + "".join(
        f"{name}: &{name} [{f'*{before},' * 4}]\n" for before, name in (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"))
    )
    small = LIMITS.front_values // 2
    fits = f"a: &a [{'0,' * (small - 10)}]\nb: *a"
    assert _read(fits)["a"] == _read(fits)["b"]
    assert _refused(f"{fits}\nc: *a") == "f:4: the front matter has more than 10000 values"
    assert sum(text.count("*") for text in bomb.splitlines()) == LIMITS.aliases  # within that cap, and so within the other
    assert len(_read(bomb)["e"]) == 4


def test_what_is_nested_too_deeply_is_refused_also_by_aliases() -> None:
    fits = f"a: {'[' * (LIMITS.front_depth - 1)}{']' * (LIMITS.front_depth - 1)}"
    assert "a" in _read(fits)
    deep = "f:2: the front matter is nested deeper than 24"
    assert _refused(f"a: {'[' * LIMITS.front_depth}0{']' * LIMITS.front_depth}") == deep
    half = LIMITS.front_depth // 2
    nested = f"{'[' * half}{{}}{']' * half}"
    assert _refused(f"a: &a {nested}\nb: {nested.replace('{}', '*a')}") == deep.replace(":2:", ":3:")


@pytest.mark.parametrize(
    "text",
    [
        *(piece * (60_000 // len(piece)) for piece in ("[", "{a: ", "- ", "&a ", "? ", "[a,", "!", "%", "{", "- - - \n")),
        *("a: |\n" + " \n" * 30_000, '"' + "\\x41" * 15_000 + '": 1', "a" * 60_000 + ": b"),
    ],
    ids=lambda text: text[:5],
)
def test_no_text_of_the_largest_size_takes_long(text: str) -> None:
    began = time.process_time()
    with suppress(PromptInvalid):
        read_document("f", text, first_line=2)
    assert time.process_time() - began < 0.5  # 20 ms on a slow machine; what is quadratic takes minutes


_ALPHABET = st.sampled_from([*"ab:[]{},-?&*!|>'\"#%@`\n\t .01eE~<=\\xu", "- ", ": ", "\n  ", "true", "null", "0x", "é", "\u2028"])


@given(st.lists(_ALPHABET, max_size=60).map("".join))
@example("a: !!binary x")
@example("?")
@example("a: &b")
@example("a: &a\n  ? &a b")
def test_any_text_is_json_or_refused_with_a_line(text: str) -> None:
    try:
        document = read_document("f", text, first_line=2)
    except PromptInvalid as error:
        document = Document({}, {}, error.problems)
    assert all(2 <= problem.line <= text.count("\n") + 3 for problem in document.problems)
    assert msgspec.json.decode(msgspec.json.encode(document.value)) == document.value
    assert all(2 <= line <= text.count("\n") + 2 for line in document.lines.values())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _JSON, max_size=4))
def test_json_is_read_as_itself(value: dict[str, Any]) -> None:
    text = msgspec.json.encode(value).decode()
    text = text.replace("\ufeff", "")
    if not _MISLEADING.search(text) and "\\u00" not in text:
        assert _read(text) == msgspec.json.decode(text)


@pytest.mark.parametrize("key", ["a\\nb", "\\e[2J", "a\\u202eb", "\u2067a", "a" * 257])
def test_a_key_that_would_mislead_who_sees_it_printed_is_refused(key: str) -> None:
    said = "f:3: a has a key that is too long, or that would mislead who sees it printed"
    assert _refused(f'a:\n  "{key}": 1') == said


def test_the_parser_without_libyaml_reads_the_same() -> None:
    text = "a: &x [1, 2.5, 'b']\nc: {d: *x}\ne: |\n  text\n"
    reader = _Reader("f", text, 2)
    assert reader.read(yaml.parse(text, Loader=yaml.SafeLoader)) == _read(text)
    assert reader.lines == read_document("f", text, first_line=2).lines
    reader = _Reader("f", 'a: "\\ud800"', 2)
    assert reader.read(yaml.parse('a: "\\ud800"', Loader=yaml.SafeLoader)) == {"a": ""}
    assert reader.problems


def test_every_text_and_key_is_visited_with_its_place() -> None:
    seen: list[tuple[str, Path]] = []
    walk({"a": ["b", 1, {"c": "d"}], "e": None}, lambda text, path: seen.append((text, path)))
    assert seen == [
        ("a", ("a",)),
        ("b", ("a", 0)),
        ("c", ("a", 2, "c")),
        ("d", ("a", 2, "c")),
        ("e", ("e",)),
    ]
