"""The largest values a contract admits, and the tokens that a version's messages come to with them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.prompt.contract.contract import contract_of
from gateway.prompt.largest import MOST_BYTES, WIDEST, Unbounded, largest, most_tokens
from gateway.prompt.library.version import Version, compile_version
from tests.prompt.file.front import front, source


def values(inputs: str, limits: str = "{}") -> dict[str, Any]:
    return largest(contract_of(front(f"metadata: {{gateway: {{limits: {limits}}}}}\ninputs:\n{inputs}")))


@pytest.mark.parametrize(
    ("kind", "limits", "value"),
    [
        ("kind: string", "{maxLength: 3}", 3 * WIDEST),
        ("kind: string, enumValues: [a, longest, bb]", "{}", "longest"),
        ("kind: boolean", "{}", False),
        ("kind: integer", "{minimum: 0, maximum: 1000}", 1000),
        ("kind: integer", "{minimum: -1000, maximum: 1}", -1000),
        ("kind: integer", "{}", -(2**63)),
        ("kind: array, items: {kind: string}", "{maxItems: 2, items: {maxLength: 1}}", [WIDEST, WIDEST]),
        ("kind: array", "{maxItems: 0}", []),
        ("kind: object, properties: [{name: b, kind: boolean}]", "{}", {"b": False}),
        ("kind: string", "{maxLength: 1, nullable: true}", WIDEST),
    ],
)
def test_the_largest_value_of_a_kind(kind: str, limits: str, value: Any) -> None:
    assert values(f"  - {{name: x, {kind}}}", f"{{x: {limits}}}") == {"x": value}


def test_the_largest_number_is_long() -> None:
    assert len(str(values("  - {name: x, kind: number}")["x"])) > 20


@pytest.mark.parametrize(
    ("kind", "limits"),
    [
        ("kind: string", "{}"),
        ("kind: string", f"{{maxLength: {MOST_BYTES}}}"),
        ("kind: thread", "{maxItems: 3}"),
        ("kind: array, items: {kind: boolean}", "{}"),
        ("kind: array", "{maxItems: 3}"),
        ("kind: array, items: {kind: string}", "{maxItems: 3}"),
        ("kind: array, items: {kind: boolean}", f"{{maxItems: {MOST_BYTES}}}"),
        ("kind: object", "{}"),
        ("kind: object, properties: [{name: s, kind: string}]", "{}"),
    ],
)
def test_what_has_no_bound_names_its_input(kind: str, limits: str) -> None:
    with pytest.raises(Unbounded, match=r"^x$"):
        values(f"  - {{name: b, kind: boolean}}\n  - {{name: x, {kind}}}", f"{{x: {limits}}}")


def test_inputs_that_are_too_large_together_have_no_bound() -> None:
    names = "".join(f"  - {{name: x{number}, kind: string}}\n" for number in range(3))
    limits = ", ".join(f"x{number}: {{maxLength: {MOST_BYTES // 8}}}" for number in range(3))
    with pytest.raises(Unbounded, match=r"^x2$"):
        values(names, f"{{{limits}}}")


def version(limits: str = "{ticket: {maxLength: 100}}", more: str = "", body: str = "user:\n{{ticket}}\n") -> Version:
    text = f"metadata: {{gateway: {{limits: {limits}{more}}}}}\nmodel: chat\ninputs:\n  - {{name: ticket, kind: string}}"
    return compile_version("support/triage", "draft", source(text, body))


def test_the_tokens_are_those_of_the_largest_messages() -> None:
    most = most_tokens(version())
    assert most is not None
    assert 400 < most < 400 + 200
    longer = most_tokens(version(body="user:\n{{ticket}}{{ticket}}\n"))
    assert longer == most + 400


def test_a_budget_is_a_bound_also_where_nothing_else_is() -> None:
    assert most_tokens(version("{}")) is None
    assert most_tokens(version("{}", ", budget: {max_input_tokens: 300}")) == 300
    assert most_tokens(version(more=", budget: {max_input_tokens: 300}")) == 300
    assert most_tokens(version("{ticket: {maxLength: 1}}", ", budget: {max_input_tokens: 3000}")) == most_tokens(
        version("{ticket: {maxLength: 1}}")
    )


def test_what_would_be_too_much_to_render_has_no_bound() -> None:
    loop = "user:\n{% for a in ticket %}{% for b in ticket %}{{ticket}}{% endfor %}{% endfor %}\n"
    assert most_tokens(version("{ticket: {maxLength: 5000}}", body=loop)) is None
