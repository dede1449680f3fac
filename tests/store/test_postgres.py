"""A connection to PostgreSQL leaves nothing open, whether it was closed, broke off or never came about."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pg8000.exceptions import Error

from gateway.store.postgres import PostgresConnection
from tests.store.postgres import USER, Cluster


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def connected(port: int, *, database: str = "postgres") -> PostgresConnection:
    return PostgresConnection(USER, host="127.0.0.1", port=port, database=database, ssl_context=False, timeout=0.2)


def test_it_is_closed_with_its_file_and_its_socket(postgres: Cluster) -> None:
    before = open_files()
    connection = connected(postgres.port)
    file = connection._sock
    assert not file.closed
    connection.close()
    assert file.closed
    assert open_files() == before


def test_it_is_closed_too_where_the_server_does_not_take_its_leave(postgres: Cluster) -> None:
    before = open_files()
    connection = connected(postgres.port)
    connection._usock.shutdown(socket.SHUT_RDWR)
    with pytest.raises((OSError, Error)):
        connection.close()
    assert open_files() == before


def test_closing_it_twice_is_the_driver_s_own_error(postgres: Cluster) -> None:
    connection = connected(postgres.port)
    connection.close()
    with pytest.raises(Error, match="connection is closed"):
        connection.close()


def test_one_that_the_server_refuses_leaves_nothing_open(postgres: Cluster) -> None:
    before = open_files()
    with pytest.raises(Error, match="nowhere") as caught:
        connected(postgres.port, database="nowhere")
    assert open_files() == before, "although its error still holds all that the driver had in hand"
    assert caught.tb is not None


def test_one_of_a_server_that_says_nothing_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = open_files()
        with pytest.raises((OSError, Error)) as caught:
            connected(silent.getsockname()[1])
        assert open_files() == before
    assert caught.tb is not None


def test_one_that_fails_before_a_word_was_said_leaves_nothing_open() -> None:
    """The socket is given, and dead: sending fails, which the driver does not catch."""
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.shutdown(socket.SHUT_WR)
    with pytest.raises((OSError, Error)) as caught:
        PostgresConnection(USER, sock=ours, host=None, ssl_context=False)
    assert ours.fileno() == -1
    assert caught.tb is not None


def test_where_nobody_listens_there_is_nothing_to_close() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    before = open_files()
    with pytest.raises(Error, match="Can't create a connection"):
        connected(port)
    assert open_files() == before
