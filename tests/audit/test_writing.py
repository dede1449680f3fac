"""Who writes the log."""

from importlib.metadata import version
from pathlib import Path

from gateway.audit.writing import writing
from gateway.settings.load import load
from gateway.settings.tree import Settings
from tests.gatehouse import TOML


def settings(folder: Path, more: str = "") -> Settings:
    file = folder / "gateway.toml"
    file.write_text(TOML + more, encoding="utf-8")
    return load(file, {})


def test_the_same_configuration_has_the_same_digest_and_another_has_another(tmp_path: Path) -> None:
    first = writing(settings(tmp_path))
    assert first == writing(settings(tmp_path))
    assert first.config != writing(settings(tmp_path, "[server]\nport = 81\n")).config
    assert (first.site, first.software) == ("gatehouse", f"gatehouse {version('gatehouse')}")
