"""Keys of gateway.toml: how one is written, what stands below it, which known name is nearest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from gateway.settings.tree import Settings

Key = tuple[str | int, ...]
"""A path through the tree: names of tables and keys, and positions in lists."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LISTED = 12


def dotted(key: Key) -> str:
    """Return a key as TOML writes it, such as `routes."meta/llama".upstreams[0].weight`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if _BARE.fullmatch(part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        text += f".{name}" if text else name
    return text


def annotation(key: Key) -> Any:
    """Return the type of the setting at a key, without that it may be left out, or None where the tree has no such key."""
    found: Any = Settings
    for part in key:
        model = _model(found)
        if model is not None:
            field = model.model_fields.get(str(part))
            found = _given(field.annotation) if field is not None else None
        elif get_origin(found) is dict:
            found = get_args(found)[1]
        elif get_origin(found) is tuple:
            found = get_args(found)[0]
        else:
            return None
    return found


def settings_below(key: Key) -> list[str] | None:
    """Return the settings that a table may hold; None where a key is a value, or a table whose names the operator chooses."""
    model = _model(annotation(key))
    return list(model.model_fields) if model is not None else None


def is_table_of_names(key: Key) -> bool:
    """Tell whether the names below a key are the operator's, such as those of upstreams."""
    return get_origin(annotation(key)) is dict


def is_list(key: Key) -> bool:
    """Tell whether the value at a key is a list."""
    return get_origin(annotation(key)) is tuple


def scalar(key: Key) -> type | None:
    """Return int or bool where the value at a key is one; None where it is written as a string, a list or a table."""
    found = annotation(key)
    return found if found is int or found is bool else None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like `name`, if any is like it."""
    return next(iter(get_close_matches(name, list(known), n=1)), None)


def advice(name: str, known: Iterable[str]) -> str:
    """Return "did you mean …?" for the nearest known name, else what is known."""
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f'did you mean "{near}"?'
    if not names:
        return "there is none"
    more = ", …" if len(names) > _LISTED else ""
    return f"known: {', '.join(names[:_LISTED])}{more}"


def _given(found: Any) -> Any:
    """Return what a setting is where it is given: `int` for `int | None`."""
    if get_origin(found) in {Union, UnionType}:
        kinds = [kind for kind in get_args(found) if kind is not NoneType]
        return kinds[0] if len(kinds) == 1 else found
    return found


def _model(found: Any) -> type[BaseModel] | None:
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None
