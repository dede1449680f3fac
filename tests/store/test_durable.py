"""What is durable when it returns."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gateway.store.durable import renew_file, sync_folder

MIB = 1_048_576


def test_a_folder_that_cannot_be_synced_is_an_error(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 17])
def test_a_file_that_is_renewed_holds_what_it_held(tmp_path: Path, size: int) -> None:
    content = random.Random(size).randbytes(size)  # noqa: S311
    (tmp_path / "file").write_bytes(content)
    before = (tmp_path / "file").stat()
    renew_file(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == content
    after = (tmp_path / "file").stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, size)
    assert (after.st_mtime_ns > before.st_mtime_ns) is (size > 0), "it was written"


def test_a_file_that_is_missing_stays_missing(tmp_path: Path) -> None:
    renew_file(tmp_path / "file")
    assert not (tmp_path / "file").exists()
