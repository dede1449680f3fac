"""How commands end."""

import pytest
import typer

from gateway.cli.exits import exits
from gateway.errors import GatehouseError, SettingsError, Unavailable


@pytest.mark.parametrize(
    ("error", "code"), [(SettingsError("Do this."), 2), (Unavailable("Do this."), 1), (GatehouseError("Do this."), 1)]
)
def test_our_errors_are_one_sentence_and_an_exit_code(
    error: GatehouseError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as left, exits():
        raise error
    assert left.value.exit_code == code
    assert capsys.readouterr().err == "Do this.\n"


def test_a_fault_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exits():
        raise ZeroDivisionError


def test_nothing_wrong_is_nothing_said(capsys: pytest.CaptureFixture[str]) -> None:
    with exits():
        pass
    assert capsys.readouterr() == ("", "")
