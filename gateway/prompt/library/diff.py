"""What changed between two versions: text, front matter, contract, tokens, and what is easily overlooked. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from gateway.prompt.contract.compatibility import incompatible
from gateway.prompt.file.frontmatter import FrontMatter
from gateway.prompt.library.version import Version
from gateway.prompt.template.findings import Findings
from gateway.prompt.template.limits import RENDER_LIMITS
from gateway.prompt.template.pieces import Piece, Text, read_pieces
from gateway.prompt.template.roles import split_roles

_PLACES: Final = {
    "route": "model.id",
    "options": "model.options",
    **{key: f"metadata.gateway.{key}" for key in ("contract", "mode", "messages", "overridable", "limits", "budget")},
}
"""Where in the file stands what `FrontMatter` names otherwise."""


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key of the front matter whose value differs; a value that is not there is `UNSET`."""

    key: str
    old: Any | UnsetType
    new: Any | UnsetType


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from version `old` to version `new`, both as `support/triage@v7`.

    `text` is a unified diff of the bodies with their fragments in place. `contracts` are the numbers of the contracts and
    `incompatible` a sentence for each reason why a caller of the old one may be refused by the new one. `tokens` are those of the
    constant text, old and new. `warnings` are sentences.
    """

    old: str
    new: str
    text: tuple[str, ...]
    front: tuple[KeyChange, ...]
    contracts: tuple[int, int]
    incompatible: tuple[str, ...]
    tokens: tuple[int, int]
    warnings: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Tell whether nothing changed that reaches a model or a caller."""
        return not self.text and not self.front


def compare(old: Version, new: Version, *, count: Callable[[str], int]) -> Diff:
    """Return what changed between two versions; `count` gives the tokens of a text (`constant_text` of either)."""
    front = tuple(_key_changes(old.front, new.front))
    return Diff(
        old=old.reference,
        new=new.reference,
        text=tuple(_unified(old, new)),
        front=front,
        contracts=(old.contract.number, new.contract.number),
        incompatible=tuple(incompatible(old.contract, new.contract)),
        tokens=(count(constant_text(old)), count(constant_text(new))),
        warnings=tuple(_warnings(old, new, {change.key.partition(".")[0] for change in front})),
    )


def constant_text(version: Version) -> str:
    """Return what of a version's text is the same in every exchange, without role lines."""
    return "".join(text for piece in _pieces(version) if isinstance(piece, Text) for text in _spoken(piece))


def prefix(version: Version) -> str:
    """Return a version's text up to the first place that variables can change: what a server's prefix cache can keep."""
    texts = []
    for piece in _pieces(version):
        if not isinstance(piece, Text):
            break
        texts.append(piece.text)
    return "".join(texts)


def _pieces(version: Version) -> list[Piece]:
    return read_pieces(version.source.body, Findings(version.source.line_of), RENDER_LIMITS)


def _spoken(piece: Text) -> Iterator[str]:
    if piece.raw:
        return iter((piece.text,))
    segments = split_roles(piece.text, opens_line=piece.opens_line, closes_line=piece.closes_line)
    return (segment for segment in segments if isinstance(segment, str))


def _unified(old: Version, new: Version) -> Iterator[str]:
    lines = difflib.unified_diff(
        old.source.body.splitlines(), new.source.body.splitlines(), old.reference, new.reference, lineterm=""
    )
    return iter(lines)


def _key_changes(old: FrontMatter, new: FrontMatter) -> Iterator[KeyChange]:
    before, after = _flat(old), _flat(new)
    for key in (*before, *(key for key in after if key not in before)):
        first, second = before.get(key, UNSET), after.get(key, UNSET)
        if first != second or type(first) is not type(second):
            yield KeyChange(key, first, second)


def _flat(front: FrontMatter) -> dict[str, Any]:
    """Return the leaves of a front matter by their place in the file; items that have a name stand under it."""
    value: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(front, order="deterministic"))
    leaves: dict[str, Any] = {}
    for key, inner in value.items():
        _flatten(_PLACES.get(key, key), inner, leaves)
    return leaves


def _flatten(key: str, value: Any, leaves: dict[str, Any]) -> None:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = {str(_name(item, position)): item for position, item in enumerate(value)}
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten(f"{key}.{name}", inner, leaves)
    elif value is not None and value != []:
        leaves[key] = value


def _name(item: dict[str, Any], position: int) -> Any:
    return item.get("name") or item.get("function", {}).get("name") or item.get("input") or position


def _warnings(old: Version, new: Version, keys: set[str]) -> Iterator[str]:
    before, after = old.source.body, new.source.body
    if before != after and "".join(before.split()) == "".join(after.split()):
        yield "Only white space changed in the text: answers may change all the same."
    if not prefix(new).startswith(prefix(old)):
        common = _common(prefix(old), prefix(new))
        yield (
            f"The text before the first variable changed at character {common + 1} of {len(prefix(old))}: "
            "what servers keep in their prefix caches is lost from there on."
        )
    if "tools" in keys:
        yield "Tools changed: models read them before the text, so prefix caches are lost."
    if old.contract.number != new.contract.number:
        yield (
            f"The contract goes from {old.contract.number} to {new.contract.number}: "
            "callers that name the old one are refused (prompt_contract_mismatch)."
        )


def _common(one: str, other: str) -> int:
    """Return how many characters two texts begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
