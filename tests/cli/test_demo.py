"""`gatehouse demo`: what `make run` shows a new user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.test_check import upstream

DEMO = [sys.executable, "-m", "gateway.cli", "demo", "--port", "0"]


@contextmanager
def demo(*words: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*DEMO, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environ}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(*words: str, **environ: str) -> tuple[int, str]:
    with demo(*words, **environ) as process:
        output, _ = process.communicate(timeout=50)
        return process.returncode, output


def test_once_shows_every_sample_and_a_line_to_go_on_with() -> None:
    code, output = said("--once")
    assert code == 0, output
    assert "FAIL" not in output
    assert output.count("  ok    ") == 12
    assert output.count("  id 0") == 12
    assert "Your API key: gth_" in output
    assert "/v1/chat/completions -H 'authorization: Bearer gth_" in output


def test_with_an_upstream_of_one_s_own_it_fronts_that() -> None:
    with upstream("its-key") as url:
        code, output = said("--once", UPSTREAM=url, UPSTREAM_API_KEY="its-key")
    assert code == 0, output
    assert f"in front of {url}" in output
    assert output.count("  ok    ") == 8
    assert "its-key" not in output


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "nonsense"])
def test_an_upstream_that_does_not_answer_is_one_sentence(url: str) -> None:
    code, output = said("--once", UPSTREAM=url)
    assert code == 2
    assert len(output.splitlines()) == 1
    assert "Traceback" not in output


def test_an_upstream_that_refuses_us_is_told_of() -> None:
    with upstream("its-key") as url:
        code, output = said("--once", UPSTREAM=url)
    assert (code, "answers 401 and lists no model" in output) == (2, True)


def test_it_stays_up_until_it_is_interrupted() -> None:
    with demo() as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ctrl-C" in line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
