"""A database that does not answer is one error, whatever it was that failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import Unavailable


@contextmanager
def answering(database: str) -> Iterator[None]:
    """Turn every failure of a database into `Unavailable`; `database` says which it is, such as "key database"."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise Unavailable(
            f"The {database} does not answer; try again.", retry_after=1.0, reason=f"{database}: {type(error).__name__}"
        ) from error
