from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from gateway.errors import InvalidRequest, NotFound
from gateway.prompt.reference import Reference, reference_of
from gateway.wire.prompt import PromptCall


def chosen(model: str, prompt: PromptCall | UnsetType | None = UNSET) -> tuple[str, str | None, str | None]:
    reference = reference_of(model, prompt)
    assert reference is not None
    return reference.id, reference.label, reference.version


@pytest.mark.parametrize(
    ("model", "prompt", "param"),
    [
        ("chat", PromptCall(), "prompt.id"),
        ("chat", PromptCall("a/b", "v1", "production"), "prompt.label"),
        ("chat", PromptCall("a/b", "staging", "production"), "prompt.label"),
        ("prompt/a/b", PromptCall(version="v1", label="production"), "prompt.label"),
        ("prompt/a/b", PromptCall("a/b"), "prompt.id"),
        ("prompt/a/b@v1", PromptCall("a/b"), "prompt.id"),
        ("prompt/a/b@v1", PromptCall(version="v1"), "prompt.version"),
        ("prompt/a/b@v1", PromptCall(label="production"), "prompt.label"),
        ("prompt/a/b@v1", PromptCall(version="v1", label="production"), "prompt.version"),
        ("prompt/a/b@v1", PromptCall(version=""), "prompt.version"),
    ],
)
def test_two_things_at_once_or_none_at_all_are_refused(model: str, prompt: PromptCall, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        reference_of(model, prompt)
    assert (caught.value.code, caught.value.param) == ("invalid_field", param)


@pytest.mark.parametrize(
    ("model", "prompt", "param"),
    [
        *(
            (f"prompt/{text}", UNSET, "model")
            for text in ("", "a", "a/b/c", "A/b", "a/b@", "a/b@v1@v2", "a/../b", "a/b\n", "a/b@V1")
        ),
        *((f"prompt/a/b@{text}", UNSET, "model") for text in ("v0", "v01", "v1000000")),
        *(("chat", PromptCall(text), "prompt.id") for text in ("", "a", "a/b@v1", "../b", "a/b/c", "\ud800/b")),
        *(("chat", PromptCall("a/b", text), "prompt.version") for text in ("", "v0", "V1", "v1 ", "a/b", "x" * 65)),
        *(("chat", PromptCall("a/b", UNSET, text), "prompt.label") for text in ("", "v1", "draft", "Production")),
    ],
)
def test_what_could_not_exist_is_answered_as_what_does_not(model: str, prompt: PromptCall | UnsetType, param: str) -> None:
    with pytest.raises(NotFound) as caught:
        reference_of(model, prompt)
    assert (caught.value.code, caught.value.param) == ("prompt_not_found", param)
    assert caught.value.reason.startswith("malformed")


def test_the_answer_is_the_same_whatever_is_not_there() -> None:
    messages = set()
    for prompt in (PromptCall("nobody"), PromptCall("a/b", "v0"), PromptCall("a/b", label="v1")):
        with pytest.raises(NotFound) as caught:
            reference_of("chat", prompt)
        messages.add(caught.value.message)
    assert len(messages) == 1


@pytest.mark.parametrize("model", ["chat", "prompts/a/b", "Prompt/a/b", "team/prompt/a", ""])
def test_another_model_without_a_prompt_names_none(model: str) -> None:
    assert reference_of(model) is None
    assert reference_of(model, None) is None


@pytest.mark.parametrize(
    ("model", "prompt", "expected"),
    [
        ("prompt/a/b", UNSET, ("a/b", "production", None)),
        ("prompt/a/b", None, ("a/b", "production", None)),
        ("prompt/a/b", PromptCall(), ("a/b", "production", None)),
        ("prompt/a/b@staging", UNSET, ("a/b", "staging", None)),
        ("prompt/a/b@staging", PromptCall(), ("a/b", "staging", None)),
        ("prompt/a/b@v7", PromptCall(version=None, label=None), ("a/b", None, "v7")),
        ("prompt/a/b@draft", UNSET, ("a/b", None, "draft")),
        ("prompt/a/b", PromptCall(version="v7"), ("a/b", None, "v7")),
        ("prompt/a/b", PromptCall(label="staging"), ("a/b", "staging", None)),
        ("chat", PromptCall("a/b"), ("a/b", "production", None)),
        ("chat", PromptCall("a/b", "staging"), ("a/b", "staging", None)),
        ("chat", PromptCall("a/b", "v7"), ("a/b", None, "v7")),
        ("chat", PromptCall("a/b", "draft"), ("a/b", None, "draft")),
        ("chat", PromptCall("a/b", label="staging"), ("a/b", "staging", None)),
        ("chat", PromptCall("a/b", None, "staging"), ("a/b", "staging", None)),
    ],
)
def test_both_forms_name_a_prompt_with_a_label_or_a_version(
    model: str, prompt: PromptCall | UnsetType | None, expected: tuple[str, str | None, str | None]
) -> None:
    assert chosen(model, prompt) == expected


def test_the_field_that_says_which_one_is_told() -> None:
    assert reference_of("prompt/a/b@v1") == Reference("a/b", None, "v1", "model")
    assert reference_of("prompt/a/b", PromptCall(version="v1")) == Reference("a/b", None, "v1", "prompt.version")
    assert reference_of("chat", PromptCall("a/b")) == Reference("a/b", "production", None, "prompt.id")


@given(st.text(max_size=80), st.one_of(st.none(), st.text(max_size=80)), st.one_of(st.none(), st.text(max_size=80)))
def test_no_text_gives_anything_but_a_reference_or_a_refusal_without_it(
    text: str, version: str | None, label: str | None
) -> None:
    for model, prompt in (
        (f"prompt/{text}", PromptCall(version=version, label=label)),
        ("chat", PromptCall(text, version, label)),
    ):
        with contextlib.suppress(InvalidRequest, NotFound):
            reference = reference_of(model, prompt)
            assert reference is not None
            assert (reference.label is None) != (reference.version is None)
