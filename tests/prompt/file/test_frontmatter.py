from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from msgspec import UNSET

from gateway.prompt.file.frontmatter import Budget, FrontMatter, Property, TrimRule


def test_an_empty_front_matter_forbids_messages_and_enforces_contract_1() -> None:
    front = FrontMatter()
    assert (front.contract, front.mode, front.messages, front.overridable) == (1, "enforce", None, frozenset())
    assert (front.route, front.budget, front.inputs, front.outputs, front.tools) == (None, None, (), (), ())


def test_an_absent_default_is_told_from_a_default_of_null() -> None:
    assert Property("a", "string").default is UNSET
    assert Property("a", "string", default=None).default is None


def test_what_was_read_cannot_be_changed() -> None:
    for value, name in (
        (FrontMatter(), "contract"),
        (Property("a", "string"), "kind"),
        (Budget(), "trim"),
        (TrimRule("a", 1), "step"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)
