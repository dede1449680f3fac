from __future__ import annotations

import hashlib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.file.source import Source, digest_of, read_source
from tests.prompt.file.front import FILE, problems, source

FRAGMENTS = {"_fragments/tone.md": b"Be kind.\r\nBe brief.\r\n", "_fragments/more.md": b"More."}


def _nothing(path: str) -> bytes:
    raise FileNotFoundError(path)


def _read(data: bytes, file: str = FILE) -> Source:
    return read_source(file, data, fragment=_nothing)


def _refused(data: bytes, file: str = FILE) -> list[str]:
    with pytest.raises(PromptInvalid) as caught:
        _read(data, file)
    return [problem.sentence().removeprefix(file) for problem in caught.value.problems]


def test_front_matter_and_body_are_parted() -> None:
    found = _read(b"---\nmodel: chat\n---\n\nsystem:\nHi\n---\nno fence\n")
    assert found.front.route == "chat"
    assert found.body == "\nsystem:\nHi\n---\nno fence\n"
    assert (found.body_line, found.line_of(1), found.line_of(3)) == (4, (FILE, 4), (FILE, 6))
    assert (found.fragments, found.warnings) == ((), ())


@pytest.mark.parametrize("data", [b"---\n---\n", b"---\n---", b"---  \n--- \t\n", b"\xef\xbb\xbf---\r\n---\r\n", b"---\r---\r"])
def test_front_matter_and_body_may_be_empty(data: bytes) -> None:
    found = _read(data)
    assert (found.body, found.front.inputs) == ("", ())
    assert found.line_of(1)[0] == FILE


def test_windows_files_read_as_others_do() -> None:
    text = "---\nmodel: chat\ndescription: |\n  a\n  b\n---\nuser:\nHi {{x}}\n"
    unix, windows = _read(text.encode()), _read(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert (unix.front, unix.body, unix.body_line, unix.origins) == (
        windows.front,
        windows.body,
        windows.body_line,
        windows.origins,
    )
    assert unix.digest != windows.digest  # a version is its bytes


@pytest.mark.parametrize("data", [b"", b"user:\nHi", b"\n---\nmodel: x\n---\n", b" ---\n---\n", b"--- x\n---\n", b"----\n---\n"])
def test_a_file_without_front_matter_is_told(data: bytes) -> None:
    assert _refused(data) == [":1: must begin with a line ---, the front matter and another line ---"]


@pytest.mark.parametrize("data", [b"---", b"---\nmodel: x", b"---\nmodel: x\n ---\n", b"---\nmodel: x\n---x\n"])
def test_a_front_matter_that_does_not_end_is_told(data: bytes) -> None:
    assert _refused(data) == [":1: has a front matter that does not end: a line --- is missing"]


def test_a_front_matter_that_is_too_large_is_not_read() -> None:
    assert _refused(b"---\n#" + b"x" * LIMITS.front_bytes + b"\n---\n") == [":1: has a front matter of more than 65536 bytes"]
    assert _read(b"---\n#" + b"x" * (LIMITS.front_bytes - 2) + b"\n---\n").body == ""


def test_bytes_that_are_no_text_are_told() -> None:
    assert _refused(b"---\nmodel: \xff\n---\n") == [":2: is not UTF-8"]
    assert _refused(b"---\nmodel: x\n---\na\n\x00") == [":5: holds the control character U+0000"]


def test_problems_of_front_matter_and_fragments_are_told_together() -> None:
    body = 'a\n{% include "_fragments/none.md" %}\n{% include "_fragments/tone.md" %}'
    assert problems("nam: x", body, fragments={"_fragments/tone.md": b"\n{% include x %}"}) == [
        '_fragments/tone.md:2: includes in a way that is not known: write {% include "_fragments/name.md" %}',
        '2: nam is no key of a prompt: did you mean "name"?',
        "5: includes _fragments/none.md, which does not exist",
    ]


def test_warnings_do_not_keep_a_prompt_from_being_used() -> None:
    (warning,) = source("inputs: {a: {kind: integer, example: x}}").warnings
    assert (warning.line, warning.severity) == (2, "warning")


def test_the_name_must_be_that_of_the_folder() -> None:
    assert _read(b"---\nname: triage\n---\n").front.name == "triage"
    assert _refused(b"---\nname: triage\n---\n", "support/other/v1.prompty") == [
        ':2: name is not the name of its folder: write "other", or leave it out'
    ]
    assert _read(b"---\nname: triage\n---\n", "alone.prompty").front.name == "triage"


def test_the_digest_is_over_the_file_and_its_fragments_each_behind_its_length() -> None:
    body = '{% include "_fragments/tone.md" %}{% include "_fragments/more.md" %}{% include "_fragments/tone.md" %}'
    found = source("model: chat", body, fragments=FRAGMENTS)
    data = f"---\nmodel: chat\n---\n{body}".encode()
    parts = [data, b"_fragments/more.md", b"More.", b"_fragments/tone.md", b"Be kind.\r\nBe brief.\r\n"]
    expected = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).hexdigest()
    assert found.digest == expected == digest_of(data, FRAGMENTS)
    assert found.fragments == ("_fragments/more.md", "_fragments/tone.md")


