"""Why a body was refused: the path of the first field at fault and what it should have been, never what it was.

The fast decoder only says that a body does not fit; what it says may quote the body and leaves out places in arrays. So the
body is decoded again without types and compared with the types' description, value by value.

Invariants
- No message holds a value of the body. The name of an unknown field is shown, cut to 64 printable ASCII characters.
- The work is bounded: `LIMITS.diagnosed_bytes` and `LIMITS.diagnosed_values`; beyond them only the top-level field is named.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from gateway.errors import InvalidRequest
from gateway.wire.limits import LIMITS

_POSITION = re.compile(r"\(byte (\d+)\)$")
_TOP_LEVEL = re.compile(r".* - at `\$\.([a-z_0-9]{1,64})", re.DOTALL)
_UNKNOWN = "Object contains unknown field"
_REPLACED = {
    "guided_json": "structured_outputs",
    "guided_regex": "structured_outputs",
    "guided_choice": "structured_outputs",
    "guided_grammar": "structured_outputs",
}
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that does not fit. `unknown` says that it is not a field at all."""

    param: str
    text: str
    unknown: bool = False


def diagnose(raw: bytes, kind: type[msgspec.Struct], error: Exception) -> InvalidRequest:
    """Return what a client is told of a body that could not be decoded as `kind`; `error` is what the decoder raised."""
    if isinstance(error, msgspec.ValidationError):
        return _not_fitting(raw, kind, error)
    return _not_json(raw, error)


def _not_json(raw: bytes, error: Exception) -> InvalidRequest:
    if isinstance(error, RecursionError):
        return InvalidRequest("The body is nested too deeply.")
    if isinstance(error, UnicodeDecodeError):
        return InvalidRequest("The body is not UTF-8.", code="invalid_json")
    if not raw:
        return InvalidRequest("The body is empty.", code="invalid_json")
    found = _POSITION.search(str(error))
    near = f" (near byte {found[1]})" if found else ""
    return InvalidRequest(f"The body is not valid JSON{near}.", code="invalid_json")


