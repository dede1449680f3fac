"""The command line as a whole."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app, main

COMMANDS = ("serve", "demo", "check", "keys", "audit")


def test_every_command_is_listed_and_explains_itself() -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["--help"])
    assert listed.exit_code == 0
    for command in COMMANDS:
        assert command in listed.output
        assert runner.invoke(app, [command, "--help"]).exit_code == 0


@pytest.mark.parametrize("words", [["nonsense"], ["serve", "--nonsense"], ["serve", "--port", "-1"], ["keys", "create"]])
def test_wrong_use_is_one_sentence_and_exit_code_2(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "gateway.cli", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "--help" in done.stderr


def test_it_runs_as_a_module_too() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway.cli", "--help"], capture_output=True, check=False)
    assert (done.returncode, b"serve" in done.stdout) == (0, True)


def test_the_entry_point_is_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gatehouse", "--help"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
