"""The SDK environments: made once, and a registry that cannot be reached is said, never skipped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.sdk import node, openai_3


@pytest.fixture
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an empty cache and a registry at an address where nobody listens."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


@pytest.mark.usefixtures("unreachable")
def test_an_unreachable_registry_fails_with_a_sentence_that_says_what_to_do() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"registry cannot be reached\. Set GATEHOUSE_OFFLINE=1"):
        openai_3()


@pytest.mark.usefixtures("unreachable")
def test_offline_on_purpose_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_OFFLINE", "1")
    for make in (openai_3, node):
        with pytest.raises(pytest.skip.Exception, match="GATEHOUSE_OFFLINE=1"):
            make()


def test_what_was_made_is_found_again_without_a_registry(python_sdk_3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    assert openai_3() == python_sdk_3
