"""The environment laid over gateway.toml: `GATEHOUSE_SECTION__KEY` overrides a key of the file.

Names are upper case and joined by two underscores; whatever else than a letter or digit a name of the file holds is written
as an underscore: `GATEHOUSE_UPSTREAMS__VLLM_A__BASE_URL`. A table that the operator names (an upstream, a route) must stand in
the file; a value is read as TOML where the setting is no string.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.settings.keys import Key, advice, dotted, is_list, is_table_of_names, nearest, scalar, settings_below
from gateway.settings.problem import Problem

_PREFIX = "GATEHOUSE_"
_NOT_SETTINGS = frozenset({"GATEHOUSE_OFFLINE", "GATEHOUSE_API_KEY", "GATEHOUSE_BASE_URL", "GATEHOUSE_CONFIG"})
# Kubernetes and Docker links give every pod such variables for a service named "gatehouse" or "gatehouse-…".
_SERVICE = re.compile(r"GATEHOUSE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_PORT = re.compile(r"(tcp|udp|sctp)://.*")


@dataclass(slots=True)
class Overlay:
    """What the environment sets: the variable behind each key, and the variables that set nothing."""

    origins: dict[Key, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def overlay(data: dict[str, Any], environ: Mapping[str, str]) -> Overlay:
    """Write the environment's values into `data`, the decoded file."""
    made = Overlay()
    referenced = set(_references(data))
    for variable, text in sorted(environ.items()):
        if not variable.startswith(_PREFIX) or variable in referenced or _unrelated(variable, text):
            continue
        found = _find(variable.removeprefix(_PREFIX), data)
        if isinstance(found, Problem):
            made.problems.append(found.sentence(f"environment variable {variable}", {}))
        elif _put(data, found, _value(text, found)):
            made.origins[found] = variable
    return made


def environment_name(name: str) -> str:
    """Return how a name of the file is written in the name of a variable."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _unrelated(variable: str, text: str) -> bool:
    if variable in _NOT_SETTINGS or _SERVICE.fullmatch(variable):
        return True
    return variable.endswith("_PORT") and _SERVICE_PORT.fullmatch(text) is not None


def _references(node: object) -> Iterator[str]:
    if isinstance(node, str) and node.startswith("env:"):
        yield node.removeprefix("env:")
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _references(child)


def _find(rest: str, data: dict[str, Any]) -> Key | Problem:
    key: Key = ()
    node: Any = data
    while rest:
        names = _names(key, node)
        if names is None:
            return Problem((), f"sets nothing, {dotted(key)} is a value")
        hits = _hits(rest, names)
        if not hits:
            return _missed(key, rest, names)
        if len(hits) > 1:
            return Problem((), f"could mean each of {', '.join(dotted((*key, name)) for name in hits)}; set it in the file")
        name = hits[0]
        rest = rest[len(environment_name(name)) + 2 :]
        key = (*key, name)
        node = node.get(name) if isinstance(node, dict) else None
    if _names(key, node) is not None:
        known = ", ".join(_names(key, node) or ()) or "none yet"
        return Problem((), f"names the table {dotted(key)}; name one of its keys ({known})")
    return key


def _names(key: Key, node: object) -> list[str] | None:
    if is_table_of_names(key):
        return [str(name) for name in node] if isinstance(node, dict) else []
    return settings_below(key)


def _hits(rest: str, names: list[str]) -> list[str]:
    """Return the names that `rest` begins with, only the longest ones."""
    hits = [name for name in names if f"{rest}__".startswith(f"{environment_name(name)}__")]
    longest = max((len(name) for name in hits), default=0)
    return [name for name in hits if len(name) == longest]


def _missed(key: Key, rest: str, names: list[str]) -> Problem:
    part, _, deeper = rest.partition("__")
    full = [environment_name(name) for name in names]
    near = nearest(part, full)
    # A single underscore between section and key is the mistake that is made most.
    section = next((name for name in full if not key and part.startswith(f"{name}_")), None)
    if section is not None:
        near, deeper = section, part.removeprefix(f"{section}_")
    where = f"below {dotted(key)}" if key else "of gateway.toml"
    if near is None:
        return Problem((), f'names no setting {where}, "{part}" is unknown: {advice(part, full)}')
    path = "__".join([*(environment_name(str(name)) for name in key), near, *([deeper] if deeper else [])])
    return Problem((), f'names no setting {where}, "{part}" is unknown: did you mean {_PREFIX}{path}?')


def _value(text: str, key: Key) -> object:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed.get("value")
    wanted: type = scalar(key) or (list if is_list(key) else str)
    return value if len(parsed) == 1 and type(value) is wanted else text


def _put(data: dict[str, Any], key: Key, value: object) -> bool:
    *tables, last = key
    node: Any = data
    for name in tables:
        node = node.setdefault(name, {}) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        return False  # the file has a value where a table belongs: that problem is told
    node[last] = value
    return True
