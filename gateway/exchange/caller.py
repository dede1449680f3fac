"""Who calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["app", "prompt-engineer", "operator", "auditor", "erasure-officer"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller as the server knows it: nothing here comes from the request but the key that it proved to hold."""

    tenant: str
    app: str | None
    key_id: str
    role: Role
