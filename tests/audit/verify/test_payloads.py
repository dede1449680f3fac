"""Every payload that is named is there, whole; every flipped bit in a payload file is found with its place."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest

from gateway.audit.entry import End, Payload
from gateway.audit.vault.blob import id_bytes
from gateway.audit.vault.frame import HEADER_BYTES, header
from gateway.audit.verify.logs import verify
from gateway.audit.verify.payloads import Payloads
from gateway.audit.verify.problem import Report
from tests.audit.entries import end, exchange_id
from tests.audit.recorded import Said, record
from tests.audit.vault.kit import DAY, flipped, sealed, tenant_key


def day_file(store: Path) -> Path:
    (path,) = (store / "payloads" / "0").iterdir()
    return path


def problems(store: Path) -> list[tuple[str, str, str]]:
    report = verify(store, now=time.time())
    return [(problem.kind, problem.where, problem.detail) for problem in report.problems]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return a store with six exchanges, one of which keeps no payload."""
    store = tmp_path_factory.mktemp("whole")
    said = [Said(), Said("beta"), Said(payloads="none"), Said(question="Why? " * 300), Said(), Said("gamma")]
    return store, record(store, said)


@pytest.fixture
def store(whole: tuple[Path, list[str]], tmp_path: Path) -> Path:
    return shutil.copytree(whole[0], tmp_path / "store")


def test_payloads_that_are_as_they_were_written_are_no_problem(store: Path) -> None:
    assert problems(store) == []


def test_every_flipped_bit_is_found_with_its_place(store: Path) -> None:
    path = day_file(store)
    data = path.read_bytes()
    chance = random.Random(3)  # noqa: S311  # which bits to flip
    for _ in range(1000):
        bit = chance.randrange(8 * len(data))
        path.write_bytes(flipped(data, bit))
        found = problems(store)
        assert {kind for kind, _, _ in found} == {"payload"}
        assert any(holds(where, bit // 8) for _, where, _ in found), (bit, found)


def holds(where: str, place: int) -> bool:
    """Tell whether a place in a problem is a stretch of the file that holds a byte."""
    _, found, stretch = where.partition(": bytes ")
    if not found:
        return False
    first, last = stretch.partition(",")[0].split(" to ")
    return int(first) <= place <= int(last)


def test_a_file_that_is_gone_is_one_problem_that_says_how_much_it_held(store: Path) -> None:
    path = day_file(store)
    path.unlink()
    assert problems(store) == [
        (
            "payload",
            f"payloads/0/{path.name}",
            "it cannot be read, and 5 end entries name payloads in it: No such file or directory",
        )
    ]
    path.mkdir()
    assert [kind for kind, _, _ in problems(store)] == ["payload"]


def test_a_payload_that_is_gone_is_named(store: Path, whole: tuple[Path, list[str]]) -> None:
    path = day_file(store)
    data = path.read_bytes()
    length = HEADER_BYTES + int.from_bytes(data[4:8], "big")
    path.write_bytes(data[length:])
    first = whole[1][0]
    assert problems(store) == [
        ("payload", f"log/0/log.sqlite3: entry 3, exchange {first}", f"its payload is not in payloads/0/{path.name}")
    ]


def test_what_a_crash_left_at_the_end_is_no_problem(store: Path) -> None:
    path = day_file(store)
    data = path.read_bytes()
    unnamed = frame(exchange_id(7))
    for torn in (b"GHP1", bytes(100), unnamed[:30], unnamed[: HEADER_BYTES + 10], unnamed[:-1] + b"x", unnamed):
        path.write_bytes(data + torn)
        assert problems(store) == []


def frame(exchange: str) -> bytes:
    """Return a frame that no entry names."""
    each = sealed(tenant_key(), exchange_id=exchange)
    return header(id_bytes(exchange), each.digest, length=len(each.blob)) + each.blob


def test_something_broken_with_something_whole_behind_it_is_a_problem(store: Path) -> None:
    path = day_file(store)
    data = path.read_bytes()
    path.write_bytes(b"\x00" * 9 + data)
    assert problems(store) == [("payload", f"payloads/0/{path.name}: bytes 0 to 8", "no frame begins here")]


def test_a_payload_whose_exchange_ended_and_names_none_is_a_problem(store: Path, whole: tuple[Path, list[str]]) -> None:
    path = day_file(store)
    size = path.stat().st_size
    piece = frame(whole[1][2])
    path.write_bytes(path.read_bytes() + piece)
    where = f"payloads/0/{path.name}: bytes {size} to {size + len(piece) - 1}, exchange {whole[1][2]}"
    assert problems(store) == [("payload", where, "it is not what entry 7, the end of its exchange, names")]


def test_files_that_are_no_payload_files_are_passed_over(store: Path) -> None:
    (store / "payloads" / "0" / "notes.sealed").write_text("no day")
    (store / "payloads" / "0" / "2026-11-24.txt").write_text("no payloads")
    assert problems(store) == []


def test_where_a_log_lies_apart_its_payloads_are_not_looked_for(store: Path, tmp_path: Path) -> None:
    day_file(store).unlink()
    assert verify(shutil.copytree(store / "log" / "0", tmp_path / "apart" / "log" / "0"), now=time.time()).ok
    assert not verify(store / "log" / "0", now=time.time()).ok


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (Payload(digest="zz" * 32, bytes=1, day=DAY, key=1), "is none"),
        (Payload(digest="5a" * 32, bytes=1, day="2026-11-2x", key=1), "is none"),
        (Payload(digest="5a" * 32, bytes=1, day="../../../x", key=1), "is none"),
    ],
)
def test_what_an_end_names_and_cannot_be_is_told(tmp_path: Path, changed: Payload, words: str) -> None:
    report = Report()
    payloads = Payloads(tmp_path, "0", name="log", report=report)
    entry = end(exchange_id(1), 0)
    payloads.end(End(**{field: getattr(entry, field) for field in entry.__struct_fields__} | {"payload": changed}), 1, "here")
    payloads.check()
    payloads.close()
    (problem,) = report.problems
    assert (problem.kind, problem.where) == ("payload", "here")
    assert words in problem.detail


def test_a_length_that_is_not_that_of_the_entry_is_told(store: Path) -> None:
    report = Report()
    (path,) = (store / "payloads" / "0").iterdir()
    head = path.read_bytes()[:HEADER_BYTES]
    exchange = head[8:24].hex()
    name = f"{exchange[:8]}-{exchange[8:12]}-{exchange[12:16]}-{exchange[16:20]}-{exchange[20:]}"
    named = Payload(digest=head[24:56].hex(), bytes=3, day=path.name.removesuffix(".sealed"), key=1)
    payloads = Payloads(store, "0", name="log", report=report)
    entry = end(name, 0)
    payloads.end(End(**{field: getattr(entry, field) for field in entry.__struct_fields__} | {"payload": named}), 1, "here")
    payloads.check()
    payloads.close()
    assert [problem.detail.partition(" bytes")[2] for problem in report.problems] == [", and entry 1 says 3"]


def test_memory_does_not_grow_with_what_is_named(tmp_path: Path) -> None:
    payloads = Payloads(tmp_path, "0", name="log", report=Report())
    for number in range(10_000):
        payloads.end(end(exchange_id(number), 0), number, "")
    assert len(payloads._ends) < 4096
    payloads.check()
    payloads.close()
