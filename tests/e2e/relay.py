"""A TCP relay that keeps what passes towards the server: what the gateway really sent, byte for byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PIECE = 65_536


class Relay:
    """Listens on a free port and passes every connection on to `target`; keeps what goes there."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = False
        self._lock = threading.Lock()
        self._sent: list[bytes] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    @property
    def url(self) -> str:
        """The root of the server as seen through the relay."""
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    @property
    def sent(self) -> bytes:
        """Everything that was sent towards the server so far."""
        with self._lock:
            return b"".join(self._sent)

    def forget(self) -> None:
        """Forget what has passed."""
        with self._lock:
            self._sent.clear()

    def close(self) -> None:
        """Close every connection and wait for the threads."""
        with self._lock:
            self._ended = True
            sockets = [self._listener, *self._sockets]
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                with self._lock:
                    self._sockets += [client, server]
                    if self._ended:
                        return
                self._spawn(self._pass, client, server, self._sent)
                self._spawn(self._pass, server, client, None)

    def _pass(self, source: socket.socket, target: socket.socket, kept: list[bytes] | None) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                if kept is not None:
                    with self._lock:
                        kept.append(data)
                target.sendall(data)
        # Either side's end is the other's: a client that leaves must be seen to leave.
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _spawn(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()


@contextmanager
def relayed(host: str, port: int) -> Iterator[Relay]:
    """Relay to a server for as long as the context lasts."""
    relay = Relay((host, port))
    try:
        yield relay
    finally:
        relay.close()
