from __future__ import annotations

import timeit
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.prompt.contract.contract import Admitted, Contract, Drift, VariablesInvalid, contract_of
from gateway.prompt.file.schema import input_schema
from tests.prompt.file.front import front

TEXT = """
metadata:
  gateway:
    contract: 7
    mode: {mode}
    limits:
      ticket: {{maxLength: 20}}
      note: {{nullable: true}}
inputs:
  - {{name: ticket, kind: string}}
  - {{name: count, kind: integer, default: 3}}
  - {{name: tags, kind: array, items: {{kind: string}}, default: [new]}}
  - {{name: place, kind: object, properties: [{{name: city, kind: string}}], default: {{city: Bonn}}}}
  - {{name: note, kind: string, required: false}}
  - {{name: history, kind: thread, required: false}}
"""


def _contract(mode: str = "enforce") -> Contract:
    return contract_of(front(TEXT.format(mode=mode)))


def _refused(variables: Any) -> VariablesInvalid:
    with pytest.raises(VariablesInvalid) as caught:
        _contract().admit(variables)
    return caught.value


def test_a_contract_knows_its_number_mode_schema_and_threads() -> None:
    contract = _contract()
    assert (contract.number, contract.mode, contract.threads) == (7, "enforce", frozenset({"history"}))
    assert contract.schema == input_schema(front(TEXT.format(mode="enforce")))
    assert contract.schema["x-contract"] == 7


def test_defaults_stand_in_for_absent_variables_and_optional_ones_stay_out() -> None:
    assert _contract().admit({"ticket": "Help"}) == Admitted(
        {"ticket": "Help", "count": 3, "tags": ["new"], "place": {"city": "Bonn"}},
    )


def test_what_was_given_is_passed_on_as_it_came() -> None:
    given = {"ticket": "", "count": 0, "tags": [], "place": {"city": ""}, "note": None, "history": [{"role": "user", "x": 1}]}
    found = _contract().admit(given)
    assert found.values == given
    assert found.values["tags"] is given["tags"]
    assert found.drift == ()


def test_a_default_that_one_exchange_changes_is_whole_for_the_next() -> None:
    contract = _contract()
    values = contract.admit({"ticket": "x"}).values
    values["tags"].append("secret")
    values["place"]["city"] = "secret"
    values["count"] = 9
    assert contract.admit({"ticket": "x"}).values == {"ticket": "x", "count": 3, "tags": ["new"], "place": {"city": "Bonn"}}
    assert contract.schema["properties"]["tags"]["default"] == ["new"]


@pytest.mark.parametrize(
    ("variables", "pointer", "said", "drift"),
    [
        ({}, "/ticket", "is required", Drift("ticket", "missing")),
        ({"ticket": None}, "/ticket", "must be a string", Drift("ticket", "null")),
        ({"ticket": 5}, "/ticket", "must be a string", Drift("ticket", "type")),
        ({"ticket": "x" * 21}, "/ticket", "must have at most 20 characters", Drift("ticket", "length")),
        ({"ticket": "x", "count": None}, "/count", "must be an integer", Drift("count", "null")),
        ({"ticket": "x", "count": "3"}, "/count", "must be an integer", Drift("count", "type")),
        ({"ticket": "x", "count": 3.0}, "/count", "must be an integer", Drift("count", "type")),
        ({"ticket": "x", "tags": ["a", 1]}, "/tags/1", "must be a string", Drift("tags", "type")),
        ({"ticket": "x", "place": {}}, "/place/city", "is required", Drift("place", "missing")),
        (
            {"ticket": "x", "history": [{"role": "system"}]},
            "/history/0/role",
            'must be one of "user", "assistant", "tool"',
            Drift("history", "enum"),
        ),
        ({"ticket": "x", "history": ["hi"]}, "/history/0", "must be an object", Drift("history", "type")),
        (
            {"ticket": "x", "place": {"city": "", "x": 1}},
            "/place/?",
            "is a name that is not declared; known: city",
            Drift("place", "unknown"),
        ),
        (
            {"ticket": "x", "tikcet": 1},
            "/?",
            "is a name that is not declared; known: ticket, count, tags, place, note, history",
            Drift("", "unknown"),
        ),
        ([], "", "must be an object", Drift("", "type")),
    ],
)
def test_what_does_not_fit_is_refused_with_pointer_number_and_what_was_expected(
    variables: Any, pointer: str, said: str, drift: Drift
) -> None:
    error = _refused(variables)
    assert isinstance(error, InvalidRequest)
    assert (error.status, error.code, error.param) == (400, "prompt_variables_invalid", f"/prompt/variables{pointer}")
    assert error.message == f"/prompt/variables{pointer} {said} (contract 7)."
    assert error.drift == (drift,)


