"""What is printed is aligned, on one line each, and nothing that a terminal would obey."""

from __future__ import annotations

import msgspec
import pytest

from gateway.cli.prompts.printing import laid_out, print_fields, print_json, print_table


def test_a_table_is_as_wide_as_its_cells_need(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("NAME", "WHAT"), ("a", "longer than the head"), ("longer", "b")])
    assert capsys.readouterr().out == "NAME    WHAT\na       longer than the head\nlonger  b\n"


def test_a_cell_stays_on_its_line_and_shows_what_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("A", "B"), ("one\ntwo", "\x1b[31mred")])
    assert capsys.readouterr().out == "A        B\none two  \\u001b[31mred\n"


def test_fields_stand_below_each_other_and_empty_ones_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("file", "a.prompty"), ("fragments", ""), ("route", "chat\x07")])
    assert capsys.readouterr().out == "file       a.prompty\nroute      chat\\u0007\n"


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": ["ä\n"]})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert msgspec.json.decode(out) == {"a": ["ä\n"]}


def test_json_for_people_is_laid_out() -> None:
    assert laid_out({"a": 1}) == '{\n  "a": 1\n}'
