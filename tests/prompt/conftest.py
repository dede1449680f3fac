"""Both engines for the tests of this folder."""

from __future__ import annotations

from tests.store.postgres import postgres, store

__all__ = ["postgres", "store"]
