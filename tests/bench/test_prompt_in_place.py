from __future__ import annotations

import pytest

from tests.bench.prompt_in_place import main


def test_both_kinds_of_exchange_and_their_difference_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(rounds=1, passes=2)
    header, *rows = capsys.readouterr().out.splitlines()
    assert "may cost" in header
    assert [row.split()[0] for row in rows] == ["messages", "prompt", "difference"]
    assert rows[2].endswith("30")
