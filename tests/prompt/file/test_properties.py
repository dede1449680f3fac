from __future__ import annotations

import pytest
from msgspec import UNSET

from gateway.prompt.file.frontmatter import Property
from gateway.prompt.file.limits import LIMITS
from tests.prompt.file.front import front, problems


def test_inputs_stand_in_a_list() -> None:
    found = front(
        """
        inputs:
          - {name: ticket, kind: string, description: What came in, example: Help!}
          - {name: language, kind: string, default: en, enumValues: [en, de]}
          - name: documents
            kind: array
            required: false
            items:
              kind: object
              properties:
                title: {kind: string}
                pages: {kind: array, items: {kind: integer}}
          - {name: history, kind: thread}
          - {name: extra, kind: object}
        """
    ).inputs
    pages = Property("pages", "array", items=Property("", "integer"))
    assert found == (
        Property("ticket", "string", description="What came in", example="Help!"),
        Property("language", "string", required=False, default="en", values=("en", "de")),
        Property(
            "documents",
            "array",
            required=False,
            items=Property("", "object", properties=(Property("title", "string"), pages)),
        ),
        Property("history", "thread"),
        Property("extra", "object"),
    )


def test_inputs_stand_in_a_mapping_where_a_plain_value_is_a_default() -> None:
    found = front(
        """
        inputs:
          topic: science
          count: 5
          share: 0.5
          deep: true
          tags: [a]
          note: {kind: string, default: null}
          place: {default: {city: Bonn}}
        metadata: {gateway: {limits: {note: {nullable: true}}}}
        """
    ).inputs
    assert [(one.name, one.kind, one.default) for one in found] == [
        ("topic", "string", "science"),
        ("count", "integer", 5),
        ("share", "float", 0.5),
        ("deep", "boolean", True),
        ("tags", "array", ["a"]),
        ("note", "string", None),
        ("place", "object", {"city": "Bonn"}),
    ]
    assert not any(one.required for one in found)


def test_an_input_is_required_unless_it_has_a_default_or_says_otherwise() -> None:
    found = front(
        "inputs: {a: {kind: string}, b: {kind: string, default: x, required: true}, c: {kind: string, required: false}}"
    ).inputs
    assert [(one.required, one.default) for one in found] == [(True, UNSET), (False, "x"), (False, UNSET)]


