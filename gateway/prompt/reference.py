"""How a request names a prompt, in both forms of INTERFACE.md, as one value.

    {"model": "prompt/support/triage@production", "prompt": {"variables": {…}}}
    {"model": "chat-default", "prompt": {"id": "support/triage", "version": "v7", "variables": {…}}}

Invariants
- Exactly one of label and version is set; without either the label is `production`.
- What could not name anything here (an id or a name that breaks the rule) is answered like what does not exist.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from gateway.errors import InvalidRequest, NotFound
from gateway.prompt.file.names import DRAFT, is_id, is_label, is_version
from gateway.wire.prompt import PREFIX, PromptCall

__all__ = ["PREFIX", "PRODUCTION", "Reference", "reference_of", "unknown"]

PRODUCTION: Final = "production"
"""The label that counts where none is named."""

_MODEL = re.compile(r"prompt/([a-z0-9][a-z0-9_-]{0,63}/[a-z0-9][a-z0-9_-]{0,63})(?:@([a-z0-9][a-z0-9_-]{0,63}))?")


class Reference(msgspec.Struct, frozen=True, gc=False):
    """A prompt, and the label or the version (`vN` or `draft`) that is meant; `param` is the request's field that says so."""

    id: str
    label: str | None
    version: str | None
    param: str = "model"


def reference_of(model: str, prompt: PromptCall | UnsetType | None = UNSET) -> Reference | None:
    """Return what a request names, None where it names no prompt.

    Raises `InvalidRequest` where it names two things at once or none at all, `NotFound` (prompt_not_found) where what it names
    could not exist.
    """
    given = prompt or None
    if model.startswith(PREFIX):
        return _of_model(model, given)
    if given is None:
        return None
    name = _text(given.id)
    if name is None:
        raise InvalidRequest("A prompt is named here, or in 'model' as 'prompt/<namespace>/<name>'.", param="prompt.id")
    if not is_id(name):
        raise unknown("prompt.id", "malformed id")
    return _chosen(name, given, param="prompt.id")


def unknown(param: str, reason: str) -> NotFound:
    """Return the one answer to everything that is not there, or not there for this caller; the reason is for the log."""
    return NotFound("There is no such prompt, version or label here.", code="prompt_not_found", param=param, reason=reason)


def _of_model(model: str, given: PromptCall | None) -> Reference:
    match = _MODEL.fullmatch(model)
    if match is None:
        raise unknown("model", "malformed id")
    name, chosen = match[1], match[2]
    if given is None:
        return Reference(name, PRODUCTION, None) if chosen is None else _either(name, chosen, param="model")
    if _text(given.id) is not None:
        raise InvalidRequest("The model names a prompt already.", param="prompt.id")
    if chosen is None:
        return _chosen(name, given, param="model")
    for field, value in (("version", given.version), ("label", given.label)):
        if _text(value) is not None:
            raise InvalidRequest("The model names the prompt's version or label already.", param=f"prompt.{field}")
    return _either(name, chosen, param="model")


def _chosen(name: str, given: PromptCall, *, param: str) -> Reference:
    version, label = _text(given.version), _text(given.label)
    if version is not None:
        if label is not None:
            raise InvalidRequest("A version and a label exclude each other: leave one of them out.", param="prompt.label")
        return _either(name, version, param="prompt.version")
    if label is None:
        return Reference(name, PRODUCTION, None, param)
    if not is_label(label):
        raise unknown("prompt.label", "malformed label")
    return Reference(name, label, None, "prompt.label")


def _either(name: str, chosen: str, *, param: str) -> Reference:
    """Take what may be a version or a label for what it looks like."""
    if chosen == DRAFT or is_version(chosen):
        return Reference(name, None, chosen, param)
    if not is_label(chosen):
        raise unknown(param, "malformed version")
    return Reference(name, chosen, None, param)


def _text(value: str | UnsetType | None) -> str | None:
    return None if value is UNSET else value
