"""Entries of every kind, with every value that their types allow."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st
from msgspec import NODEFAULT, UNSET, inspect

from gateway.audit.entry import Entry

_KEYS = st.text(st.characters(codec="ascii"), max_size=8)


def entries() -> st.SearchStrategy[Entry]:
    return st.one_of([_of(inspect.type_info(kind)) for kind in get_args(Entry)])


def _of(found: inspect.Type) -> st.SearchStrategy[Any]:
    drawn: st.SearchStrategy[Any]
    match found:
        case inspect.StructType():
            drawn = st.builds(found.cls, **{field.name: _field(field) for field in found.fields})
        case inspect.UnionType():
            drawn = st.one_of([_of(each) for each in found.types])
        case inspect.ListType():
            drawn = st.lists(_of(found.item_type), max_size=3)
        case inspect.DictType():
            drawn = st.dictionaries(_KEYS, _of(found.value_type), max_size=4)
        case inspect.LiteralType():
            drawn = st.sampled_from(found.values)
        case inspect.IntType():
            drawn = st.integers(found.ge, found.le)
        case inspect.StrType():
            least = found.min_length or 0
            drawn = st.text(min_size=least, max_size=min(found.max_length or 20, max(least, 20)))
        case inspect.BoolType():
            drawn = st.booleans()
        case _:
            raise TypeError(found)
    return drawn


def _field(field: inspect.Field) -> st.SearchStrategy[Any]:
    may_be_unset = not field.required and field.default is NODEFAULT and field.default_factory is NODEFAULT
    return st.just(UNSET) | _of(field.type) if may_be_unset else _of(field.type)
