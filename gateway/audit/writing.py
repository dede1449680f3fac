"""Who writes the log, as the settings and the software say it."""

from __future__ import annotations

import hashlib
from importlib.metadata import version

import msgspec

from gateway.audit.opening import Writing
from gateway.settings.secret import masked
from gateway.settings.tree import Settings


def writing(settings: Settings) -> Writing:
    """Return who writes; the configuration in force stands for itself by the digest of all that is effective but secrets."""
    effective = msgspec.json.encode(masked(settings), order="sorted")
    return Writing(settings.audit.site, f"gatehouse {version('gatehouse')}", config=hashlib.sha256(effective).hexdigest())
