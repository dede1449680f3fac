"""A PostgreSQL of this test process alone: started when the first test asks, gone with the process even if it is killed."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import pg8000
import pytest

from gateway.settings.tree import Store

MISSING = "PostgreSQL's server programs are missing: install the package 'postgresql'."
USER = "gatehouse"
_TRIES = 5


@dataclass(frozen=True)
class Cluster:
    """A running server; `folder` holds its socket, and its certificate where it could be made."""

    folder: Path
    port: int

    @property
    def certificate(self) -> Path:
        return self.folder / "server.crt"

    def new_database(self) -> str:
        """Create an empty database and return its address."""
        name = f"test_{secrets.token_hex(6)}"
        connection = pg8000.connect(USER, host="127.0.0.1", port=self.port, database="postgres", ssl_context=False)
        try:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {name}")
        finally:
            connection.close()
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"


_CLUSTER: pytest.StashKey[Cluster | None] = pytest.StashKey()


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Cluster:
    """Share one PostgreSQL among the tests of this process; skip those that need it where it is not installed."""
    if _CLUSTER not in pytestconfig.stash:
        pytestconfig.stash[_CLUSTER] = _start(pytestconfig)
    cluster = pytestconfig.stash[_CLUSTER]
    if cluster is None:
        pytest.skip(MISSING)
    return cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give the settings of an empty store, once with each engine."""
    if request.param == "sqlite":
        return Store(path=tmp_path / "var")
    cluster: Cluster = request.getfixturevalue("postgres")
    return Store(path=tmp_path / "var", database=cluster.new_database())


def _start(config: pytest.Config) -> Cluster | None:
    programs = _programs()
    if programs is None:
        return None
    # Not under pytest's own folder: that is closed to the server's user where root runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-postgres-"))
    config.add_cleanup(lambda: shutil.rmtree(folder))
    become = _become_server_user(folder)
    subprocess.run(
        [*become, programs / "initdb", "-D", folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    options = _options(folder, become)
    for _ in range(_TRIES):
        port = _free_port()
        command = [*become, str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd="/")
        config.add_cleanup(partial(_stop, process))
        if _ready(process):
            return Cluster(folder=folder, port=port)
    raise RuntimeError("PostgreSQL does not start")


def _programs() -> Path | None:
    """Return the folder of the newest server programs on the path or in Debian's place."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _become_server_user(folder: Path) -> list[str]:
    """Return the command prefix of a server that is not root and that ends with this process."""
    if shutil.which("setpriv") is None:
        return []
    prefix = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix += ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    return prefix


def _options(folder: Path, become: list[str]) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "shared_buffers": "16MB",
        "max_connections": "60",
        "log_min_messages": "log",
    }
    if _make_certificate(folder, become):
        settings |= {"ssl": "on", "ssl_cert_file": f"{folder}/server.crt", "ssl_key_file": f"{folder}/server.key"}
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _make_certificate(folder: Path, become: list[str]) -> bool:
    if shutil.which("openssl") is None:
        return False
    arguments = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    arguments += ["-subj", "/CN=gatehouse test", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", f"{folder}/server.key", "-out", f"{folder}/server.crt"]
    subprocess.run([*become, "openssl", *arguments, *files], check=True, capture_output=True, cwd="/")
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _ready(process: subprocess.Popen[str]) -> bool:
    """Wait for the server's word that it accepts connections; afterwards its log is read on and dropped."""
    log = process.stderr
    assert log is not None
    for line in log:
        if "ready to accept connections" in line:
            threading.Thread(target=_drop, args=(log,), daemon=True).start()
            return True
    return False


def _drop(log: IO[str]) -> None:
    with log:
        for _ in log:
            pass


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)  # "fast": open connections are cut
    try:
        process.wait(timeout=20)
    finally:
        process.kill()
