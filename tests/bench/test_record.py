from __future__ import annotations

import msgspec

from tests.bench.proc import Memory
from tests.bench.record import Record
from tests.bench.report import Result
from tests.bench.stats import Figure


def test_a_record_holds_what_a_reader_needs_to_judge_it() -> None:
    floor = Result(
        "floor", {"plain_us": Figure(40.00004, 38.0, 41.0)}, {"plain: status 500": 1}, Memory(2_000_000, 1_000_000), 200.0
    )
    quiet = Figure(0.01, 0.0, 0.02)
    record = Record.of({"processor": "x"}, [floor], noise=quiet, missing={"litellm": "no network"})
    read = msgspec.json.decode(record.encode())
    assert read["machine"] == {"processor": "x"}
    assert read["missing"] == {"litellm": "no network"}
    assert read["foreign_cores"]["high"] == 0.02
    assert read["subjects"]["floor"]["valid"] is False
    assert read["subjects"]["floor"]["figures"]["plain_us"] == {"median": 40.0, "low": 38.0, "high": 41.0}
    assert read["subjects"]["floor"]["memory_mb"] == {"pss": 1.0, "rss": 2.0}
    assert read["ratios"] == {"floor": {"plain/floor": 1.0}}
    assert read["date"].endswith("+00:00")
