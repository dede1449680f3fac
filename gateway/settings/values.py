"""The kinds of value that gateway.toml has: durations, money, names, addresses, secret references.

Every message here is a predicate ("must be …") for the key that it is about, and never quotes the value.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST = 3660 * _SECONDS["d"]
_MONEY = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}")
_SECRET = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\0]+")

FROM_FILE = "from_file"
"""Key of the validation context that tells values written in gateway.toml from those made in code."""


def seconds(value: object, info: ValidationInfo) -> object:
    """Return a duration such as "30s" in seconds; a number of seconds passes where code made it, never from gateway.toml."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is not None:
            return float(match[1]) * _SECONDS[match[2]]
    elif not isinstance(value, bool) and not (info.context and info.context.get(FROM_FILE)):
        return value
    raise ValueError('must be a string with a number and one of ms, s, m, h, d, such as "30s"')


def duration(value: float) -> str:
    """Return seconds as gateway.toml writes them: the longest unit that needs no fraction, else milliseconds."""
    for unit in ("d", "h", "m", "s"):
        count = value / _SECONDS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{value * 1000:.6f}".rstrip("0").rstrip(".") + "ms"


def money(value: object) -> Decimal:
    """Return an amount of money such as "100.00"; what code made may be a decimal of the same form."""
    text = f"{value:f}" if isinstance(value, Decimal) else value
    if not isinstance(text, str) or _MONEY.fullmatch(text) is None:
        raise ValueError('must be a string with a decimal number below a thousand million, such as "100.00" or "0.000001"')
    return Decimal(text)


def _name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("must be a name: up to 128 letters, digits and ._/:- that begin with a letter or a digit")
    return value


def _secret_reference(value: str) -> str:
    if _SECRET.fullmatch(value) is None:
        raise ValueError('must say where the secret is, "env:NAME" or "file:path", and never be the secret itself')
    return value


def _base_url(value: str) -> str:
    if not value:
        return value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError('must be an address such as "http://127.0.0.1:8000/v1": host or port cannot be read') from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError('must be an http or https address such as "http://127.0.0.1:8000/v1"')
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise ValueError("must be an address without a query or fragment")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must be an address without a user or password: an API key belongs in api_key")
    if re.search(r"[\s\x00-\x1f\x7f]", value):
        raise ValueError("must be an address without spaces or control characters")
    return value.rstrip("/")


def _engine_url(schemes: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value and not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"must be empty or begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return AfterValidator(check)


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    Field(gt=0, le=_LONGEST, allow_inf_nan=False),
    PlainSerializer(duration, return_type=str, when_used="json"),
]
"""Seconds; gateway.toml writes them as a string with its unit."""

Money = Annotated[Decimal, BeforeValidator(money), PlainSerializer(str, return_type=str, when_used="json")]
"""An amount of whatever unit the operator counts in, to the millionth; gateway.toml writes it as a string."""

Name = Annotated[str, AfterValidator(_name)]
"""The name of a tenant, app, upstream, route or budget."""

SecretReference = Annotated[str, AfterValidator(_secret_reference)]
"""Where a secret is: "env:NAME" or "file:path"; never the secret itself."""

BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""The address of an upstream, without a slash at its end; empty where there is none."""

RedisUrl = Annotated[str, _engine_url(("redis", "rediss", "unix"))]
"""The address of a Redis server; empty where none is used."""

DatabaseUrl = Annotated[str, _engine_url(("postgresql",))]
"""The address of a PostgreSQL database; empty where none is used."""