def test_the_digest_depends_on_nothing_that_is_not_used() -> None:
    assert source("model: chat", "x", fragments=FRAGMENTS).digest == source("model: chat", "x").digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"a", {}), (b"b", {})),
        ((b"a", {"f": b"x"}), (b"a", {"f": b"y"})),
        ((b"a", {"f": b"x"}), (b"a", {"g": b"x"})),
        ((b"a", {"f": b"x"}), (b"a", {"fx": b""})),
        ((b"a", {"f": b"x"}), (b"afx", {})),
        ((b"a", {"f": b"", "g": b""}), (b"a", {"f": b"g"})),
    ],
)
def test_another_file_or_fragment_is_another_digest(one: tuple[bytes, Any], other: tuple[bytes, Any]) -> None:
    assert digest_of(*one) != digest_of(*other)


def test_lines_of_fragments_are_told_as_such() -> None:
    found = source("model: chat", 'one\n{% include "_fragments/tone.md" %}\ntwo\n', fragments=FRAGMENTS)
    assert found.body == "one\nBe kind.\nBe brief.\ntwo\n"
    assert [found.line_of(line) for line in range(1, 6)] == [
        (FILE, 4),
        ("_fragments/tone.md", 1),
        ("_fragments/tone.md", 2),
        (FILE, 6),
        (FILE, 7),
    ]
    assert (found.line_of(0), found.line_of(99)) == ((FILE, 4), (FILE, 7))


def _or_refused(data: bytes) -> None:
    try:
        found = _read(data)
        told = found.warnings
        assert len(found.origins) == found.body.count("\n") + 1
    except PromptInvalid as error:
        told = error.problems
    assert all(0 <= problem.line <= data.count(b"\n") + data.count(b"\r") + 2 for problem in told)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _or_refused(data)
    _or_refused(b"---\n" + data + b"\n---\nuser:\nHi\n")
    _or_refused(b"---\nmodel: x\n---\n" + data)


_KEYS = st.sampled_from(
    [
        "name",
        "description",
        "metadata",
        "gateway",
        "contract",
        "mode",
        "messages",
        "overridable",
        "limits",
        "budget",
        "max_input_tokens",
        "trim",
        "input",
        "priority",
        "model",
        "id",
        "options",
        "temperature",
        "topK",
        "stopSequences",
        "additionalProperties",
        "connection",
        "kind",
        "inputs",
        "outputs",
        "tools",
        "parameters",
        "items",
        "properties",
        "default",
        "example",
        "enumValues",
        "required",
        "template",
        "format",
        "parser",
        "nullable",
        "maxLength",
        "pattern",
        "a",
        "b",
        "0",
    ]
)
_WORDS = st.sampled_from(
    ["string", "integer", "array", "object", "thread", "function", "reference", "jinja2", "chat", "thread:a", "a"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(0, 2) | _WORDS | _KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=25,
)
_TOP = st.sampled_from(["name", "metadata", "model", "inputs", "outputs", "tools", "template", "description"])


@given(st.dictionaries(_TOP, _VALUES, max_size=6))
def test_any_front_matter_is_read_or_refused(value: dict[str, Any]) -> None:
    _or_refused(b"---\n" + yaml.safe_dump(value).encode() + b"---\nuser:\nHi\n")


@given(_VALUES, _VALUES, _VALUES)
def test_any_terms_and_properties_are_read_or_refused(terms: Any, inputs: Any, limits: Any) -> None:
    """Deeper than the one above gets by chance."""
    declared = [{"name": "a", "kind": "array", "items": inputs}, {"name": "b", "kind": "object", "properties": inputs}]
    gateway = {"budget": terms, "limits": {"a": limits, "b": limits}}
    front = {"inputs": [*declared, inputs], "outputs": inputs, "tools": [{"name": "t", "kind": "function", "parameters": inputs}]}
    for one in ({"metadata": {"gateway": gateway}}, {"metadata": {"gateway": terms}}):
        _or_refused(b"---\n" + yaml.safe_dump({**front, **one}).encode() + b"---\n")
        _or_refused(b"---\n" + yaml.safe_dump({**one, "inputs": declared}).encode() + b"---\n")
