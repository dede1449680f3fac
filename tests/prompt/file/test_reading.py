from __future__ import annotations

import pytest

from gateway.prompt.file.frontmatter import FrontMatter
from tests.prompt.file.front import front, problems


def test_a_front_matter_of_prompty_is_read_whole() -> None:
    found = front(
        """
        name: triage
        description: Sorts tickets
        metadata: {authors: [support], tags: [x], reviewed: 2026-01-31}
        model:
          id: chat-default
          apiType: chat
          provider: openai
          connection: {kind: reference, name: gateway}
          options: {temperature: 0}
        inputs: {ticket: {kind: string}}
        outputs: [{name: category, kind: string, required: true}]
        template: {format: {kind: jinja2}, parser: {kind: prompty}}
        """
    )
    assert (found.name, found.description, found.route, found.options) == (
        "triage",
        "Sorts tickets",
        "chat-default",
        {"temperature": 0},
    )
    assert found.metadata == {"authors": ["support"], "tags": ["x"], "reviewed": "2026-01-31"}
    assert [one.name for one in (*found.inputs, *found.outputs)] == ["ticket", "category"]


def test_nothing_need_be_said() -> None:
    assert front("{}") == FrontMatter()


def test_a_model_may_be_its_name() -> None:
    assert front("model: chat-default").route == "chat-default"
    assert front("model: {apiType: chat}").route is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inptus: {}", 'inptus is no key of a prompt: did you mean "inputs"?'),
        ("sample: {a: b}", "sample is a key of Prompty v1: write example under each input"),
        ("version: 1.0", "version is a key of Prompty v1: a version is the file's own name here, given by publishing it"),
        ("kind: prompt", "kind is not written: every file here is a prompt"),
        ("name: other", 'name is not the name of its folder: write "triage", or leave it out'),
        ("name: [x]", "name must be a text: put it in quotes"),
        ("description: [x]", "description must be a text: put it in quotes"),
        (f"description: {'x' * 4097}", "description has more than 4096 characters"),
        ("metadata: x", "metadata must be a mapping of keys to values"),
        ("model: {id: 3}", "model.id must be a text: put it in quotes"),
        ("model: [x]", "model must be a mapping of keys to values"),
        ("model: {api: chat}", "model.api is a key of Prompty v1: write apiType"),
        ("model: {apiType: embedding}", "model.apiType must be chat: no other is served"),
        ("model: prompt/support/triage", "model names a prompt: write the name of a route"),
        ("model: {id: prompt/support/triage@v1}", "model.id names a prompt: write the name of a route"),
        (f"model: {'m' * 257}", "model has more than 256 characters"),
        ("model: {provider: [x]}", "model.provider must be a text: put it in quotes"),
        (
            "model: {connection: {kind: key, endpoint: x, apiKey: sk-secret}}",
            "model.connection must have kind reference: endpoints and keys stand in gateway.toml, never in a prompt",
        ),
        (
            "model: {connection: {kind: anonymous}}",
            "model.connection must have kind reference: endpoints and keys stand in gateway.toml, never in a prompt",
        ),
        ("model: {connection: {name: x}}", "model.connection has no kind: add it"),
        (
            "model: {connection: {kind: reference, apiKey: sk-secret}}",
            "model.connection.apiKey is no key of a prompt: known: kind, name",
        ),
        ("model: {connection: gateway}", "model.connection must be a mapping of keys to values"),
        ("template: jinja2", "template must be a mapping of keys to values"),
        ("template: {format: jinja2}", "template.format must be a mapping of keys to values"),
        ("template: {format: {kind: mustache}}", "template.format.kind must be jinja2: there is no other"),
        ("template: {parser: {kind: other}}", "template.parser.kind must be prompty: there is no other"),
        ("outputs: {x: {kind: 1}}", "outputs.x.kind must be string or integer or float or number or boolean or array or object"),
        ("tools: 3", "tools must be a list of tools, or a mapping from names to them"),
        ("model: {options: {additionalProperties: {tool_choice: auto}}}", "model sets tool_choice, but the prompt has no tools"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_else(text: str, said: str) -> None:
    assert problems(text) == [f"2: {said}"]


@pytest.mark.parametrize("key", ["description", "name", "metadata", "inputs", "model", "tools", "template"])
def test_the_environment_is_never_read(key: str) -> None:
    why = "the environment holds secrets, which nobody shall reach by editing a prompt; write the value itself"
    assert f"2: {key}.a[0] has ${{env:…}}: {why}" in problems(f"{key}: {{a: ['x ${{env:API_KEY:default}} y']}}")


@pytest.mark.parametrize("text", ["${env:KEY}", "a ${ENV:KEY} b", "${ env :KEY}", "${file:x.json}", "${file:../../etc/passwd}"])
def test_references_are_refused_however_they_are_written(text: str) -> None:
    for where in (f"metadata: {{x: '{text}'}}", f"metadata: {{'{text}': x}}", f"description: |\n  one\n  {text}"):
        (said,) = problems(where)
        assert said.startswith("2: ")
        assert "has ${env:…}" in said or "has ${file:…}" in said


def test_control_other_uses_of_dollars_are_texts() -> None:
    assert problems("description: '$5, ${x}, $env:x, {env:x}'") == []


def test_the_key_of_a_connection_is_not_repeated() -> None:
    assert "sk-secret" not in " ".join(problems("model: {connection: {kind: key, apiKey: sk-secret}}"))


def test_a_default_must_fit_its_own_contract() -> None:
    text = """
    metadata: {gateway: {limits: {short: {maxLength: 3}, some: {maxItems: 1}, note: {nullable: true}}}}
    inputs:
      short: {kind: string, default: long}
      count:
        kind: integer
        default: 1.0
      language: {kind: string, enumValues: [en, de], default: fr}
      some: [a, b]
      places: {kind: array, items: {kind: object, properties: {city: {kind: string}}}, default: [{city: Bonn}, {town: Ulm}]}
      note: {kind: string, default: null}
      other: {kind: string, default: null}
    """
    assert problems(text) == [
        "4: inputs.short.default must have at most 3 characters",
        "7: inputs.count.default must be an integer",
        '8: inputs.language.default must be one of "en", "de"',
        "9: inputs.some.default must have at most 1 items",
        "10: inputs.places.default is required (at /1/city)",
        "12: inputs.other.default must be a string",
    ]


def test_an_example_that_does_not_fit_is_a_warning() -> None:
    assert problems("inputs:\n- {name: a, kind: integer,\n   example: many}") == [
        "warning 4: inputs[0].example must be an integer"
    ]


def test_an_answer_is_described_once() -> None:
    text = """
    outputs: [{name: a, kind: string}]
    model: {options: {additionalProperties: {response_format: {type: json_object}, structured_outputs: {regex: x}}}}
    """
    assert problems(text) == [
        "2: outputs say what the answer is already: leave out response_format under model.options",
        "2: outputs say what the answer is already: leave out structured_outputs under model.options",
    ]


def test_an_answer_that_the_wire_would_refuse_is_told() -> None:
    deep = "{kind: string}"
    for _ in range(9):
        deep = f"{{kind: object, properties: {{x: {deep}}}}}"
    assert problems(f"outputs: {{x: {deep}}}") == [
        "2: outputs is refused: response_format.json_schema.schema is nested deeper than 16."
    ]


def test_a_choice_among_tools_needs_them() -> None:
    tools = "tools: [{name: a, kind: function}]"
    assert problems(f"model: {{options: {{additionalProperties: {{tool_choice: required}}}}}}\n{tools}") == []


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """
    nam: x
    model:
      options: {temperature: 9}
    inputs:
      - {name: 1, kind: string}
      - {name: a, kind: strin}
    metadata:
      gateway: {mode: off}
    name: x
    """
    assert [one.partition(":")[0] for one in problems(text)] == ["2", "4", "6", "7", "warning 9", "9", "10"]
