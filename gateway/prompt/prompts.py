"""What a reference stands for, for this caller and at this moment.

Invariants
- Library and labels are one immutable pair: a choice is made from one pair, and what was chosen stays whole whatever is loaded or
  moved afterwards.
- There is no fallback: a label or version that is not there is answered as such, and so is a draft to whoever may not see it.
"""

from __future__ import annotations

import threading

import msgspec

from gateway.exchange.caller import Caller, Role
from gateway.prompt.file.names import DRAFT
from gateway.prompt.label.labels import Labels
from gateway.prompt.library.library import Library
from gateway.prompt.library.version import Version
from gateway.prompt.reference import Reference, unknown

_SEES_DRAFTS: Role = "prompt-engineer"


class Chosen(msgspec.Struct, frozen=True, gc=False):
    """The version that counts, and the label that led to it, "" where the version itself was named."""

    version: Version
    label: str


class Prompts:
    """The prompts of this process; choosing is for the event loop, the swaps may come from any thread."""

    __slots__ = ("_pair", "_swap")

    def __init__(self, library: Library | None = None, labels: Labels | None = None) -> None:
        self._pair = (library or Library(), labels or Labels())
        self._swap = threading.Lock()

    @property
    def library(self) -> Library:
        """The library that counts now."""
        return self._pair[0]

    @property
    def labels(self) -> Labels:
        """The labels that count now."""
        return self._pair[1]

    def take_library(self, library: Library) -> None:
        """Let another library count from the next choice on."""
        with self._swap:
            self._pair = (library, self._pair[1])

    def take_labels(self, labels: Labels) -> None:
        """Let other labels count from the next choice on."""
        with self._swap:
            self._pair = (self._pair[0], labels)

    def choose(self, reference: Reference, caller: Caller) -> Chosen:
        """Return the version that a reference stands for; raises `NotFound` (prompt_not_found), whose `reason` is for the log."""
        library, labels = self._pair
        versions = library.prompts.get(reference.id)
        name, label = reference.version, ""
        if name is None:
            label = reference.label or ""
            name = labels.version(reference.id, label, tenant=caller.tenant, caller=caller.key_id)
            if name is None:
                raise unknown(reference.param, "no such prompt" if versions is None else "no such label")
        elif name == DRAFT and caller.role != _SEES_DRAFTS:
            raise unknown(reference.param, "draft for this role")
        version = None if versions is None else versions.get(name)
        if version is None:
            raise unknown(reference.param, "label of a version that is not served" if label else "no such version")
        return Chosen(version, label)
