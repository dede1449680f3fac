"""The kinds of value that gateway.toml has: durations, names, secret references."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: object) -> object:
    """Return a duration such as "30s" in seconds; a number passes as it is."""
    if not isinstance(value, str):
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError('a duration is a string with its unit, such as "30s", "5m" or "90d"')
        return value
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError('a duration is a number with one of ms, s, m, h, d, such as "30s"')
    return float(match[1]) * _SECONDS[match[2]]


Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0)]
"""Seconds, written as a string with its unit."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$")]
"""The name of a tenant, app, upstream or route."""

SecretReference = Annotated[str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$")]
"""Where a secret is: "env:NAME" or "file:path"; never the secret itself."""
