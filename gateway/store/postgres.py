"""Connections to PostgreSQL that are closed with all that they opened, also where one could not be made.

The driver leaves the file over the socket, and with it the socket, to the garbage collector.
"""

from __future__ import annotations

import contextlib
from typing import Any

from pg8000.exceptions import Error
from pg8000.legacy import Connection


class PostgresConnection(Connection):  # type: ignore[misc]  # the driver has no types
    """The driver's connection."""

    _sock: Any = None
    _usock: Any = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        try:
            super().__init__(*arguments, **options)
        except BaseException:
            if self._usock is not None:
                with contextlib.suppress(OSError, ValueError, Error):
                    self.close()
            raise

    def close(self) -> None:
        """Take leave of the server and close file and socket, whether or not the server takes its leave."""
        file = self._sock
        try:
            super().close()
        finally:
            if file is not None:
                with contextlib.suppress(OSError, ValueError):
                    file.close()
