"""Reads a front matter: Prompty v2, strictly, with everything that is wrong told at once.

Invariants
- A key that we do not know, at any depth, is a problem; the only free ones stand under `metadata`, beside `gateway`.
- What is refused at load cannot fail later: options, tools and the answer's schema have passed the wire's own types, defaults
  their own contract.
- Nothing is taken from outside the file: neither from the environment nor from other files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from gateway.prompt.contract.contract import contract_of
from gateway.prompt.file.document import Document, Path, walk
from gateway.prompt.file.fields import Fields
from gateway.prompt.file.frontmatter import FrontMatter, Property
from gateway.prompt.file.options import decoded, read_options
from gateway.prompt.file.properties import read_properties
from gateway.prompt.file.report import Report
from gateway.prompt.file.schema import answer_schema
from gateway.prompt.file.terms import Terms, read_terms
from gateway.prompt.file.tools import read_tools
from gateway.wire.limits import LIMITS

_ROOT = ("name", "description", "metadata", "model", "inputs", "outputs", "tools", "template")
_V1 = "is a key of Prompty v1: "
_RETIRED = {
    "authors": f"{_V1}write it under metadata",
    "tags": f"{_V1}write it under metadata",
    "version": f"{_V1}a version is the file's own name here, given by publishing it",
    "sample": f"{_V1}write example under each input",
    "parameters": f"{_V1}write model.options",
    "configuration": f"{_V1}write model",
    "kind": "is not written: every file here is a prompt",
}
_MODEL = ("id", "apiType", "provider", "connection", "options")
_MODEL_RETIRED = {
    "api": f"{_V1}write apiType",
    "configuration": f"{_V1}connections stand in gateway.toml",
    "parameters": f"{_V1}write options",
}
_REFERENCE = re.compile(r"\$\{\s*(env|file)\s*:", re.IGNORECASE)
_WHY = {
    "env": "has ${env:…}: the environment holds secrets, which nobody shall reach by editing a prompt; write the value itself",
    "file": "has ${file:…}: a version is its file and its fragments; write the value itself, or include a fragment in the body",
}


def read_front(report: Report, document: Document, *, folder: str | None) -> FrontMatter:
    """Return what a front matter says; all that is wrong is in `report`, and then the values are of no use.

    `folder` is the name that the file's folder gives the prompt, None where it gives none.
    """
    _refuse_references(report, document)
    fields = Fields(report, (), document.value, known=_ROOT, retired=_RETIRED)
    _check_template(fields)
    inputs = _properties(fields, "inputs")
    outputs = _properties(fields, "outputs")
    metadata, terms = _metadata(fields, {one.name: one for one in inputs})
    route, options = _model(fields)
    front = FrontMatter(
        name=_name(fields, folder),
        description=fields.text("description"),
        metadata=metadata,
        contract=terms.contract,
        mode=terms.mode,
        messages=terms.messages,
        overridable=terms.overridable,
        limits=terms.limits,
        budget=terms.budget,
        route=route,
        options=options,
        inputs=inputs,
        outputs=outputs,
        tools=read_tools(report, fields.at("tools"), fields.raw("tools")) if "tools" in fields else (),
    )
    _check_defaults(fields, front)
    _check_request(fields, front)
    return front


def _name(fields: Fields, folder: str | None) -> str | None:
    if "name" not in fields:
        return None
    name = fields.text("name")
    if isinstance(fields.raw("name"), str) and folder is not None and name != folder:
        fields.wrong("name", f'is not the name of its folder: write "{folder}", or leave it out')
    return name


def _refuse_references(report: Report, document: Document) -> None:
    def visit(text: str, path: Path) -> None:
        for found in dict.fromkeys(name.lower() for name in _REFERENCE.findall(text)):
            report.add(path, _WHY[found])

    walk(document.value, visit)


def _properties(fields: Fields, key: str) -> tuple[Property, ...]:
    if key not in fields:
        return ()
    return read_properties(fields.report, fields.at(key), fields.raw(key), place="input" if key == "inputs" else "output")


def _metadata(fields: Fields, inputs: Mapping[str, Property]) -> tuple[dict[str, Any], Terms]:
    metadata = fields.raw("metadata", {})
    if not isinstance(metadata, dict):
        fields.wrong("metadata", "must be a mapping of keys to values")
        return {}, Terms()
    path = (*fields.at("metadata"), "gateway")
    terms = read_terms(fields.report, path, metadata["gateway"], inputs=inputs) if "gateway" in metadata else Terms()
    return {key: value for key, value in metadata.items() if key != "gateway"}, terms


def _model(fields: Fields) -> tuple[str | None, dict[str, Any]]:
    if isinstance(fields.raw("model"), str):
        return _route(fields, "model"), {}
    model = fields.below("model", known=_MODEL, retired=_MODEL_RETIRED)
    if model.raw("apiType", "chat") != "chat":
        model.wrong("apiType", "must be chat: no other is served")
    model.text("provider")
    _check_connection(model)
    options = read_options(fields.report, model.at("options"), model.raw("options")) if "options" in model else {}
    return _route(model, "id"), options


def _route(fields: Fields, key: str) -> str | None:
    if key not in fields:
        return None
    route = fields.text(key, most=LIMITS.model_chars)
    if route.startswith("prompt/"):
        fields.wrong(key, "names a prompt: write the name of a route")
    return route or None


def _check_connection(model: Fields) -> None:
    connection = model.raw("connection")
    if isinstance(connection, dict) and connection.get("kind", "reference") != "reference":
        model.wrong("connection", "must have kind reference: endpoints and keys stand in gateway.toml, never in a prompt")
    elif "connection" in model:
        below = model.below("connection", known=("kind", "name"))
        below.required("kind")
        below.text("name")


def _check_template(fields: Fields) -> None:
    template = fields.below("template", known=("format", "parser"))
    for key, kind in (("format", "jinja2"), ("parser", "prompty")):
        below = template.below(key, known=("kind",))
        if below.raw("kind", kind) != kind:
            below.wrong("kind", f"must be {kind}: there is no other")


def _check_defaults(fields: Fields, front: FrontMatter) -> None:
    """Hold defaults and examples to the contract that they belong to; pointless where it is wrong itself."""
    if any(problem.severity == "error" for problem in fields.report.problems):
        return
    contract = contract_of(front)
    for place, one in enumerate(front.inputs):
        key: str | int = place if isinstance(fields.raw("inputs"), list) else one.name
        for word, value in (("default", one.default), ("example", one.example)):
            if value is not UNSET and (must := contract.expected(one.name, value)) is not None:
                path = (*fields.at("inputs"), key, word)
                fields.report.add(path, must, "error" if word == "default" else "warning")


def _check_request(fields: Fields, front: FrontMatter) -> None:
    """Hold the answer's schema to the wire's types, and what belongs together to each other."""
    if front.outputs:
        schema = {"name": "answer", "strict": True, "schema": answer_schema(front.outputs)}
        decoded(fields.report, fields.at("outputs"), {"response_format": {"type": "json_schema", "json_schema": schema}})
        for name in ("response_format", "structured_outputs"):
            if name in front.options:
                fields.wrong("outputs", f"say what the answer is already: leave out {name} under model.options")
    if "tool_choice" in front.options and not front.tools:
        fields.wrong("model", "sets tool_choice, but the prompt has no tools")
