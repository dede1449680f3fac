"""A secret's file is private, made once and never at the wrong moment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.store.private import load_secret, make_file, make_folder, make_once, read_secret


def load(path: Path, why: str = "") -> bytes:
    return load_secret(path, "The root key", lost=lambda: why)


def test_the_first_start_makes_a_private_file_of_32_bytes(tmp_path: Path) -> None:
    file = tmp_path / "var" / "root.key"
    before = os.umask(0)
    try:
        secret = load(file)
    finally:
        os.umask(before)
    assert file.read_bytes() == secret
    assert len(secret) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["root.key"]


def test_later_starts_read_the_same_and_two_places_differ(tmp_path: Path) -> None:
    first = load(tmp_path / "a")
    assert load(tmp_path / "a", "because") == first
    assert load(tmp_path / "b") != first


def test_one_that_was_lost_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^The root key .*/root\.key is missing while keys exist$"):
        load(tmp_path / "root.key", "while keys exist")
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_makes_meanwhile_was_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "root.key"

    def lost() -> str:
        load(file)
        return "while keys exist"

    assert load_secret(file, "The root key", lost=lost) == file.read_bytes()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_one_that_is_open_to_others_is_not_read(tmp_path: Path, mode: int) -> None:
    load(tmp_path / "root.key")
    (tmp_path / "root.key").chmod(mode)
    with pytest.raises(SettingsError, match="is open to group or world: run 'chmod 600 "):
        load(tmp_path / "root.key")


def test_one_of_another_user_is_not_read(tmp_path: Path) -> None:
    load(tmp_path / "root.key")
    with pytest.raises(SettingsError, match=rf"belongs to another user \(id {os.geteuid()}\)"):
        read_secret(tmp_path / "root.key", "The root key", uid=os.geteuid() + 1)


@pytest.mark.parametrize("target", ["real", "nowhere"])
def test_a_link_is_not_followed(tmp_path: Path, target: str) -> None:
    load(tmp_path / "real")
    (tmp_path / "root.key").symlink_to(tmp_path / target)
    with pytest.raises(SettingsError, match="is a link: put the file itself there"):
        load(tmp_path / "root.key")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "root.key", 0o600)
    with pytest.raises(SettingsError, match="is not a regular file"):
        load(tmp_path / "root.key")


def test_a_socket_is_refused_at_once(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "root.key"))
        with pytest.raises(SettingsError, match="cannot be used: No such device or address"):
            load(tmp_path / "root.key")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_one_of_the_wrong_size_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "root.key").touch(0o600)
    (tmp_path / "root.key").write_bytes(bytes(size))
    with pytest.raises(SettingsError, match="does not hold 32 bytes: restore it from a backup"):
        load(tmp_path / "root.key")


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be used: File exists"):
        load(tmp_path / "file" / "root.key")


def test_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    found: list[bytes] = []

    def lost() -> str:
        together.wait(timeout=20)  # all have found no file when the first goes on to make one
        return ""

    threads = [
        threading.Thread(target=lambda: found.append(load_secret(tmp_path / "root.key", "The root key", lost=lost)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["root.key"]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from gateway.store.private import load_secret\n"
        "sys.addaudithook(lambda event, args: os._exit(7) if event == 'os.link' else None)\n"
        "load_secret(Path(sys.argv[1], 'root.key'), 'The root key', lost=str)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 7
    assert not (tmp_path / "root.key").exists()
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [32]


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    make_once(tmp_path / "var" / "name", b"first")
    make_once(tmp_path / "var" / "name", b"second")
    assert (tmp_path / "var" / "name").read_bytes() == b"first"
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["name"]
    assert (tmp_path / "var" / "name").stat().st_mode & 0o777 == 0o600


def test_an_empty_file_is_private_whatever_the_umask_and_one_that_is_there_is_not_touched(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_file(tmp_path / "database")
    finally:
        os.umask(before)
    assert (tmp_path / "database").stat().st_mode & 0o777 == 0o600
    (tmp_path / "database").write_bytes(b"rows")
    make_file(tmp_path / "database")
    assert (tmp_path / "database").read_bytes() == b"rows"


def test_no_folder_on_the_way_is_open_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    make_folder(tmp_path / "a" / "b" / "c")
    folders = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert [each.stat().st_mode & 0o777 for each in folders] == [0o700] * 3


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    mode = (tmp_path / "open").stat().st_mode
    make_folder(tmp_path / "open" / "a")
    make_folder(tmp_path / "open")
    assert (tmp_path / "open").stat().st_mode == mode


def test_a_file_in_the_way_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file" / "a" / "b")


def test_folders_that_several_make_at_the_same_moment_are_made(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def make(number: int) -> None:
        for turn in range(20):
            together.wait(timeout=20)
            make_folder(tmp_path / str(turn) / "a" / "b" / str(number % 2))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(make, range(8))) == [None] * 8
