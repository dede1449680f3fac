"""What prompts, versions and labels may be called, and how a prompt's id is taken apart."""

from __future__ import annotations

import re
from typing import Final

DRAFT: Final = "draft"
"""The name of the one version of a prompt that may still be edited."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}/[a-z0-9][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"v[1-9][0-9]{0,5}")
_LIKE_VERSION = re.compile(r"v[0-9]+")


def is_name(text: str) -> bool:
    """Tell whether a text can name a namespace or a prompt: up to 64 of a-z, 0-9, _ and -, a letter or a digit first."""
    return _NAME.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Tell whether a text can be a prompt's id, such as `support/triage`."""
    return _ID.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Tell whether a text can name a published version: `v1` to `v999999`."""
    return _VERSION.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Tell whether a text can be a label: a name that is not `draft` and does not look like a version, not even like `v007`."""
    return is_name(text) and text != DRAFT and _LIKE_VERSION.fullmatch(text) is None


def number_of(version: str) -> int:
    """Return the number of a published version; the text is one that `is_version` accepts."""
    return int(version[1:])