def test_the_first_is_told_and_all_of_them_counted() -> None:
    error = _refused({"zzz": 1, "yyy": 2, "tags": "a", "count": "x"})
    assert error.param == "/prompt/variables/ticket"
    assert error.drift == (
        Drift("ticket", "missing"),
        Drift("count", "type"),
        Drift("tags", "type"),
        Drift("", "unknown"),
    )


def test_a_prompt_without_inputs_takes_nothing() -> None:
    contract = contract_of(front("{}"))
    assert contract.admit({}).values == {}
    with pytest.raises(VariablesInvalid, match="there is none"):
        contract.admit({"a": 1})


def test_a_contract_that_is_only_watched_refuses_nothing() -> None:
    found = _contract("shadow").admit({"count": "many", "note": 1, "place": None, "tags": None, "zzz": 1})
    assert found.values == {"ticket": "", "count": "many", "note": 1, "place": {"city": "Bonn"}, "tags": ["new"]}
    assert found.drift == (
        Drift("ticket", "missing"),
        Drift("count", "type"),
        Drift("tags", "null"),
        Drift("place", "null"),
        Drift("note", "type"),
        Drift("", "unknown"),
    )


def test_a_contract_that_is_only_watched_lets_pass_what_fits_as_an_enforced_one_does() -> None:
    for variables in ({"ticket": "x"}, {"ticket": "x", "note": None}):
        assert _contract("shadow").admit(variables) == _contract().admit(variables)


@pytest.mark.parametrize("variables", [None, [], "x", 3])
def test_a_contract_that_is_only_watched_takes_what_is_no_object_for_an_empty_one(variables: Any) -> None:
    found = _contract("shadow").admit(variables)
    assert found.values["ticket"] == ""
    assert found.drift == (Drift("", "type"),)


def test_what_a_value_must_be_can_be_asked_for_one_input() -> None:
    contract = _contract()
    assert contract.expected("ticket", "x") is None
    assert contract.expected("ticket", 1) == "must be a string"
    assert contract.expected("place", {"city": 1}) == "must be a string (at /city)"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["city", "role", "zzz"]), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["ticket", "count", "tags", "place", "note", "history", "zzz"])


@given(st.dictionaries(_NAMES, _JSON))
def test_shadow_counts_exactly_what_enforcing_refuses(variables: dict[str, Any]) -> None:
    watched = _contract("shadow").admit(variables)
    try:
        admitted = _contract().admit(variables)
    except VariablesInvalid as error:
        admitted = Admitted(watched.values, error.drift)
        refused = True
    else:
        refused = False
    assert watched == admitted
    assert refused == bool(watched.drift)


@given(st.dictionaries(_NAMES, _JSON))
def test_what_is_admitted_is_what_was_given_and_defaults(variables: dict[str, Any]) -> None:
    try:
        values = _contract().admit(variables).values
    except VariablesInvalid:
        return
    # As bytes, because 1 == 1.0 == True here.
    assert msgspec.json.encode({name: values[name] for name in variables}) == msgspec.json.encode(variables)
    assert set(values) == {*variables, "count", "tags", "place"}


def test_admission_costs_microseconds() -> None:
    contract = contract_of(
        front(
            """
            metadata: {gateway: {limits: {question: {maxLength: 8000}, documents: {maxItems: 20}}}}
            inputs:
              - {name: question, kind: string}
              - name: documents
                kind: array
                items:
                  kind: object
                  properties: [{name: id, kind: string}, {name: title, kind: string}, {name: text, kind: string}]
              - {name: language, kind: string, enumValues: [en, de], default: en}
            """
        )
    )
    documents = [{"id": str(number), "title": "t" * 20, "text": "x" * 500} for number in range(8)]
    variables = {"question": "how? " * 20, "documents": documents}
    best = min(timeit.repeat(lambda: contract.admit(variables), number=1000, repeat=5)) / 1000
    assert best < 50e-6  # 1.6 µs on an idle machine; this only catches a change of kind
