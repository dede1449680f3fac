"""The table of API keys, without their secret: whoever may read or revoke keys needs no pepper."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from sqlalchemy import ColumnElement, Engine, Row, exists, or_, select, update

from gateway.errors import SettingsError
from gateway.exchange.caller import Role
from gateway.store.answering import answering
from gateway.store.schema import api_keys

DATABASE: Final = "key database"
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is stored of a key. Times are whole seconds since 1970, UTC; `pepper` is the id of the one under `digest`."""

    id: str
    digest: bytes = field(repr=False)
    pepper: str
    tenant: str
    app: str | None
    role: Role
    created: int
    expires: int | None
    revoked: int | None

    def live(self, now: float) -> bool:
        """Whether the key is neither revoked nor expired at `now`."""
        return self.revoked is None and (self.expires is None or now < self.expires)


class KeyTable:
    """API keys in a database whose schema is current; every method waits for it, so call from a thread.

    Each raises `Unavailable` when the database does not answer. `now` is in seconds since 1970.
    """

    def __init__(self, engine: Engine, *, now: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self._now = now
        self._when_revoked: list[Callable[[str], None]] = []

    def find(self, key_id: str) -> KeyRecord | None:
        """Return the record of a key, revoked and expired ones too."""
        with answering(DATABASE), self.engine.connect() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
        return None if row is None else _record(row)

    def list(self) -> tuple[KeyRecord, ...]:
        """Return every record, oldest first, revoked and expired ones too."""
        with answering(DATABASE), self.engine.connect() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created, api_keys.c.id)).all()
        return tuple(_record(row) for row in rows)

    def revoke(self, key_id: str) -> KeyRecord | None:
        """Revoke a key for good, None where there is none; what was revoked before keeps its time.

        In this process the key is dead on return; other processes look again after at most 30 seconds.
        """
        this = api_keys.c.id == key_id
        with answering(DATABASE), self.engine.begin() as connection:
            connection.execute(update(api_keys).where(this, api_keys.c.revoked.is_(None)).values(revoked=int(self._now())))
            row = connection.execute(select(api_keys).where(this)).one_or_none()
        for tell in self._when_revoked:
            tell(key_id)
        return None if row is None else _record(row)

    def when_revoked(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the id of each key that this table revokes, in the thread that does."""
        self._when_revoked.append(tell)

    def any_live(self, *, not_under: str | None = None) -> bool:
        """Whether there is a live key; with `not_under` only keys under other peppers than that one count."""
        conditions: list[ColumnElement[bool]] = [
            api_keys.c.revoked.is_(None),
            or_(api_keys.c.expires.is_(None), api_keys.c.expires > int(self._now())),
        ]
        if not_under is not None:
            conditions.append(api_keys.c.pepper != not_under)
        with answering(DATABASE), self.engine.connect() as connection:
            return bool(connection.execute(select(exists().where(*conditions))).scalar_one())

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()


def _record(row: Row[Any]) -> KeyRecord:
    values = row._asdict()
    if values["role"] not in ROLES:
        raise SettingsError(f"The key {values['id']} has a role that this program does not know: revoke it")
    return KeyRecord(**(values | {"role": cast("Role", values["role"]), "digest": bytes(values["digest"])}))
