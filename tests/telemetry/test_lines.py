from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from select import PIPE_BUF

import pytest

from gateway.telemetry.lines import Lines

LINES = 3000


class Gate:
    """A stream that takes nothing until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.data = b""

    def write(self, data: bytes | memoryview, /) -> int:
        self.entered.set()
        self.open.wait()
        self.data += data
        return len(data)

    def flush(self) -> None:
        pass


class Script:
    """A stream whose writes go as told: a number of bytes, None for "full", or an error; after the script all is taken."""

    def __init__(self, *steps: int | Exception | None) -> None:
        self.steps = list(steps)
        self.data = b""

    def write(self, data: bytes | memoryview, /) -> int | None:
        step = self.steps.pop(0) if self.steps else len(data)
        if isinstance(step, Exception):
            raise step
        if step is None:
            return None
        self.data += data[:step]
        return step

    def flush(self) -> None:
        pass


def told(count: int) -> bytes:
    return b"dropped %d\n" % count


def test_lines_leave_in_their_order_and_are_all_there_after_close() -> None:
    stream = io.BytesIO()
    lines = Lines(stream, told=told)
    for number in range(LINES):
        lines.put(b"%d\n" % number)
    lines.close()
    assert stream.getvalue().split() == [b"%d" % number for number in range(LINES)]


def test_lines_from_several_threads_are_all_there() -> None:
    stream = io.BytesIO()
    lines = Lines(stream, told=told, pause=0.001)

    def put(name: int) -> None:
        for number in range(500):
            lines.put(b"%d.%d\n" % (name, number))

    threads = [threading.Thread(target=put, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.close()
    assert sorted(stream.getvalue().split()) == sorted(b"%d.%d" % (name, number) for name in range(4) for number in range(500))


def test_a_stuck_reader_stops_nobody_and_the_lines_that_were_lost_are_told() -> None:
    stream = Gate()
    lines = Lines(stream, told=told, limit=10)
    lines.put(b"first\n")
    stream.entered.wait()
    for number in range(15):
        lines.put(b"%d\n" % number)
    stream.open.set()
    lines.close()
    assert stream.data.split() == [b"first", b"dropped", b"5", *(b"%d" % number for number in range(10))]


def test_close_gives_up_on_a_stuck_reader() -> None:
    stream = Gate()
    lines = Lines(stream, told=told)
    lines.put(b"first\n")
    stream.entered.wait()
    # The gate is shut: without a deadline neither of these would return.
    lines.close(0.01)
    lines.put(b"later\n")
    assert stream.data == b""
    stream.open.set()


def test_a_write_that_takes_a_part_is_continued() -> None:
    stream = Script(1, 2, 3)
    lines = Lines(stream, told=told)
    lines.put(b"a line\n")
    lines.close()
    assert stream.data == b"a line\n"


def test_a_stream_that_does_not_block_is_asked_again_until_the_deadline() -> None:
    stream = Script(None, 2, None)
    lines = Lines(stream, told=told, pause=0.001)
    lines.put(b"a line\n")
    lines.close()
    assert stream.data == b"a line\n"


def test_a_stream_that_stays_full_is_left_at_the_deadline() -> None:
    stream = Script(*[None] * 100_000)
    lines = Lines(stream, told=told, pause=0.001)
    lines.put(b"a line\n")
    lines.close(0.01)
    lines._thread.join()
    assert stream.data == b""


def test_after_a_failure_lines_start_afresh_and_the_loss_is_told() -> None:
    stream = Script(3, OSError(28, "No space left on device"), OSError(28, "still"))
    lines = Lines(stream, told=told, pause=0.001)
    lines.put(b"first\n")
    lines.close()
    lines.put(b"second\n")
    assert stream.data == b"fir\nsecond\ndropped 1\n"


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), ValueError("write to closed file")])
def test_a_reader_that_has_gone_harms_nobody(error: Exception) -> None:
    stream = Script(*[error] * 50)
    lines = Lines(stream, told=told)
    for _ in range(20):
        lines.put(b"line\n")
    lines.close()
    assert stream.data == b""


def test_a_line_after_close_is_written_at_once() -> None:
    stream = io.BytesIO()
    lines = Lines(stream, told=told)
    lines.close()
    lines.put(b"last\n")
    assert stream.getvalue() == b"last\n"


def test_close_may_be_called_again() -> None:
    lines = Lines(io.BytesIO(), told=told)
    lines.close()
    lines.close()


def test_no_write_is_larger_than_what_a_pipe_takes_in_one_piece() -> None:
    written: list[bytes] = []

    class Recording(io.RawIOBase):
        def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]
            written.append(bytes(data))
            return len(data)

    lines = Lines(Recording(), told=told)
    for _ in range(500):
        lines.put(b"x" * 99 + b"\n")
    lines.put(b"y" * 2 * PIPE_BUF + b"\n")
    lines.close()
    assert all(piece.endswith(b"\n") for piece in written)
    assert [piece for piece in written if len(piece) > PIPE_BUF] == [b"y" * 2 * PIPE_BUF + b"\n"]
    assert len(written) < 50


PROGRAM = """
import io, sys
from gateway.telemetry.lines import Lines
lines = Lines(io.FileIO(2, "wb", closefd=False), told=lambda count: b"dropped\\n", limit=10**6)
for number in range(3000):
    lines.put(b"%s %d %s\\n" % (sys.argv[1].encode(), number, b"." * 150))
print("all put", flush=True)
"""


def test_a_process_that_ends_without_closing_has_written_its_lines_and_shared_pipes_keep_them_whole() -> None:
    reading, writing = os.pipe()
    writers = [subprocess.Popen([sys.executable, "-c", PROGRAM, name], stderr=writing, stdout=subprocess.PIPE) for name in "ab"]
    os.close(writing)
    # Nobody reads until both have more to write than the pipe holds.
    for writer in writers:
        assert writer.stdout is not None
        with writer.stdout as said:
            assert said.readline() == b"all put\n"
    with os.fdopen(reading, "rb") as pipe:
        found = pipe.read().splitlines()
    assert [writer.wait() for writer in writers] == [0, 0]
    for name in (b"a", b"b"):
        mine = [line for line in found if line.startswith(name)]
        assert mine == [b"%s %d %s" % (name, number, b"." * 150) for number in range(LINES)]
    assert len(found) == 2 * LINES
