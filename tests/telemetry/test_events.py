from __future__ import annotations

from typing import get_args

from gateway.telemetry import events


def constants() -> dict[str, str]:
    return {name: value for name, value in vars(events).items() if name.isupper()}


def test_every_event_has_one_constant_of_its_own_name() -> None:
    assert sorted(constants().values()) == sorted(get_args(events.Event))
    assert all(name.lower() == value for name, value in constants().items())


def test_levels_are_those_of_the_log() -> None:
    assert set(get_args(events.Level)) == {"debug", "info", "warning", "error", "critical"}
