from __future__ import annotations

import dataclasses

import pytest

from gateway.audit.contract import Receipt, Sealed, Unwatched, Watcher


def test_what_is_handed_over_does_not_change() -> None:
    sealed = Sealed("id", "acme", b"blob", b"key", 1, b"digest", "2026-11-24")
    with pytest.raises(dataclasses.FrozenInstanceError):
        sealed.blob = b""  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Receipt(1, b"leaf").index = 2  # type: ignore[misc]


def test_nobody_need_watch() -> None:
    watcher: Watcher = Unwatched()
    watcher.committed(1, 0.1)
    watcher.failed("EIO")
    watcher.recovered(0)
    watcher.filled("ok", 10)
