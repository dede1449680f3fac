from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.file.source import read_source
from gateway.prompt.library.version import Version, compile_version
from tests.prompt.shelf import TRIAGE, prompty


def compiled(text: str, name: str = "v7") -> Version:
    def fragment(path: str) -> bytes:
        raise FileNotFoundError(path)

    file = f"{TRIAGE}/{name}.prompty"
    return compile_version(TRIAGE, name, read_source(file, text.encode(), fragment=fragment))


def test_a_text_that_does_not_go_with_its_inputs_is_not_compiled() -> None:
    with pytest.raises(PromptInvalid) as caught:
        compiled(prompty("{{ticket}} {{unknown}}"))
    assert [problem.file for problem in caught.value.problems] == [f"{TRIAGE}/v7.prompty"]


def test_it_holds_what_an_exchange_needs() -> None:
    extra = "tools: [{name: look_up, kind: function}]\noutputs: [{name: urgent, kind: boolean}]\n"
    version = compiled(prompty(extra=extra))
    assert (version.id, version.name, version.reference) == (TRIAGE, "v7", "support/triage@v7")
    assert (version.file, version.digest) == (f"{TRIAGE}/v7.prompty", version.source.digest)
    assert (version.route, version.contract.number, version.messages, version.budget) == ("chat", 1, None, None)
    assert version.template.roles == ("system", "user")
    assert version.tools is not UNSET
    assert [tool.function.name for tool in version.tools] == ["look_up"]
    assert version.response_format is not UNSET
    assert version.response_format.json_schema.name == "triage"
    messages = version.template.render(version.contract.admit({"ticket": "It burns."}).values)
    assert msgspec.to_builtins(messages) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Triage It burns."},
    ]


def test_without_tools_and_outputs_it_sets_neither() -> None:
    version = compiled(prompty())
    assert version.tools is UNSET
    assert version.response_format is UNSET


def test_the_name_of_the_version_does_not_change_its_digest() -> None:
    assert compiled(prompty(), "draft").digest == compiled(prompty(), "v1").digest


def test_nobody_can_change_it() -> None:
    with pytest.raises(AttributeError):
        compiled(prompty()).route = "other"  # type: ignore[misc]
