"""The official Node SDK against `gatehouse serve` with the fake upstream; `clients/` holds the checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.client import CHECKS_WITH_A_FAKE, run_node
from tests.e2e.door import Door
from tests.e2e.sdk import Node
from tests.e2e.wire import Fake


@pytest.mark.timeout(600)
def test_the_node_sdk_works_as_with_openai(node_sdk: Node, door: Door, fake: Fake, tmp_path: Path) -> None:
    run_node(node_sdk, door, tmp_path, FAKE_URL=fake.url).expect(CHECKS_WITH_A_FAKE)
