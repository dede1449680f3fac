"""The official Python SDK, 2.x and 3.x, against `gatehouse serve` with the fake upstream; `clients/` holds the checks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.client import CHECKS_WITH_A_FAKE, run_python
from tests.e2e.door import Door
from tests.e2e.wire import Fake


@pytest.mark.timeout(120)
def test_sdk_2_works_as_with_openai(door: Door, fake: Fake) -> None:
    outcome = run_python(Path(sys.executable), door, FAKE_URL=fake.url)
    assert outcome.lines[0].startswith("openai 2.")
    outcome.expect(CHECKS_WITH_A_FAKE)


@pytest.mark.timeout(600)
def test_sdk_3_works_as_with_openai(python_sdk_3: Path, door: Door, fake: Fake) -> None:
    outcome = run_python(python_sdk_3, door, FAKE_URL=fake.url)
    assert outcome.lines[0].startswith("openai 3.")
    outcome.expect(CHECKS_WITH_A_FAKE)


@pytest.mark.timeout(120)
def test_control_what_the_gateway_adds_is_missing_without_it(door: Door, fake: Fake) -> None:
    past = Door(fake.host, fake.port, key=door.key, process=door.process, folder=door.folder)
    added = ["headers", "wrong_key", "unknown_model", "unsupported_field", "upstream_failed", "broken_stream"]
    outcome = run_python(Path(sys.executable), past, "chat", "closed_stream", *added, FAKE_URL=fake.url)
    assert outcome.code == 1
    assert outcome.held == ["chat", "closed_stream"]
    assert sorted(outcome.failed) == sorted(added)
