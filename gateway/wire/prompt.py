"""`prompt` in a chat request: which released prompt is meant, and the values of its variables (INTERFACE.md)."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from msgspec import UNSET, Meta, Raw, UnsetType

from gateway.errors import InvalidRequest
from gateway.wire.freeform import Bound, decoded
from gateway.wire.limits import LIMITS
from gateway.wire.message import WireStruct

PREFIX: Final = "prompt/"
"""How a model name begins that names a prompt."""

_BOUND: Final = Bound(max_bytes=LIMITS.variables_bytes, max_depth=LIMITS.free_form_depth)

Word: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LIMITS.model_chars)]


class PromptCall(WireStruct, frozen=True):
    """A prompt by its id, with a version (`v7`) or a label; `version` may hold a label too, as INTERFACE.md shows.

    Without `id` the model name says which prompt it is. `variables` is a JSON object, read by `read_variables`.
    """

    id: Word | UnsetType = UNSET
    version: Word | UnsetType | None = UNSET
    label: Word | UnsetType | None = UNSET
    variables: Raw | UnsetType = UNSET


def read_variables(raw: Raw | UnsetType) -> dict[str, Any]:
    """Return the variables, none where none were sent; raises `InvalidRequest`, naming `prompt.variables`."""
    data = b"null" if isinstance(raw, UnsetType) else bytes(raw)
    if data == b"null":
        return {}
    if data.count(b",") > LIMITS.variable_values and _values(data) > LIMITS.variable_values:
        raise InvalidRequest(f"prompt.variables hold more than {LIMITS.variable_values} values.", param="prompt.variables")
    found: dict[str, Any] = decoded(data, _BOUND, param="prompt.variables")
    return found


def _values(data: bytes) -> int:
    """Count the commas outside of strings, of valid JSON: a megabyte of short values costs fifty times what text costs."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return sum(part.count(b",") for part in data.split(b'"')[::2])
