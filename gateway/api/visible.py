"""Which prompts a caller sees, and as what.

An app sees the labels that lead to routes which it may use, and nothing of other versions; a prompt without such a label is as
unknown to it as one that is not there. Whoever else may ask sees everything.
"""

from __future__ import annotations

from gateway.caller.callers import Callers
from gateway.exchange.caller import Caller
from gateway.prompt.library.version import Version
from gateway.prompt.prompts import Prompts
from gateway.prompt.reference import Reference, unknown
from gateway.prompt.shown import LabelShown, PromptShown, prompt_shown


class VisiblePrompts:
    """Looks into the library and labels of the moment for a caller."""

    def __init__(self, prompts: Prompts, callers: Callers) -> None:
        self._prompts = prompts
        self._callers = callers

    def all(self, caller: Caller) -> list[PromptShown]:
        """Return every prompt that the caller sees."""
        return [shown for prompt in self._prompts.library.ids() if (shown := self._shown(prompt, caller)) is not None]

    def one(self, prompt: str, caller: Caller) -> PromptShown:
        """Return a prompt; raises `NotFound` (prompt_not_found)."""
        shown = self._shown(prompt, caller) if prompt in self._prompts.library.prompts else None
        if shown is None:
            raise unknown("id", "no such prompt")
        return shown

    def text(self, reference: Reference, caller: Caller) -> Version:
        """Return a version for somebody who reads everything, drafts too; raises `NotFound` (prompt_not_found)."""
        name = reference.version
        if name is None:
            label = reference.label or ""
            name = self._prompts.labels.version(reference.id, label, tenant=caller.tenant, caller=caller.key_id)
        version = None if name is None else self._prompts.library.get(reference.id, name)
        if version is None:
            raise unknown(reference.param, "no such version or label")
        return version

    def used(self, reference: Reference, caller: Caller) -> Version:
        """Return the version that a call of the caller's would use; raises `NotFound` (prompt_not_found)."""
        version = self._prompts.choose(reference, caller).version
        if not self._may_use(version, caller):
            raise unknown(reference.param, "route not allowed")
        return version

    def _shown(self, prompt: str, caller: Caller) -> PromptShown | None:
        library, labels = self._prompts.library, self._prompts.labels
        if caller.role != "app":
            return prompt_shown(prompt, library, labels, seeds=False)
        found = []
        for label in sorted(labels.labels(prompt)):
            name = labels.version(prompt, label, tenant=caller.tenant, caller=caller.key_id) or ""
            version = library.get(prompt, name)
            if version is not None and self._may_use(version, caller):
                found.append(LabelShown(label, name))
        return PromptShown(prompt, found, []) if found else None

    def _may_use(self, version: Version, caller: Caller) -> bool:
        return caller.role != "app" or version.route is None or self._callers.routes_allowed(caller, version.route)
