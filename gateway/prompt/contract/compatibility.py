"""Whether callers of one contract can go on under another: pure, over the schemas of the two.

Invariants
- No sentence means that whatever the old contract admits, the new one admits too; in doubt there is a sentence.
- Modes and numbers say nothing here: both contracts are taken as enforced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.prompt.contract.contract import Contract
from gateway.prompt.contract.violation import Shape, listed, types_of

_Schema = Mapping[str, Any]
_LEAST = {"minLength": "characters", "minItems": "items", "minProperties": "entries"}
_MOST = {"maxLength": "characters", "maxItems": "items", "maxProperties": "entries"}


def incompatible(old: Contract, new: Contract) -> list[str]:
    """Return a sentence for each reason why variables that `old` admits may be refused by `new`; none if there is none."""
    threads = (name for name in old.schema["properties"] if name in new.threads and name not in old.threads)
    return [
        *_objects(old.schema, new.schema, ""),
        *(f"{name} must now be a thread of messages" for name in threads),
    ]


def _objects(old: _Schema, new: _Schema, where: str) -> Iterator[str]:
    """Compare two objects with declared properties."""
    before, after = old["properties"], new["properties"]
    was_required, is_required = (set(one.get("required", ())) for one in (old, new))
    closed = new.get("additionalProperties") is False
    for name, part in before.items():
        place = f"{where}.{name}" if where else name
        if name in after:
            yield from _values(part, after[name], place)
        elif closed:
            yield f"{place} is no longer taken"
    for name in after:
        place = f"{where}.{name}" if where else name
        if name in is_required and name not in was_required:
            yield f"{place} is now required"
        elif name not in before and old.get("additionalProperties") is not False:
            yield f"{place} could be anything and is now declared"
    if closed and old.get("additionalProperties") is not False:
        yield f"{where} took any other name and no longer does"


def _values(old: _Schema, new: _Schema, where: str) -> Iterator[str]:
    """Compare what two schemas take at one place."""
    lost = [kind for kind in types_of(old) if kind not in types_of(new) and not (kind == "integer" and "number" in types_of(new))]
    if lost:
        yield f"{where} no longer takes {' or '.join(_noun(kind) for kind in lost)}"
        return
    if "enum" in old:
        yield from _known(old, new, where)
    elif "enum" in new:
        yield f"{where} took any value and now takes only some"
    else:
        yield from _sizes(old, new, where)
        yield from _numbers(old, new, where)
        yield from _rules(old, new, where)
        yield from _inside(old, new, where)


def _noun(kind: str) -> str:
    return {"null": "null", "boolean": "true and false"}.get(kind, f"{kind}s")


def _known(old: _Schema, new: _Schema, where: str) -> Iterator[str]:
    """Try the values that there are."""
    before, after = (Shape({"type": "object", "properties": {"value": one}}) for one in (old, new))
    for value in old["enum"]:
        if before.first("value", value) is None and after.first("value", value) is not None:
            yield f"{where} no longer takes {listed([value])}"


def _sizes(old: _Schema, new: _Schema, where: str) -> Iterator[str]:
    for keyword, noun in _LEAST.items():
        if new.get(keyword, 0) > old.get(keyword, 0):
            yield f"{where} must now have at least {new[keyword]} {noun}"
    for keyword, noun in _MOST.items():
        if keyword in new and new[keyword] < old.get(keyword, math.inf):
            yield f"{where} must now have at most {new[keyword]} {noun}"


def _numbers(old: _Schema, new: _Schema, where: str) -> Iterator[str]:
    whole = "integer" in types_of(old) and "type" in old
    low, high = _low(new, whole=whole), _high(new, whole=whole)
    if low > _low(old, whole=whole):
        yield f"{where} must now be {'more than' if low[1] else 'at least'} {low[0]}"
    if high > _high(old, whole=whole):
        yield f"{where} must now be {'less than' if high[1] else 'at most'} {-high[0]}"
    if "multipleOf" in new and old.get("multipleOf", 1 if whole else math.nan) % new["multipleOf"] != 0:
        yield f"{where} must now be a multiple of {new['multipleOf']}"


def _low(schema: _Schema, *, whole: bool) -> tuple[float, bool]:
    """Return the lower bound and whether it is excluded: of two, the greater pair is the stricter one."""
    closed = (schema.get("minimum", -math.inf), False)
    value = schema.get("exclusiveMinimum", -math.inf)
    return max(closed, (math.floor(value) + 1, False) if whole and math.isfinite(value) else (value, True))


def _high(schema: _Schema, *, whole: bool) -> tuple[float, bool]:
    """Return the upper bound, negated, as `_low` does."""
    turned = {"minimum": "maximum", "exclusiveMinimum": "exclusiveMaximum"}
    return _low({low: -schema[high] for low, high in turned.items() if high in schema}, whole=whole)


def _rules(old: _Schema, new: _Schema, where: str) -> Iterator[str]:
    for keyword in ("pattern", "format"):
        if keyword in new and new[keyword] != old.get(keyword):
            yield f"{where} must now fit another {keyword}"
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield f"{where} must now hold no item twice"


def _inside(old: _Schema, new: _Schema, where: str) -> Iterator[str]:
    for keyword, noun in (("items", "items"), ("properties", "entries")):
        if keyword in new and keyword not in old:
            yield f"{where} took {noun} of any kind and no longer does"
    if "items" in new and "items" in old:
        yield from _values(old["items"], new["items"], f"{where}[]")
    if "properties" in new and "properties" in old:
        yield from _objects(old, new, where)
