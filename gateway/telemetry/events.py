"""The names of log events: all there are."""

from __future__ import annotations

from typing import Final, Literal

Event = Literal[
    "settings_loaded",
    "ready",
    "draining",
    "stopped",
    "exchange_ended",
    "request_refused",
    "upstream_failed",
    "replay_unkept",
    "internal_error",
    "log_lines_dropped",
    "worker_ended",
    "audit_failed",
    "audit_recovered",
    "audit_disk",
    "prompts_loaded",
    "prompt_problem",
    "prompts_unwatched",
    "labels_stale",
    "labels_current",
    "labels_unseeded",
]
Level = Literal["debug", "info", "warning", "error", "critical"]

SETTINGS_LOADED: Final = "settings_loaded"
"""gateway.toml has been read: its path and how much it names."""
READY: Final = "ready"
"""Requests are accepted: the address."""
DRAINING: Final = "draining"
"""No new work is taken; what runs may end."""
STOPPED: Final = "stopped"
"""The process is about to exit."""
EXCHANGE_ENDED: Final = "exchange_ended"
"""One line for every exchange: who, where, how it ended, what it used, how long it took."""
REQUEST_REFUSED: Final = "request_refused"
"""A request was refused before it became an exchange: the code."""
UPSTREAM_FAILED: Final = "upstream_failed"
"""An attempt at an upstream failed, whether or not another one answered: the code and a fixed reason."""
REPLAY_UNKEPT: Final = "replay_unkept"
"""An answer could not be kept for repeats with its idempotency key: the exchange, and why. `lost`: its lease had ended, another
request has the key. `unavailable`: the store did not answer; a repeat is refused until the lease ends, then it runs."""
INTERNAL_ERROR: Final = "internal_error"
"""A fault of our own: the exception's class and our frames, nothing else."""
LOG_LINES_DROPPED: Final = "log_lines_dropped"
"""The log could not be written as fast as it was filled: how many lines are missing here."""
WORKER_ENDED: Final = "worker_ended"
"""A worker process ended that should not have; another takes its place: its process id and exit code."""
AUDIT_FAILED: Final = "audit_failed"
"""The audit log could not be written, or not in time; exchanges are refused until it works again: a fixed reason."""
AUDIT_RECOVERED: Final = "audit_recovered"
"""The audit log works again: how many exchanges it had to give up as abandoned."""
AUDIT_DISK: Final = "audit_disk"
"""The disk under the audit log got fuller or emptier than a threshold: the condition, and how full it is."""
PROMPTS_LOADED: Final = "prompts_loaded"
"""A library of prompts counts from now on: how many versions it serves, and how many problems its folder has."""
PROMPT_PROBLEM: Final = "prompt_problem"
"""Something is wrong with a file of the prompts' folder; everything else goes on: file, line and what it is."""
PROMPTS_UNWATCHED: Final = "prompts_unwatched"
"""The prompts' folder is not watched any more, by a fault of ours: what is loaded goes on being served until a restart."""
LABELS_STALE: Final = "labels_stale"
"""Moves of labels are not seen any more, the last ones seen count: a fixed reason."""
LABELS_CURRENT: Final = "labels_current"
"""Moves of labels are seen again."""
LABELS_UNSEEDED: Final = "labels_unseeded"
"""Labels could not be set from labels.yaml; it is tried again when the folder changes: a fixed reason."""
