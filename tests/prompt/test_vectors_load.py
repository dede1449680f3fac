"""Prompty's own conformance vectors for loading, run from the folder that GATEHOUSE_PROMPTY_VECTORS names.

The folder holds `vectors.json` and `fixtures/`, as the Prompty project publishes them. What a vector wants and we refuse is
listed here with the reason, and that it is refused for just that reason is tested, so that no line of the list grows stale;
where something else stands in the same vector, it is tested without what is refused.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec import UNSET

from gateway.prompt.contract.contract import VariablesInvalid, contract_of
from gateway.prompt.file.frontmatter import Property
from gateway.prompt.file.options import NAMES
from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.file.source import Source, read_source

FOLDER = Path(os.environ.get("GATEHOUSE_PROMPTY_VECTORS", ""))
VECTORS: dict[str, dict[str, Any]] = (
    {
        one["vector"]["name"]: one["vector"]
        for one in msgspec.json.decode((FOLDER / "vectors.json").read_bytes())["vectors"]
        if one["operation"] == "load"
    }
    if FOLDER.name
    else {}
)
pytestmark = pytest.mark.skipif(not VECTORS, reason="GATEHOUSE_PROMPTY_VECTORS names no folder with Prompty's vectors")

_KEY = "must have kind reference"
_ENV = "has ${env:…}"
_FILE = "has ${file:…}"
_FUNCTION = "must be function"


@dataclass(frozen=True)
class Refused:
    """What we say to a vector, each once or more, and nothing else; `without` takes it away, so that the rest can be tested."""

    said: tuple[str, ...]
    because: str
    without: tuple[str, str] | None = None


_CONNECTION = (r"connection:\n +kind: key\n +endpoint: .*\n +apiKey: .*\n", "connection: {kind: reference, name: gateway}\n")
_NO_KEYS = "endpoints and keys stand in gateway.toml: whoever may edit a prompt shall not reach them"
_ONE_FILE = "a version is its own file and its fragments, so that its digest tells all of it"
_NO_TOOLS = "tools are run by the application; the gateway calls none"
REFUSED = {
    "basic_load": Refused((_KEY, _ENV), _NO_KEYS, _CONNECTION),
    "instructions_from_body": Refused((_KEY, _ENV), _NO_KEYS, _CONNECTION),
    "connection_types_load": Refused((_KEY,), _NO_KEYS),
    "env_default": Refused((_KEY, _ENV), _NO_KEYS),
    "env_missing_error": Refused((_KEY, _ENV), _NO_KEYS),
    "env_resolution": Refused((_KEY, _ENV), _NO_KEYS),
    "embedding_load": Refused((_KEY, _ENV, "must be chat"), "only chat prompts are served"),
    "image_apitype_load": Refused(("must be chat", "size is no field", "quality is no field"), "only chat prompts are served"),
    "file_reference_in_tree_allowed": Refused((_FILE, "must be a mapping"), _ONE_FILE),
    "file_reference_traversal_rejected": Refused((_FILE, "must be a mapping"), _ONE_FILE),
    "file_resolution": Refused((_FILE, "must be a mapping"), _ONE_FILE),
    "tools_custom_load": Refused(("tools[0].connection cannot be used", _FUNCTION), _NO_TOOLS),
    "tools_mcp_load": Refused(("serverName is no key", "tools[0].connection cannot be used", _FUNCTION), _NO_TOOLS),
    "tools_openapi_load": Refused(("specification is no key", "tools[0].connection cannot be used", _FUNCTION), _NO_TOOLS),
    "tools_function_load": Refused(
        ("tools[0].bindings cannot be used",),
        "an argument that the prompt fills in would never reach the application that runs the tool",
        (r" +bindings:\n +unit:\n +input: preferred_unit\n", ""),
    ),
    "invalid_frontmatter_error": Refused(("is not YAML",), "the vector wants it refused"),
    "template_string_invalid": Refused(("template must be a mapping",), "the vector wants it refused"),
}
ELSEWHERE = {"missing_file_error": "files are found by the library; what reads one is given its bytes"}

_WANTS_AN_ERROR = {
    "env_missing_error",
    "file_reference_traversal_rejected",
    "invalid_frontmatter_error",
    "template_string_invalid",
}


def _nothing(path: str) -> bytes:
    raise FileNotFoundError(path)


def _data(vector: dict[str, Any]) -> bytes:
    given = vector["input"]
    if "fixture" in given:
        fixture: str = given["fixture"]
        return (FOLDER / "fixtures" / fixture).read_bytes()
    if "frontmatter_raw" in given:
        return str(given["frontmatter_raw"]).encode()
    front: str = yaml.safe_dump(given["frontmatter"], sort_keys=False)
    return f"---\n{front}---\n".encode()


def _read(data: bytes) -> Source:
    return read_source("vector.prompty", data, fragment=_nothing)


def _properties(found: tuple[Property, ...]) -> list[dict[str, Any]] | None:
    shown = [
        {
            "name": one.name,
            "kind": one.kind,
            **({"description": one.description} if one.description else {}),
            **({"required": True} if one.required else {}),
            **({"default": one.default} if one.default is not UNSET else {}),
            **({"example": one.example} if one.example is not UNSET else {}),
        }
        for one in found
    ]
    return shown or None


def _shown(source: Source, expected: dict[str, Any]) -> dict[str, Any]:
    """Return what a vector expects as we read it: the same keys, with what we have in their place."""
    front = source.front
    theirs = {ours: name for name, ours in NAMES.items()}
    model = {"id": front.route, "apiType": "chat", "options": {theirs[name]: value for name, value in front.options.items()}}
    wanted = expected.get("model") or {}
    # What the format names and we only read: there is one provider, the gateway, and connections are refused above.
    wanted = {**model, "provider": wanted.get("provider"), "connection": wanted.get("connection")} | {
        key: value for key, value in model.items() if key in wanted
    }
    return {
        "kind": "prompt",
        "name": front.name,
        "description": front.description,
        "metadata": front.metadata,
        "model": {key: wanted[key] for key in expected.get("model") or {}} or None,
        "inputs": _properties(front.inputs),
        "outputs": _properties(front.outputs),
        "tools": _tools(source, expected),
        "template": {"format": {"kind": "jinja2"}, "parser": {"kind": "prompty"}},
        "instructions": source.body.rstrip("\n"),
    }


def _tools(source: Source, expected: dict[str, Any]) -> list[dict[str, Any]] | None:
    shown = []
    for tool, wanted in zip(source.front.tools, expected.get("tools") or (), strict=True):
        schema = msgspec.json.decode(tool.function.parameters) if tool.function.parameters is not UNSET else {}
        parameters = [
            {
                "name": name,
                "kind": (part["type"] if isinstance(part["type"], str) else part["type"][0]),
                **({"description": part["description"]} if "description" in part else {}),
                **({"enumValues": [value for value in part["enum"] if value is not None]} if "enum" in part else {}),
            }
            for name, part in schema.get("properties", {}).items()
        ]
        function = tool.function
        shown.append(
            {
                "name": function.name,
                "kind": "function",
                "description": function.description,
                "strict": function.strict,
                "parameters": parameters,
                **({"bindings": wanted["bindings"]} if "bindings" in wanted else {}),  # refused, and taken away before
            }
        )
    return shown or None


def _check(vector: dict[str, Any], source: Source) -> None:
    expected = vector["expected"]
    if "inputs" in vector["input"]:
        contract = contract_of(source.front)
        if "error" in expected:
            with pytest.raises(VariablesInvalid) as caught:
                contract.admit(vector["input"]["inputs"])
            assert caught.value.param == f"/prompt/variables/{expected['error_field']}"
        else:
            assert contract.admit(vector["input"]["inputs"]).values == expected["validated_inputs"]
        return
    assert "error" not in expected
    shown = _shown(source, expected)
    assert {key: shown[key] for key in expected} == expected


@pytest.mark.parametrize("name", sorted(VECTORS.keys() - REFUSED.keys() - ELSEWHERE.keys()))
def test_a_vector_is_read_as_the_format_says(name: str) -> None:
    _check(VECTORS[name], _read(_data(VECTORS[name])))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_vector_is_refused_for_the_listed_reason_and_no_other(name: str) -> None:
    refused, vector = REFUSED[name], VECTORS[name]
    with pytest.raises(PromptInvalid) as caught:
        _read(_data(vector))
    said = [problem.text for problem in caught.value.problems]
    assert [one for one in said if not any(part in one for part in refused.said)] == []
    assert [part for part in refused.said if not any(part in one for one in said)] == []
    assert refused.because
    assert ("error" in vector["expected"]) == (name in _WANTS_AN_ERROR)


@pytest.mark.parametrize("name", sorted(name for name, one in REFUSED.items() if one.without))
def test_without_what_is_refused_the_rest_is_read_as_the_format_says(name: str) -> None:
    pattern, replacement = REFUSED[name].without or ("", "")
    text, count = re.subn(pattern, replacement, _data(VECTORS[name]).decode())
    assert count == 1
    _check(VECTORS[name], _read(text.encode()))


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_a_vector_that_is_for_another_part_says_nothing_of_a_files_text(name: str) -> None:
    assert not (FOLDER / "fixtures" / VECTORS[name]["input"]["fixture"]).exists()
    assert VECTORS[name]["expected"] == {"error": "FileNotFoundError"}


def test_every_line_of_the_lists_is_about_a_vector() -> None:
    assert {*REFUSED, *ELSEWHERE} <= VECTORS.keys()
