"""Secrets: where one is written down, what it is, and how the configuration is shown without any.

Invariants
- A secret is text of printable characters, never empty; it leaves its `Secret` only through `reveal`.
- No message holds a secret or a part of one.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import SettingsError
from gateway.settings.tree import Settings

_LONGEST = 65_536
_MASK = "***"
_SECRET_PARAMETER = re.compile(r"([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&#]*", re.IGNORECASE)


class Secret:
    """A secret that cannot be printed, formatted, logged or pickled by mistake."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret itself: only where it is sent or signed with."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def resolve(reference: str, folder: Path, environ: Mapping[str, str] = os.environ, *, key: str = "a secret") -> Secret:
    """Return the secret behind "env:NAME" or "file:path"; a relative path starts at `folder`.

    `key` names the setting in errors. Raises `SettingsError` where the secret is missing, empty, not one line of text, or in
    a file that others than its owner may read.
    """
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        text = environ.get(place)
        if text is None:
            raise SettingsError(f"{key}: the environment variable {place} is not set: set it, or change the reference")
        where = f"the environment variable {place}"
    elif kind == "file" and place:
        path = folder / place
        text = _text_of(path, key)
        where = str(path)
    else:
        raise SettingsError(f'{key}: must say where the secret is, "env:NAME" or "file:path"')
    if not text:
        raise SettingsError(f"{key}: {where} is empty: write the secret into it")
    if not text.isprintable():
        raise SettingsError(f"{key}: {where} must hold one line of printable text")
    return Secret(text)


def masked(settings: Settings) -> dict[str, Any]:
    """Return the effective configuration as gateway.toml would write it: references as they are, passwords in URLs masked."""
    return {name: _shown(table) for name, table in settings.model_dump(mode="json", exclude_none=True).items()}


def _shown(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _shown(child) for name, child in node.items()}
    if isinstance(node, list):
        return [_shown(child) for child in node]
    if isinstance(node, str) and "://" in node:
        return _masked_url(node)
    return node


def _masked_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    try:
        password = urlsplit(url).password
    except ValueError:
        return f"{scheme}://{_MASK}"
    if password is not None:
        # The last @ ends the user's part, as urlsplit reads it: a password may hold one.
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        user_part, _, host = authority.rpartition("@")
        user = user_part.partition(":")[0]
        rest = f"{user}:{_MASK}@{host}{rest[len(authority) :]}"
    rest = _SECRET_PARAMETER.sub(rf"\1{_MASK}", rest)
    return f"{scheme}://{rest}"


def _text_of(path: Path, key: str) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise SettingsError(f"{key}: {path} is not a file")
            if mode & 0o077:
                raise SettingsError(f"{key}: others may read {path}: run chmod 600 {path}")
            raw = file.read(_LONGEST + 1)
    except OSError as error:
        raise SettingsError(f"{key}: {path} cannot be read ({error.strerror}): see the reference and its permissions") from None
    if len(raw) > _LONGEST:
        raise SettingsError(f"{key}: {path} is longer than {_LONGEST} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise SettingsError(f"{key}: {path} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")
