from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, Raw

from tests.prompt.file.front import front, problems


def test_functions_become_tools_of_the_request() -> None:
    weather, empty = front(
        """
        tools:
          - name: get_weather
            kind: function
            description: Get the weather
            strict: true
            parameters:
              - {name: city, kind: string, required: true}
              - {name: unit, kind: string, enumValues: [c, f]}
          - {name: stop, kind: function}
        """
    ).tools
    assert weather.function.name == "get_weather"
    assert weather.function.description == "Get the weather"
    assert weather.function.strict is True
    assert isinstance(weather.function.parameters, Raw)
    assert msgspec.json.decode(weather.function.parameters) == {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": ["string", "null"], "enum": ["c", "f", None]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    }
    assert (empty.function.name, empty.function.parameters, empty.function.strict) == ("stop", UNSET, UNSET)


def test_tools_stand_in_a_mapping_too() -> None:
    assert [tool.function.name for tool in front("tools: {a: {kind: function}, b: {kind: function}}").tools] == ["a", "b"]


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ("x", "tools must be a list of tools, or a mapping from names to them"),
        ("[x]", "tools[0] must be a mapping of keys to values"),
        ("{a: x}", "tools.a must be a mapping of keys to values"),
        ("[{kind: function}]", "tools[0] has no name: add it"),
        ("[{name: a}]", "tools[0] has no kind: add it"),
        ("[{name: a, kind: mcp}]", "tools[0].kind must be function: no other kind of tool is run here"),
        ("[{name: a b, kind: function}]", "tools[0].name must be 1 to 64 letters, digits, - and _"),
        ("[{name: a, kind: function}, {name: a, kind: function}]", "tools[1] has a name that another tool has already"),
        ("[{name: a, kind: function, strict: 1}]", "tools[0].strict must be true or false"),
        (
            "[{name: a, kind: function, parameters: 1}]",
            "tools[0].parameters must be a list of properties, or a mapping from names to them",
        ),
        (
            "[{name: a, kind: function, parameters: {x: {kind: thread}}}]",
            "tools[0].parameters.x.kind must be string or integer or float or number or boolean or array or object",
        ),
        (
            "[{name: a, kind: function, bindings: {x: {input: y}}}]",
            (
                "tools[0].bindings cannot be used: an argument that the prompt fills in "
                "would never reach the application that runs the tool"
            ),
        ),
        (f"[{', '.join(f'{{name: t{number}, kind: function}}' for number in range(129))}]", "tools has more than 128 tools"),
    ],
)
def test_what_is_wrong_with_a_tool_is_told(tools: str, said: str) -> None:
    assert problems(f"tools: {tools}") == [f"2: {said}"]


def test_a_tool_that_the_wire_would_refuse_is_told() -> None:
    deep = "{kind: string}"
    for _ in range(9):
        deep = f"{{kind: object, properties: {{x: {deep}}}}}"
    (said,) = problems(f"tools: [{{name: a, kind: function, parameters: {{x: {deep}}}}}]")
    assert said == "2: tools[0] is refused: tools[0].function.parameters is nested deeper than 16."
