"""The Prompty format's own conformance vectors, from the folder that GATEHOUSE_PROMPTY_VECTORS names; skipped without it.

Those of rendering and parsing are run together here: a body goes from template and values to messages in one step, and its
intermediate text is nobody's business. What is expected is a text, so it is made into messages the same way.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.template.account import RenderFailed
from gateway.wire.message import AssistantMessage, DeveloperMessage, SystemMessage, UserMessage
from tests.prompt.template.bodies import compiled, kind, rendered

# read before the fixture that takes GATEHOUSE_… out of the environment
FOLDER = os.environ.get("GATEHOUSE_PROMPTY_VECTORS", "")

MUSTACHE = "one template language: `template.format.kind: mustache` is refused when the file is read"
NOT_OURS = {
    "mustache_inverted": MUSTACHE,
    "mustache_loop": MUSTACHE,
    "mustache_section": MUSTACHE,
    "missing_variable_renders_empty": "what is missing is an error, never an empty text that nobody notices",
    "role_with_multiple_unquoted_attributes": "a message has a name and no other attribute; an unknown one is refused",
    "strict_forged_boundary_throws": "a forged role line can part nothing, so the value is text and is not refused",
    "strict_multiline_boundary_throws": "as strict_forged_boundary_throws",
}
ROLES = {"system": SystemMessage, "developer": DeveloperMessage, "user": UserMessage, "assistant": AssistantMessage}


def _load() -> list[dict[str, Any]]:
    if not FOLDER:
        return []
    path = Path(FOLDER)
    read = msgspec.json.decode((path / "vectors.json" if path.is_dir() else path).read_bytes())
    return [one for one in read["vectors"] if one["operation"] in {"render", "renderSegments", "parse"}]


VECTORS = _load()
needs_vectors = pytest.mark.skipif(not VECTORS, reason="GATEHOUSE_PROMPTY_VECTORS names no folder of vectors")


def _of(operation: str) -> list[Any]:
    found = [one["vector"] for one in VECTORS if one["operation"] == operation]
    return [pytest.param(one, id=one["name"]) for one in found] or [pytest.param({}, id="none", marks=needs_vectors)]


def _literal(text: str) -> list[Any]:
    """Return the messages of a text that holds no tags."""
    return list(compiled(text).render({}))


def _render(vector: dict[str, Any]) -> bool:
    template, values = vector["input"]["template"], vector["input"]["inputs"]
    names = set(re.findall(r"\{\{\s*(\w+)", template))
    kinds = {name: "string" for name in names - set(values) if name != "item"}
    kinds |= {name: "thread" for name, value in values.items() if isinstance(value, dict) and value.get("_kind") == "thread"}
    values = {name: value["messages"] if kinds.get(name) == "thread" else value for name, value in values.items()}
    inputs = {name: kind(value) for name, value in values.items()} | kinds
    messages = compiled(template, inputs).render(values)
    if pattern := vector["expected"].get("nonce_pattern"):
        before, marker, behind = re.split(r"(__PROMPTY_THREAD_.*?__)\n", pattern.strip("^$").replace(r"\.", "."))
        thread = [ROLES[one["role"]](content=one["content"]) for one in values["conversation"]]
        return bool(marker) and messages == [*_literal(before), *thread, *_literal(behind)]
    return messages == _literal(vector["expected"]["rendered"])


def _segments(vector: dict[str, Any]) -> bool:
    """Tell whether a value is one piece of text in the message in which it stands, whatever lines it holds."""
    given = vector["input"]
    if "error" in vector["expected"]:
        with pytest.raises((RenderFailed, PromptInvalid)):
            rendered(given["template"], given["inputs"])
        return True
    messages = compiled(given["template"], dict.fromkeys(given["inputs"], "string")).render(given["inputs"])
    expected: list[Any] = []
    for segment in vector["expected"]["segments"]:
        if segment["kind"] == "literal":
            expected += _literal(segment["text"])
        else:
            last = expected.pop()
            expected.append(type(last)(content=last.content + segment["text"]))
    return messages == expected


def _parse(vector: dict[str, Any]) -> bool:
    text, threads = vector["input"]["rendered"], vector["input"].get("thread_inputs", {})
    text = re.sub(r"__PROMPTY_THREAD_[0-9a-f]+_(\w+?)__", r"{{\1}}", text)
    values = {
        name: [{"role": one["role"], "content": one["content"][0]["value"]} for one in messages]
        for name, messages in threads.items()
    }
    messages = compiled(text, dict.fromkeys(values, "thread")).render(values)
    expected = [
        ROLES[one["role"]](content="".join(part["value"] for part in one["content"]), **one.get("metadata", {}))
        for one in vector["expected"]["messages"]
    ]
    return messages == expected


CHECKS = {"render": _render, "renderSegments": _segments, "parse": _parse}


def _holds(operation: str, vector: dict[str, Any]) -> bool:
    if vector["name"] not in NOT_OURS:
        return CHECKS[operation](vector)
    try:
        return CHECKS[operation](vector)
    except (PromptInvalid, RenderFailed, TypeError, pytest.fail.Exception):
        return False


@needs_vectors
@pytest.mark.parametrize("vector", _of("render"))
def test_a_rendered_vector_gives_its_messages(vector: dict[str, Any]) -> None:
    assert _holds("render", vector) is (vector["name"] not in NOT_OURS), NOT_OURS.get(vector["name"])


@needs_vectors
@pytest.mark.parametrize("vector", _of("renderSegments"))
def test_a_value_never_parts_a_message(vector: dict[str, Any]) -> None:
    assert _holds("renderSegments", vector) is (vector["name"] not in NOT_OURS), NOT_OURS.get(vector["name"])


@needs_vectors
@pytest.mark.parametrize("vector", _of("parse"))
def test_a_parsed_vector_gives_its_messages(vector: dict[str, Any]) -> None:
    assert _holds("parse", vector) is (vector["name"] not in NOT_OURS), NOT_OURS.get(vector["name"])


@needs_vectors
def test_every_vector_that_is_left_out_exists() -> None:
    assert set(NOT_OURS) <= {one["vector"]["name"] for one in VECTORS}
