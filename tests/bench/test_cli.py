from __future__ import annotations

import pytest

from tests.bench.cli import Options, options
from tests.bench.subjects import SUBJECTS


def test_a_full_run_measures_everything() -> None:
    assert options([]) == Options((), 2.0, 3, plot=True)


def test_a_quick_look_is_shorter() -> None:
    assert options(["--only", "gatehouse, floor", "--no-plot"]) == Options(("gatehouse", "floor"), 1.0, 2, plot=False)


def test_lengths_can_be_given() -> None:
    assert options(["--only", "floor", "--seconds", "0.5", "--passes", "7"]) == Options(("floor",), 0.5, 7, plot=True)


@pytest.mark.parametrize("wrong", [["--only", "flor"], ["--seconds", "-1"], ["--passes", "-2"], ["--fast"]])
def test_wrong_use_ends_with_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options(wrong)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_an_unknown_subject_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(["--only", "flor"])
    said = capsys.readouterr().err
    assert all(subject.name in said for subject in SUBJECTS)
