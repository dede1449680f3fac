from __future__ import annotations

import pytest

from gateway.prompt.file.frontmatter import Budget, TrimRule
from gateway.prompt.file.terms import OVERRIDABLE
from tests.prompt.file.front import front, problems

INPUTS = "inputs: {ticket: {kind: string}, documents: {kind: array}, history: {kind: thread}}"


def test_everything_of_ours_is_read() -> None:
    found = front(
        f"""
        metadata:
          authors: [support]
          gateway:
            contract: 4
            mode: shadow
            messages: thread:history
            overridable: [temperature, max_tokens, model]
            budget:
              max_input_tokens: 3000
              reserve_output: 512
              trim:
                - {{input: documents, priority: 2, keep_first: 1}}
                - {{input: history, priority: 1, keep_last: 2, step: 4, drop: last}}
        {INPUTS}
        """
    )
    assert (found.contract, found.mode, found.messages) == (4, "shadow", "history")
    assert found.metadata == {"authors": ["support"]}
    assert found.overridable == {"temperature", "max_tokens", "max_completion_tokens", "model"}
    assert found.budget == Budget(
        max_input_tokens=3000,
        reserve_output=512,
        trim=(
            TrimRule("history", 1, keep_last=2, step=4, drop="last"),
            TrimRule("documents", 2, keep_first=1, drop="last"),
        ),
    )


def test_a_thread_loses_its_oldest_first_and_an_array_its_last() -> None:
    trim = "[{input: history, priority: 1}, {input: documents, priority: 1}]"
    budget = front(f"metadata: {{gateway: {{budget: {{trim: {trim}}}}}}}\n{INPUTS}").budget
    assert budget is not None
    assert [(rule.input, rule.drop) for rule in budget.trim] == [("history", "first"), ("documents", "last")]
    assert (budget.max_input_tokens, budget.reserve_output) == (None, 0)


def test_messages_may_be_forbidden_in_so_many_words() -> None:
    assert front("metadata: {gateway: {messages: forbid}}").messages is None


def test_what_a_caller_may_set_is_known_by_name() -> None:
    assert {"temperature", "max_tokens", "model", "tools", "seed"} <= set(OVERRIDABLE)
    assert not {"messages", "stream", "prompt", "user"} & set(OVERRIDABLE)


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        ("", " must be a mapping of keys to values"),
        ("{contarct: 1}", '.contarct is no key of a prompt: did you mean "contract"?'),
        ("{contract: 0}", ".contract must be an integer of at least 1"),
        ("{contract: true}", ".contract must be an integer of at least 1"),
        ("{contract: '1'}", ".contract must be an integer of at least 1"),
        ("{mode: shadwo}", '.mode must be enforce or shadow: did you mean "shadow"?'),
        ("{messages: 3}", ".messages must be a text: put it in quotes"),
        ("{messages: allow}", ".messages must be forbid or thread:<input>"),
        ("{messages: 'thread:histroy'}", '.messages is no name of an input of kind thread: did you mean "history"?'),
        ("{messages: 'thread:ticket'}", ".messages is no name of an input of kind thread: known: history"),
        ("{overridable: temperature}", ".overridable must be a list"),
        ("{overridable: [temprature]}", '.overridable[0] is no field that can be overridden: did you mean "temperature"?'),
        (
            "{overridable: [{a: b}]}",
            (
                ".overridable[0] is no field that can be overridden: known: allowed_token_ids, audio, bad_words, "
                "chat_template_kwargs, frequency_penalty, include_stop_str_in_output, logit_bias, logprobs, "
                "max_completion_tokens, max_tokens, min_p, modalities, …"
            ),
        ),
        ("{overridable: [seed, seed]}", ".overridable[1] stands there twice"),
        ("{budget: {max_input_tokens: 0}}", ".budget.max_input_tokens must be an integer of at least 1"),
        ("{budget: {reserve_output: -1}}", ".budget.reserve_output must be an integer of at least 0"),
        ("{budget: {trim: {}}}", ".budget.trim must be a list"),
        ("{budget: {trim: [x]}}", ".budget.trim[0] must be a mapping of keys to values"),
        ("{budget: {trim: [{input: history}]}}", ".budget.trim[0] has no priority: add it"),
        ("{budget: {trim: [{priority: 1}]}}", ".budget.trim[0] has no input: add it"),
        (
            "{budget: {trim: [{input: ticket, priority: 1}]}}",
            ".budget.trim[0].input is no name of an input of kind array or thread: known: documents, history",
        ),
        ("{budget: {trim: [{input: history, priority: 1, step: 0}]}}", ".budget.trim[0].step must be an integer of at least 1"),
        (
            "{budget: {trim: [{input: history, priority: 1, drop: oldest}]}}",
            '.budget.trim[0].drop must be first or last: did you mean "last"?',
        ),
        (
            "{budget: {trim: [{input: history, priority: 1}, {input: history, priority: 2}]}}",
            ".budget.trim[1] is a second rule for one input",
        ),
    ],
)
def test_what_is_wrong_is_told(gateway: str, said: str) -> None:
    found = problems(f"metadata:\n  gateway: {gateway}\n{INPUTS}")
    assert found[0] == f"3: metadata.gateway{said}"
    assert len(found) <= 2  # a text that is no mapping has no fields either
