from __future__ import annotations

import pytest

from tests.bench import machine


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'--prefix=/usr'", "no PGO, no LTO"),
        ("'--enable-optimizations' '--with-lto'", "PGO, LTO"),
        ("'--enable-optimizations'", "PGO, no LTO"),
        ("", "no PGO, no LTO"),
    ],
)
def test_the_build_of_python_is_read_from_its_arguments(arguments: str, expected: str) -> None:
    assert machine.python_build(arguments) == expected


def test_the_processor_is_named() -> None:
    assert machine.processor("vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9\nmodel name\t: AMD EPYC 9\n") == "AMD EPYC 9"
    assert machine.processor("")


def test_every_library_on_the_hot_path_has_its_version() -> None:
    found = machine.describe()
    assert isinstance(found["packages"], dict)
    assert "absent" not in {found["packages"][name] for name in ("uvicorn", "uvloop", "httptools", "aiohttp")}
    assert found["kernel"]


def test_what_python_was_built_with_is_told_without_its_folders() -> None:
    given = "'--prefix=/home/a' '--enable-shared' '--with-lto=full' '--with-openssl=/opt/ssl' 'LDFLAGS=-L/home/a/lib'"
    assert machine.build_options(given) == ["--enable-shared", "--with-lto=full"]