def _not_fitting(raw: bytes, kind: type[msgspec.Struct], error: Exception) -> InvalidRequest:
    if raw.lstrip(b" \t\r\n")[:1] != b"{":
        return InvalidRequest("The body must be a JSON object.", code="invalid_json")
    if len(raw) > LIMITS.diagnosed_bytes:
        return _roughly(error, kind)
    try:
        value = _decode(raw)
    except (msgspec.ValidationError, RecursionError):  # a number out of range; depth behind the fault
        return _roughly(error, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as syntax:
        return _not_json(raw, syntax)
    fault = next(Comparison().faults(value, _described(kind), ""), None)
    if fault is None:  # too many values, or it was the earlier of two equal keys
        return _roughly(error, kind)
    code = "unsupported_field" if fault.unknown else "invalid_field"
    return InvalidRequest(fault.text, code=code, param=fault.param)


def _roughly(error: Exception, kind: type[msgspec.Struct]) -> InvalidRequest:
    """Name only the top-level field, and that only if it is one of ours."""
    text = str(error)
    found = _TOP_LEVEL.match(text)
    param = found[1] if found and found[1] in kind.__struct_encode_fields__ else None
    where = param or "The body"
    if text.startswith(_UNKNOWN):
        return InvalidRequest(f"{where} has a field that is not supported.", code="unsupported_field", param=param)
    return InvalidRequest(f"{where} has a value of a wrong type or out of range.", param=param)


@functools.cache
def _described(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


class Comparison:
    """Compares one decoded body with a type's description."""

    def __init__(self) -> None:
        self._left = LIMITS.diagnosed_values

    def faults(self, value: Any, kind: inspect.Type, path: str) -> Iterator[Fault]:
        """Yield what does not fit, in the order of the body; nothing more once too many values were looked at."""
        self._left -= 1
        if self._left < 0:
            return
        members = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
        fitting = [member for member in members if _fits(value, member)]
        structs = [member for member in fitting if isinstance(member, inspect.StructType)]
        if structs:
            yield from self._in_struct(value, structs, path)
        elif not fitting:
            words = [word for member in members for word in _words(member)]
            yield Fault(path, f"{path} must be {_either(words)}.")
        elif (wanted := _bounds(value, fitting[0])) is not None:
            yield Fault(path, f"{path} must {wanted}.")
        elif isinstance(fitting[0], inspect.ListType):
            for index, item in enumerate(value):
                yield from self.faults(item, fitting[0].item_type, f"{path}[{index}]")
        elif isinstance(fitting[0], inspect.DictType):
            yield from self._in_mapping(value, fitting[0], path)

    def _in_struct(self, value: dict[str, Any], structs: list[inspect.StructType], path: str) -> Iterator[Fault]:
        tag_field = structs[0].tag_field
        if tag_field is not None:
            tags = {str(struct.tag): struct for struct in structs}
            tag = value.get(tag_field)
            if not (isinstance(tag, str) and tag in tags):
                tag_path = _join(path, tag_field)
                yield Fault(tag_path, f"{tag_path} must be {_either(tags)}." if tag_field in value else _required(tag_path))
                return
            structs = [tags[tag]]
        fields = {field.encode_name: field for field in structs[0].fields}
        for name, item in value.items():
            if name in fields:
                yield from self.faults(item, fields[name].type, _join(path, name))
            elif name != tag_field:
                yield _unknown(path, name)
        for name, field in fields.items():
            if field.required and name not in value:
                yield Fault(_join(path, name), _required(_join(path, name)))

    def _in_mapping(self, value: dict[str, Any], kind: inspect.DictType, path: str) -> Iterator[Fault]:
        """Yield faults of keys and values under the path of the whole, because a key is the caller's own word."""
        for key, item in value.items():
            for part, part_kind, noun in ((key, kind.key_type, "key"), (item, kind.value_type, "value")):
                for fault in self.faults(part, part_kind, f"each {noun} of {path}"):
                    yield Fault(path, fault.text)


_PYTHON: dict[type[inspect.Type], tuple[type, ...]] = {
    inspect.StrType: (str,),
    inspect.IntType: (int,),
    inspect.FloatType: (int, float),
    inspect.BoolType: (bool,),
    inspect.NoneType: (type(None),),
    inspect.ListType: (list,),
    inspect.DictType: (dict,),
    inspect.StructType: (dict,),
    inspect.RawType: (object,),
}
_WORDS: dict[type[inspect.Type], tuple[str, ...]] = {
    inspect.StrType: ("a string",),
    inspect.IntType: ("an integer",),
    inspect.FloatType: ("a number",),
    inspect.BoolType: ("true", "false"),
    inspect.NoneType: ("null",),
    inspect.ListType: ("an array",),
    inspect.DictType: ("an object",),
    inspect.StructType: ("an object",),
}


def _fits(value: Any, kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.LiteralType):
        return isinstance(value, str) and value in kind.values
    if isinstance(value, bool) and not isinstance(kind, inspect.RawType):
        return isinstance(kind, inspect.BoolType)
    return isinstance(value, _PYTHON[type(kind)])


def _words(kind: inspect.Type) -> Sequence[str]:
    return [str(value) for value in kind.values] if isinstance(kind, inspect.LiteralType) else _WORDS[type(kind)]


def _bounds(value: Any, kind: inspect.Type) -> str | None:
    """Return what a value's size must be, or None where it is."""
    if isinstance(kind, inspect.StrType):
        return _between(len(value), kind.min_length, kind.max_length, phrase="have {} characters")
    if isinstance(kind, inspect.ListType):
        return _between(len(value), kind.min_length, kind.max_length, phrase="have {} items")
    if isinstance(kind, inspect.DictType):
        return _between(len(value), kind.min_length, kind.max_length, phrase="have {} entries")
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        if kind.gt is not None and value <= kind.gt:
            return f"be greater than {kind.gt:g}"
        return _between(value, kind.ge, kind.le, phrase="be {}")
    return None


def _between(size: float, low: float | None, high: float | None, *, phrase: str) -> str | None:
    if (low is None or size >= low) and (high is None or size <= high):
        return None
    if low is None:
        return phrase.format(f"at most {high}")
    if high is None:
        return phrase.format(f"at least {low}")
    return phrase.format(f"{low} to {high}")


def _either(words: Iterable[str]) -> str:
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def _required(param: str) -> str:
    return f"{param} is required."


def _unknown(path: str, name: str) -> Fault:
    shown = "".join(letter if " " <= letter <= "~" else "?" for letter in name[:64])
    param = _join(path, shown)
    instead = f" Use {_REPLACED[name]}." if name in _REPLACED else ""
    return Fault(param, f"{param} is not a supported field.{instead}", unknown=True)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
