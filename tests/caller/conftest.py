"""Both engines for the tests of this folder, keys that do what a test says, time that it moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.caller.fakes import Clock, Keys
from tests.store.postgres import postgres, store

__all__ = ["clock", "keys", "postgres", "store"]


@pytest.fixture
def keys() -> Iterator[Keys]:
    keys = Keys()
    yield keys
    keys.answering.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()
