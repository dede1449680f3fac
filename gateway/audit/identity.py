"""Who writes a log."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.audit.layout import origin


@dataclass(frozen=True, slots=True)
class Identity:
    """Which log, and which process: `boot` is the process's own id, `config` the digest of the configuration in force.

    A process that `announces` itself has a `config` entry at its start and a `close` entry at its end; a command has neither.
    """

    site: str
    node: str
    slot: str
    boot: str
    software: str
    config: str | None = None
    announces: bool = True

    @property
    def origin(self) -> str:
        """The log's name."""
        return origin(self.site, self.node, self.slot)
