from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings.overlay import _references
from gateway.settings.secret import resolve
from gateway.telemetry.frames import class_names, own_frames

SENTINEL = "hunter2-sentinel"


def fault() -> Exception:
    """Return an error that passed through our code, with secrets in its texts and in the locals of every frame."""
    password = SENTINEL
    with pytest.raises(ValueError, match=password) as caught:
        try:
            resolve("env:NOT_THERE", Path(), {"other": password}, key=SENTINEL)
        except SettingsError as error:
            raise ValueError(password) from error
    return caught.value


def test_classes_are_named_with_their_causes_and_without_their_texts() -> None:
    assert class_names(fault()) == ["builtins.ValueError", "gateway.errors.SettingsError"]


def test_only_our_frames_are_named_by_module_line_and_function() -> None:
    [frame] = own_frames(fault())
    module, _, rest = frame.partition(":")
    line, _, function = rest.partition(" ")
    assert module == "gateway.settings.secret"
    assert line.isdecimal()
    assert function == "resolve"


def test_nothing_of_what_was_handled_shows() -> None:
    error = fault()
    assert SENTINEL not in f"{class_names(error)}{own_frames(error)}"


def failed() -> None:
    raise ValueError


def test_an_error_met_while_handling_another_names_both_unless_hidden() -> None:
    with pytest.raises(KeyError) as met:
        try:
            failed()
        except ValueError:
            raise KeyError  # noqa: B904
    assert class_names(met.value) == ["builtins.KeyError", "builtins.ValueError"]
    with pytest.raises(KeyError) as hidden:
        try:
            failed()
        except ValueError:
            raise KeyError from None
    assert class_names(hidden.value) == ["builtins.KeyError"]


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert class_names(first) == ["builtins.ValueError", "builtins.KeyError"]


def test_a_chain_without_end_is_cut() -> None:
    error = ValueError()
    for _ in range(100):
        following = ValueError()
        following.__cause__, error = error, following
    assert len(class_names(error)) == 20


def test_an_endless_recursion_shows_both_its_ends() -> None:
    nested: list[object] = []
    nested.append(nested)
    with pytest.raises(RecursionError) as caught:
        list(_references(nested))
    frames = own_frames(caught.value)
    assert len(frames) == 21
    assert frames[10] == "…"
    assert {frame.partition(":")[0] for frame in frames if frame != "…"} == {"gateway.settings.overlay"}