def test_fields_of_an_answer_are_required_where_they_say_so() -> None:
    found = front("outputs: [{name: a, kind: string}, {name: b, kind: string, required: true}]").outputs
    assert [one.required for one in found] == [False, True]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("3", "inputs must be a list of properties, or a mapping from names to them"),
        ("[topic]", "inputs[0] must be a mapping with a name"),
        ("[{kind: string}]", "inputs[0] must be a mapping with a name"),
        ("[{name: 3, kind: string}]", "inputs[0] must be a mapping with a name"),
        ("[{name: a}]", "inputs[0] has no kind: add it"),
        ("{a: }", "inputs.a has no kind: add it"),
        (
            "{a: {name: b, kind: string}}",
            (
                "inputs.a.name is no key of a prompt: known: default, description, enumValues, example, items, "
                "kind, properties, required"
            ),
        ),
        (
            "[{name: a, kind: text}]",
            "inputs[0].kind must be string or integer or float or number or boolean or array or object or thread",
        ),
        (
            "[{name: a, kind: strng}]",
            (
                "inputs[0].kind must be string or integer or float or number or boolean or array or object or "
                'thread: did you mean "string"?'
            ),
        ),
        ("[{name: a, type: string}]", "inputs[0] has no kind: add it"),
        (
            "[{name: first name, kind: string}]",
            "inputs[0] has a name that no variable can have: use letters, digits and _, at most 64",
        ),
        (
            "[{name: first-name, kind: string}]",
            "inputs[0] has a name that no variable can have: use letters, digits and _, at most 64",
        ),
        (
            f"[{{name: {'a' * 65}, kind: string}}]",
            "inputs[0] has a name that no variable can have: use letters, digits and _, at most 64",
        ),
        ("[{name: loop, kind: string}]", "inputs[0] has a name that is a word of the template's language"),
        ("[{name: a, kind: string}, {name: a, kind: integer}]", "inputs[1] has a name that another one has already"),
        ("[{name: a, kind: string, enumvalues: [x]}]", 'inputs[0].enumvalues is no key of a prompt: did you mean "enumValues"?'),
        ("[{name: a, kind: string, items: {kind: string}}]", "inputs[0].items belongs to kind array"),
        ("[{name: a, kind: string, properties: []}]", "inputs[0].properties belongs to kind object"),
        ("[{name: a, kind: array, items: string}]", "inputs[0].items must be a mapping of keys to values"),
        (
            "[{name: a, kind: array, items: {kind: thread}}]",
            ("inputs[0].items.kind must be string or integer or float or number or boolean or array or object"),
        ),
        (
            "[{name: a, kind: array, items: {name: x, kind: string}}]",
            ("inputs[0].items.name is no key of a prompt: known: description, enumValues, items, kind, properties"),
        ),
        (
            "[{name: a, kind: object, properties: {x y: {kind: string}}}]",
            'inputs[0].properties."x y" has a name of other characters than letters, digits, - and _, at most 64',
        ),
        (
            "[{name: a, kind: object, properties: {b: {kind: string, default: x}}}]",
            "inputs[0].properties.b.default cannot stand here: only an input as a whole is filled in",
        ),
        ("[{name: a, kind: boolean, enumValues: [true]}]", "inputs[0].enumValues cannot limit kind boolean"),
        ("[{name: a, kind: string, enumValues: []}]", "inputs[0].enumValues must hold 1 to 256 values"),
        (
            "[{name: a, kind: string, enumValues: [x, true]}]",
            "inputs[0].enumValues must hold values of kind string: put texts in quotes",
        ),
        (
            "[{name: a, kind: integer, enumValues: [1, true]}]",
            "inputs[0].enumValues must hold values of kind integer: put texts in quotes",
        ),
        ("[{name: a, kind: float, enumValues: [1, 1.0]}]", "inputs[0].enumValues holds a value twice"),
        (
            f"[{{name: a, kind: string, enumValues: [{'x' * 1025}]}}]",
            "inputs[0].enumValues holds a value of more than 1024 characters",
        ),
        ("[{name: a, kind: string, required: 1}]", "inputs[0].required must be true or false"),
        ("[{name: a, kind: string, strict: true}]", "inputs[0].strict need not be written: no value can become a message here"),
        ("[{name: a, kind: string, sample: x}]", "inputs[0].sample is no key of Prompty v2: write example"),
    ],
)
def test_what_is_wrong_with_an_input_is_told(inputs: str, said: str) -> None:
    assert f"2: {said}" in problems(f"inputs: {inputs}")


def test_an_answer_must_be_described_whole() -> None:
    assert problems(
        """
        outputs:
          - {name: a, kind: array}
          - {name: b, kind: object}
          - {name: c, kind: string, default: x}
          - {name: d, kind: thread}
        """
    ) == [
        "3: outputs[0].kind is array and needs items: the answer's schema is strict",
        "4: outputs[1].kind is object and needs properties: the answer's schema is strict",
        "5: outputs[2].default cannot stand here: an answer is not filled in",
        "6: outputs[3].kind must be string or integer or float or number or boolean or array or object",
    ]


def test_there_is_an_end_to_inputs() -> None:
    names = [f"v{number}" for number in range(LIMITS.inputs + 1)]
    assert problems(f"inputs: {{{', '.join(f'{name}: x' for name in names)}}}") == ["2: inputs has more than 128 properties"]
    assert problems(f"inputs: {{{', '.join(f'{name}: x' for name in names[1:])}}}") == []
