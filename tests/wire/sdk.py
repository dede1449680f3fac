"""What the installed OpenAI SDK says a chat request may hold, as sample values made from its own type hints.

Every field, every member of every union and every literal stands in at least one sample; a field that a later SDK adds makes
a sample of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal, NamedTuple, Required, Union, get_args, get_origin

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming
from typing_extensions import get_type_hints, is_typeddict

_SIMPLE: dict[Any, Any] = {str: "x", int: 1, float: 0.5, bool: True, object: {"any": [1, None, "x"]}, NoneType: None}
_STANDS_FOR: dict[str, Any] = {"model": "m", "url": "data:image/png;base64,AA==", "data": "AA==", "file_data": "AA=="}
"""By field: what the types say too loosely. Media is taken as data only."""


class Sample(NamedTuple):
    """A value for a field, and the path of what is special in it."""

    path: str
    value: Any


def requests() -> Iterator[Sample]:
    """Yield request bodies, each with one thing special."""
    for params in (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming):
        for sample in _samples(params, params.__name__):
            if sample.value.get("stream_options") is not None:
                sample.value["stream"] = True
            yield sample


def fields() -> set[str]:
    """Return the names of the request's fields."""
    return {name for params in (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming) for name in _hints(params)}


def incomplete() -> Iterator[Sample]:
    """Yield request bodies that lack one required field each, at any depth."""
    yield from _incomplete(CompletionCreateParamsNonStreaming, "request")


def _hints(params: Any) -> dict[str, Any]:
    return get_type_hints(params, include_extras=True)


def _parts(hint: Any) -> tuple[Any, bool]:
    """Return a field's type without `Required[…]`, and whether it had that."""
    return (get_args(hint)[0], True) if get_origin(hint) is Required else (hint, False)


def _least(hint: Any, name: str = "") -> Any:
    return next(_samples(hint, name)).value


def _whole(params: Any) -> dict[str, Any]:
    """Return an object with nothing but its required fields."""
    found = {name: _parts(hint) for name, hint in _hints(params).items()}
    return {name: _least(hint, name) for name, (hint, required) in found.items() if required}


def _samples(hint: Any, path: str) -> Iterator[Sample]:
    name = path.rpartition(".")[2]
    if is_typeddict(hint):
        yield Sample(path, _whole(hint))
        for field, field_hint in _hints(hint).items():
            for sample in _samples(_parts(field_hint)[0], f"{path}.{field}"):
                yield Sample(sample.path, {**_whole(hint), field: sample.value})
    elif name in _STANDS_FOR:
        yield Sample(path, _STANDS_FOR[name])
    elif get_origin(hint) is Literal:
        yield from (Sample(f"{path}={value}", value) for value in get_args(hint))
    elif _is_union(hint):
        for member in get_args(hint):
            yield from _samples(member, path)
    elif get_origin(hint) is dict:
        yield Sample(path, {"1": _least(get_args(hint)[1])})
    elif get_args(hint):  # list, Iterable, SequenceNotStr
        yield from (Sample(f"{found.path}[]", [found.value]) for found in _samples(get_args(hint)[0], path))
    else:
        yield Sample(path, _SIMPLE[hint])


def _incomplete(hint: Any, path: str) -> Iterator[Sample]:
    if is_typeddict(hint):
        for field, field_hint in _hints(hint).items():
            inner, required = _parts(field_hint)
            if required:
                yield Sample(f"{path}.{field}", {key: value for key, value in _whole(hint).items() if key != field})
            for sample in _incomplete(inner, f"{path}.{field}"):
                yield Sample(sample.path, {**_whole(hint), field: sample.value})
    elif _is_union(hint):
        for member in get_args(hint):
            yield from _incomplete(member, path)
    elif get_args(hint) and get_origin(hint) not in {dict, Literal}:
        yield from (Sample(found.path, [found.value]) for found in _incomplete(get_args(hint)[0], path))


def _is_union(hint: Any) -> bool:
    return get_origin(hint) is Union
