"""The prompt that an exchange's messages were rendered from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was left out of one input so that the prompt fits: `items` of them, which were `tokens` long together."""

    input: str
    items: int
    tokens: int


@dataclass(frozen=True, slots=True)
class PromptUse:
    """Version `version` of prompt `id`, whose files have the SHA-256 `digest` (hexadecimal).

    `label` is the label that led to it, "" where the version itself was named; `contract` the number of its contract.
    `neutralised` counts the control tokens that were found in what the caller gave.
    """

    id: str
    version: str
    label: str
    contract: int
    digest: str
    neutralised: int = 0
    trimmed: tuple[LeftOut, ...] = ()

    @property
    def reference(self) -> str:
        """The version as people and headers name it: `support/triage@v7`."""
        return f"{self.id}@{self.version}"
