"""The pepper is private, made once and never at the wrong moment."""

from __future__ import annotations

import hashlib
import hmac
import os
import pickle
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.caller.pepper import Pepper, load_pepper
from gateway.errors import SettingsError


def no_keys() -> bool:
    return False


def keys() -> bool:
    return True


def test_the_first_start_makes_a_private_file_of_32_bytes(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        pepper = load_pepper(tmp_path / "var", keys_exist=no_keys)
    finally:
        os.umask(before)
    file = tmp_path / "var" / "pepper"
    assert len(file.read_bytes()) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["pepper"]
    assert pepper.id == Pepper(file.read_bytes()).id


def test_later_starts_read_the_same(tmp_path: Path) -> None:
    first = load_pepper(tmp_path, keys_exist=no_keys)
    again = load_pepper(tmp_path, keys_exist=keys)
    assert (first.id, first.digest("a")) == (again.id, again.digest("a"))


def test_two_places_have_two_peppers(tmp_path: Path) -> None:
    assert load_pepper(tmp_path / "a", keys_exist=no_keys).id != load_pepper(tmp_path / "b", keys_exist=no_keys).id


def test_a_missing_pepper_is_not_made_anew_while_keys_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"The pepper .*/pepper is missing while keys exist: restore it from a backup, copy"):
        load_pepper(tmp_path, keys_exist=keys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_a_pepper_open_to_others_is_not_read(tmp_path: Path, mode: int) -> None:
    load_pepper(tmp_path, keys_exist=no_keys)
    (tmp_path / "pepper").chmod(mode)
    with pytest.raises(SettingsError, match="is open to group or world: run 'chmod 600 "):
        load_pepper(tmp_path, keys_exist=no_keys)


def test_a_pepper_of_another_user_is_not_read(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    load_pepper(tmp_path, keys_exist=no_keys)
    os.chown(tmp_path / "pepper", 4711, -1)
    with pytest.raises(SettingsError, match=r"The pepper .* belongs to another user \(id 4711\)"):
        load_pepper(tmp_path, keys_exist=no_keys)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    load_pepper(tmp_path / "real", keys_exist=no_keys)
    (tmp_path / "pepper").symlink_to(tmp_path / "real" / "pepper")
    with pytest.raises(SettingsError, match="is a link: put the file itself there"):
        load_pepper(tmp_path, keys_exist=no_keys)


def test_a_link_to_nowhere_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / "pepper").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="is a link"):
        load_pepper(tmp_path, keys_exist=no_keys)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pepper", 0o600)
    with pytest.raises(SettingsError, match="is not a regular file"):
        load_pepper(tmp_path, keys_exist=no_keys)


def test_a_socket_is_refused_at_once(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "pepper"))
        with pytest.raises(SettingsError, match=r"The pepper .* cannot be used: No such device or address"):
            load_pepper(tmp_path, keys_exist=no_keys)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_pepper_of_the_wrong_size_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "pepper").touch(0o600)
    (tmp_path / "pepper").write_bytes(bytes(size))
    with pytest.raises(SettingsError, match="does not hold 32 bytes: restore it from a backup"):
        load_pepper(tmp_path, keys_exist=no_keys)


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be used: File exists"):
        load_pepper(tmp_path / "file", keys_exist=no_keys)


def test_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    found: list[str] = []

    def start() -> None:
        # All have found no file when the first goes on to make one.
        found.append(load_pepper(tmp_path, keys_exist=lambda: together.wait(timeout=20) < 0).id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pepper"]


def test_the_pepper_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from gateway.caller.pepper import load_pepper\n"
        "def stop(*_): os._exit(7)\n"
        "sys.addaudithook(lambda event, args: stop() if event == 'os.link' else None)\n"
        "load_pepper(Path(sys.argv[1]), keys_exist=lambda: False)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 7
    assert not (tmp_path / "pepper").exists()
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [32]


def test_a_digest_is_hmac_sha256_and_takes_any_text() -> None:
    secret = bytes(range(32))
    pepper = Pepper(secret)
    for text in ("", "gth_abc", "é\u0660", "x" * 100_000):
        assert pepper.digest(text) == hmac.digest(secret, text.encode(), hashlib.sha256)
    assert len(pepper.digest("\ud800")) == 32


def test_a_pepper_cannot_be_printed_or_pickled() -> None:
    pepper = Pepper(b"s3cret-bytes-that-must-not-leak!")
    assert "s3cret" not in repr(pepper)
    with pytest.raises(TypeError):
        pickle.dumps(pepper)
