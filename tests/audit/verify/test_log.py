"""One log is read to its end, whatever is wrong with it, and each thing that is wrong is told once, with its place."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.audit.canonical import encode
from gateway.audit.entry import End
from gateway.audit.frames import pack
from gateway.audit.merkle import leaf_hash
from gateway.audit.reader import Reader
from gateway.audit.verify.log import Log
from gateway.audit.verify.problem import Report
from tests.audit.generated import DAY, START, Traffic, change, entries, exchange_id, generate, write

NOW = START + 2 * DAY
TRAFFIC = Traffic(30)


def read(folder: Path, *, running: bool = False) -> tuple[Report, list[End]]:
    report = Report()
    ended: list[End] = []
    log = Log(folder, "log", report=report, now=NOW, ended=lambda end, _index, _where: ended.append(end))
    with closing(Reader(folder)) as reader:
        log.read(reader, running=running)
    return report, ended


def problems(folder: Path, *, running: bool = False) -> list[tuple[str, str]]:
    report, _ = read(folder, running=running)
    assert report.total == len(report.problems)
    return [(problem.kind, problem.where) for problem in report.problems]


def row(folder: Path, first: int, *pieces: bytes, leaf: bytes = b"") -> None:
    """Put entries in the place of a row."""
    leaves = b"".join(leaf or leaf_hash(piece) for piece in pieces)
    change(
        folder, "INSERT OR REPLACE INTO commits VALUES (?, ?, NULL, ?, ?)", parameters=(first, len(pieces), leaves, pack(pieces))
    )


@pytest.mark.parametrize("batch", [1, 7, 512])
def test_a_sound_log_has_no_problem_and_is_counted(tmp_path: Path, batch: int) -> None:
    report, ended = read(generate(tmp_path, TRAFFIC, batch=batch))
    assert (report.ok, report.entries, report.exchanges) == (True, sum(1 for _ in entries(TRAFFIC)), 30)
    assert len(ended) == 30


def test_open_exchanges_are_a_problem_unless_a_process_writes(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(2, closed=False))
    assert problems(folder, running=True) == []
    assert problems(folder) == [
        ("exchange", f"log: entry {index}, exchange {exchange_id('0', number)}") for number, index in enumerate((2, 3))
    ]


def test_an_empty_log_is_a_problem_unless_a_process_writes(tmp_path: Path) -> None:
    folder = write(tmp_path, "0", [])
    assert problems(folder) == [("missing", "log")]
    assert problems(folder, running=True) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM commits WHERE first = 14", [("missing", "log: row 21")]),
        ("DELETE FROM commits WHERE first = 0", [("missing", "log: row 7")]),
        ("UPDATE commits SET entries = x'00' WHERE first = 14", [("row", "log: row 14")]),
        ("UPDATE commits SET count = 8 WHERE first = 14", [("row", "log: row 14")]),
        ("UPDATE commits SET leaves = zeroblob(32) || substr(leaves, 33) WHERE first = 14", [("leaf", "log: row 14, entry 14")]),
        ("UPDATE commits SET open = x'7b7d' WHERE first = 14", [("row", "log: row 14")]),
        ("UPDATE commits SET open = '{}' WHERE first = 14", [("row", "log: row 14")]),
        ("UPDATE commits SET open = x'00' WHERE first = 14", [("row", "log: row 14")]),
    ],
)
def test_one_thing_that_is_wrong_is_one_problem(tmp_path: Path, statement: str, expected: list[tuple[str, str]]) -> None:
    folder = generate(tmp_path, TRAFFIC, batch=7)
    change(folder, statement)
    assert problems(folder) == expected


def test_a_row_that_moved_is_missed_where_it_was(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC, batch=7)
    change(folder, "UPDATE commits SET first = first + 1 WHERE first = (SELECT max(first) FROM commits)")
    assert ("missing", "log: row 64") in problems(folder)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"at": 1}', "form"),
        (b"{", "form"),
        (b"\xff", "form"),
        (b'{"at":1,"kind":"later","mono":1,"v":2}', "form"),
    ],
)
def test_what_is_no_entry_is_told(tmp_path: Path, data: bytes, kind: str) -> None:
    folder = generate(tmp_path, Traffic(0, closed=False))
    row(folder, 2, data)
    assert problems(folder) == [(kind, "log: row 2, entry 2")]


def test_an_entry_in_another_form_than_the_canonical_one_is_told(tmp_path: Path) -> None:
    log = list(entries(Traffic(1, attempts=False)))
    data = [encode(entry) for entry in log]
    for changed in (
        data[2].replace(b'{"app"', b'{ "app"'),
        b'{"v":1,' + data[2][1:].replace(b',"v":1', b""),
        data[2].replace(b'"top_k"', '"töp_k"'.encode()),
    ):
        folder = tmp_path / str(len(changed))
        folder = write(folder, "0", [])
        row(folder, 0, *data[:2], changed, *data[3:])
        assert problems(folder) == [("form", f"log: row 0, entry 2, exchange {exchange_id('0', 0)}")]


def test_a_field_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    data = [encode(entry) for entry in entries(Traffic(1, attempts=False))]
    later = msgspec.json.encode({**msgspec.json.decode(data[2]), "zeal": {"more": ["é", 1, True]}}, order="sorted")
    folder = write(tmp_path, "0", [])
    row(folder, 0, *data[:2], later, *data[3:])
    assert problems(folder) == []
    floating = msgspec.json.encode({**msgspec.json.decode(data[2]), "zeal": 0.5}, order="sorted")
    row(folder, 0, *data[:2], floating, *data[3:])
    assert [kind for kind, _ in problems(folder)] == ["form"]


def test_what_does_not_fit_its_exchange_or_its_boot_is_told_with_its_place(tmp_path: Path) -> None:
    data = [encode(entry) for entry in entries(Traffic(2, attempts=False))]
    folder = write(tmp_path, "0", [])
    row(folder, 0, *data[:4], data[5], data[5])
    found, _ = read(folder)
    assert [(problem.kind, problem.where) for problem in found.problems] == [
        ("exchange", f"log: row 0, entry 5, exchange {exchange_id('0', 1)}"),
        ("exchange", f"log: entry 2, exchange {exchange_id('0', 0)}"),
    ]
    row(folder, 0, data[0], *data[2:])
    assert ("order", f"log: row 0, entry 1, exchange {exchange_id('0', 0)}") in problems(folder)


def test_a_log_in_a_folder_of_another_name_is_read_all_the_same(tmp_path: Path) -> None:
    folder = generate(tmp_path, TRAFFIC)
    assert problems(folder.rename(tmp_path / "evidence")) == []


def test_pages_that_cannot_be_read_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = generate(tmp_path, Traffic(3000), batch=16)
    size = (folder / "log.sqlite3").stat().st_size
    with (folder / "log.sqlite3").open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 8)
    report, _ = read(folder)
    whole = sum(1 for _ in entries(Traffic(3000)))
    assert report.problems
    assert {problem.kind for problem in report.problems} <= {"database", "row", "leaf", "missing"}
    assert 0.95 * whole < report.entries <= whole
