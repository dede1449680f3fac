from __future__ import annotations

import pytest
from msgspec import UNSET

from gateway.prompt.file.source import read_source
from gateway.prompt.library.diff import Diff, KeyChange, compare, constant_text, prefix
from gateway.prompt.library.version import Version, compile_version
from tests.prompt.shelf import TRIAGE, prompty


def compiled(text: str, name: str = "v1") -> Version:
    def fragment(_path: str) -> bytes:
        return b"shared "

    return compile_version(TRIAGE, name, read_source(f"{TRIAGE}/{name}.prompty", text.encode(), fragment=fragment))


def words(text: str) -> int:
    return len(text.split())


def between(old: str, new: str) -> Diff:
    return compare(compiled(old), compiled(new, "v2"), count=words)


# What is easily overlooked


def test_a_change_of_white_space_only_is_warned_of() -> None:
    found = between(prompty("Triage  this: {{ticket}}"), prompty("Triage this:\n{{ticket}}"))
    assert found.warnings[0].startswith("Only white space changed")
    assert found.text


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("First {{ticket}} last", "Other {{ticket}} last", True),
        ("First {{ticket}} last", "Firs {{ticket}} last", True),
        ("First {% if ticket %}{{ticket}}{% endif %}", "Other {% if ticket %}{{ticket}}{% endif %}", True),
        ("First {# note #}one {{ticket}}", "First {# note #}two {{ticket}}", True),
        ("First {% raw %}{{x}}{% endraw %} {{ticket}}", "First {% raw %}{{y}}{% endraw %} {{ticket}}", True),
        ("First {{ticket}} last", "First {{ticket}} other", False),
        ("First {{ticket}} last", "First and more {{ticket}} last", False),
        ("First {# old #}{{ticket}}", "First {# new #}{{ticket}}", False),
        ("First {{ticket}}", "First {{ ticket }}", False),
    ],
)
def test_a_change_before_the_first_variable_is_warned_of(old: str, new: str, lost: bool) -> None:
    found = between(prompty(old), prompty(new))
    assert any("prefix caches" in warning for warning in found.warnings) is lost


def test_the_warning_tells_where_the_prefix_parts() -> None:
    (warning,) = between(prompty("First {{ticket}}"), prompty("Fire {{ticket}}")).warnings
    assert "at character 28 of 30" in warning


def test_changed_tools_are_warned_of_since_models_read_them_first() -> None:
    (warning,) = between(prompty(extra="tools: [{name: a, kind: function}]\n"), prompty()).warnings
    assert warning.startswith("Tools changed")


def test_another_contract_is_warned_of() -> None:
    found = between(prompty(), prompty(contract=2))
    assert any("prompt_contract_mismatch" in warning for warning in found.warnings)
    assert found.contracts == (1, 2)


# What changed


def test_equal_versions_differ_in_nothing() -> None:
    found = between(prompty(), prompty())
    assert (found.text, found.front, found.incompatible, found.warnings) == ((), (), (), ())
    assert found.same
    assert (found.old, found.new) == ("support/triage@v1", "support/triage@v2")


def test_text_is_a_unified_diff_with_fragments_in_place() -> None:
    found = between(prompty("{{ticket}}"), prompty('{% include "_fragments/a.md" %}{{ticket}}'))
    assert found.text[:2] == ("--- support/triage@v1", "+++ support/triage@v2")
    assert found.text[-2:] == ("-{{ticket}}", "+shared {{ticket}}")
    assert not found.same


def test_front_matter_is_told_by_its_keys_in_the_file() -> None:
    old = prompty(extra="description: old\ntools: [{name: look_up, kind: function, description: old}]\n")
    new = (
        old.replace("id: chat", "id: other")
        .replace("description: old}", "description: new}")
        .replace("contract: 1", "contract: 2")
    )
    new = new.replace("model: {", "model: {options: {temperature: 0.5, stopSequences: [a]}, ")
    found = {change.key: (change.old, change.new) for change in between(old, new).front}
    assert found == {
        "model.id": ("chat", "other"),
        "model.options.temperature": (UNSET, 0.5),
        "model.options.stop": (UNSET, ["a"]),
        "metadata.gateway.contract": (1, 2),
        "tools.look_up.function.description": ("old", "new"),
    }


def test_inputs_and_trim_rules_are_told_by_their_names() -> None:
    rules = (
        "metadata: {{gateway: {{budget: {{max_input_tokens: 9, "
        "trim: [{{input: notes, priority: {0}}}]}}, limits: {{ticket: {{maxLength: {1}}}}}}}}}\n"
    )

    def text(priority: int, most: int) -> str:
        front = f"{rules.format(priority, most)}inputs: [{{name: ticket, kind: string}}, {{name: notes, kind: array}}]\n"
        return f"---\n{front}---\n{{{{ticket}}}}{{{{notes|tojson}}}}\n"

    assert between(text(1, 5), text(2, 6)).front == (
        KeyChange("metadata.gateway.limits.ticket.maxLength", 5, 6),
        KeyChange("metadata.gateway.budget.trim.notes.priority", 1, 2),
    )
    assert between(prompty(), prompty("{{ticket}}{{tone}}", inputs=("ticket", "tone"))).front[0].key.startswith("inputs.tone.")


def test_true_and_one_are_not_the_same() -> None:
    flag = "tools: [{{name: a, kind: function, strict: {0}}}]\n"
    assert [change.key for change in between(prompty(extra=flag.format("true")), prompty(extra=flag.format("false"))).front] == [
        "tools.a.function.strict"
    ]


def test_the_contract_is_told_in_sentences() -> None:
    found = between(prompty(), prompty("{{ticket}}{{tone}}", inputs=("ticket", "tone")))
    assert len(found.incompatible) == 1
    assert "tone" in found.incompatible[0]


def test_tokens_are_those_of_the_constant_text() -> None:
    found = between(prompty("one two {{ticket}}"), prompty("{% for a in ticket %}three{% endfor %} four {{ticket}} five six"))
    assert found.tokens == (4, 6)


# Constant text


def test_constant_text_has_neither_role_lines_nor_tags() -> None:
    version = compiled(prompty("a {{ticket}} b {# note #}{% raw %}{{raw}}{% endraw %}\nassistant:\nuser: x\nuser:\nc"))
    assert constant_text(version) == "\nBe brief.\n\na  b {{raw}}\n\nuser: x\n\nc\n"


def test_the_prefix_ends_at_the_first_tag() -> None:
    assert prefix(compiled(prompty("a {# note #}b {{ticket}} c"))) == "system:\nBe brief.\nuser:\na b "
    assert prefix(compiled(prompty("a", inputs=()))) == "system:\nBe brief.\nuser:\na\n"
