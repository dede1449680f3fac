"""Entries of the log: all kinds there are, as typed values.

Invariants
- Every field comes from the server's own state. What a client or an upstream sent stands here only as a number, a closed set
  of words or a commitment; its text belongs to the payload, and so do the caller's `user` and `metadata`.
- No floats (a decimal is a string), integers below 2^53, ASCII names, lists of at most 64 beside a total, so that an entry has
  one canonical form (`gateway.audit.canonical`) and never outgrows `MOST_BYTES`.
- A field may be added, none may change its meaning: `v` is the version of this form, a reader passes over what it does not
  know, and no entry is ever written anew.

Times are microseconds: `at` since 1970 (UTC), `mono` of the monotonic clock of the process that `boot` names. Digests and
commitments are 64 hexadecimal characters. `id` is the exchange's id, the x-request-id of its answer; `begin` the index of its
begin entry in this log.

Names follow OpenTelemetry's `gen_ai.*` where there is one:

    here                          OpenTelemetry
    operation                     gen_ai.operation.name
    route                         gen_ai.request.model (the model that the caller asked for is the route's name)
    attempts[].model              gen_ai.response.model (as the upstream knows it)
    attempts[].response_id        gen_ai.response.id
    max_tokens                    gen_ai.request.max_tokens
    prompt.id                     gen_ai.prompt.name
    parameters.temperature …      gen_ai.request.temperature … (top_p, top_k, seed, frequency_penalty, presence_penalty)
    finish_reasons                gen_ai.response.finish_reasons
    usage.input_tokens            gen_ai.usage.input_tokens
    usage.output_tokens           gen_ai.usage.output_tokens
    usage.cached_tokens           gen_ai.usage.cache_read.input_tokens
    error                         error.type
    status                        http.response.status_code
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from gateway.exchange.caller import Role
from gateway.exchange.usage import UsageSource

VERSION: Final = 1
"""The form of entries that this module writes."""
MOST_BYTES: Final = 65_535
"""Bytes of an entry (C2SP tlog-tiles: an entry in a bundle has a length of 16 bits)."""
MOST_ITEMS: Final = 64
"""Items that a list in an entry holds; a total beside it counts them all."""
SAFE: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8785, section 3.2.2.3)."""

Count = Annotated[int, Meta(ge=0, le=SAFE)]
Signed = Annotated[int, Meta(ge=-SAFE, le=SAFE)]
Id = Annotated[str, Meta(min_length=36, max_length=36)]
Digest = Annotated[str, Meta(min_length=64, max_length=64)]
Day = Annotated[str, Meta(min_length=10, max_length=10)]
Word = Annotated[str, Meta(max_length=256)]
"""A name or code of ours: of a tenant, route, upstream, node, error."""
Text = Annotated[str, Meta(max_length=1024)]
"""Words of a person who works with the gateway: the reason of an access, why a label was moved."""
Parameter = Signed | bool | Word
"""A number that a caller may set; a decimal is a string (`gateway.audit.parameters`)."""

Result = Literal["complete", "refused", "failed", "cancelled"]
FinishReason = Literal["stop", "length", "tool_calls", "function_call", "content_filter", "other"]
Dispatch = Literal["assumed", "none"]
"""Whether the request of an exchange without end may have run at an upstream: nobody knows, so it is assumed; or surely not."""


class _Entry(Struct, frozen=True, kw_only=True, gc=False, tag_field="kind"):
    v: Count = VERSION
    at: Count
    mono: Count


class _Part(Struct, frozen=True, kw_only=True, gc=False):
    pass


class Usage(_Part, frozen=True, kw_only=True):
    """Tokens of an exchange; `cached_tokens` and `reasoning_tokens` are parts of input and output."""

    input_tokens: Count
    output_tokens: Count
    cached_tokens: Count = 0
    reasoning_tokens: Count = 0
    source: UsageSource = "upstream"


class Tried(_Part, frozen=True, kw_only=True):
    """One dispatch, as it went: `sent` commits to the exact bytes of the request as sent, `us` is how long it took.

    `status` is the upstream's HTTP status, unset where none came; `error` and `reason` a code and a few fixed words of ours.
    `response_id` is the upstream's own id of its answer, shortened to what a name may hold.
    """

    upstream: Word
    model: Word
    us: Count
    status: Count | UnsetType = UNSET
    error: Word | UnsetType = UNSET
    reason: Word | UnsetType = UNSET
    sent: Digest | UnsetType = UNSET
    sent_bytes: Count | UnsetType = UNSET
    received_bytes: Count | UnsetType = UNSET
    response_id: Word | UnsetType = UNSET


class Payload(_Part, frozen=True, kw_only=True):
    """Where an exchange's sealed payload lies: the file of `day`; SHA-256 and length of the blob; the tenant key's version."""

    digest: Digest
    bytes: Count
    day: Day
    key: Count


class Refusal(_Part, frozen=True, kw_only=True):
    """How often one reason refused one caller's requests; tenant and key are empty where the caller is not known."""

    code: Word
    count: Count
    tenant: Word = ""
    key: Word = ""


class LeftOut(_Part, frozen=True, kw_only=True):
    """What was left out of one input of a prompt so that it fits: `items` of them, which were `tokens` long together."""

    input: Word
    items: Count
    tokens: Count


class PromptUsed(_Part, frozen=True, kw_only=True):
    """The prompt that an exchange's messages were rendered from: version `version` of `id`, whose files have that `digest`.

    `label` is the label that was asked for, unset where the version itself was. `contract` is the number of the version's
    contract for its inputs. `neutralised` counts control tokens that were broken in what the caller gave.
    """

    id: Word
    version: Word
    label: Word | UnsetType = UNSET
    contract: Count
    digest: Digest
    neutralised: Count = 0
    trimmed: Annotated[list[LeftOut], Meta(max_length=MOST_ITEMS)] | UnsetType = UNSET
    trimmed_total: Count | UnsetType = UNSET


class Begin(_Entry, frozen=True, kw_only=True, tag="begin"):
    """An exchange has begun: durable before anything is dispatched for it.

    `route` is the public model name, known to be one of ours; `upstream` and `model` the leg that was drawn. `max_tokens` is
    what will be asked of the upstream, `shortened` whether that is less than the caller asked for. `received` commits to the
    request's exact bytes as they came. `config` is the digest of the configuration in force. `prompt` is unset where the messages
    are the caller's own.
    """

    id: Id
    boot: Word
    node: Word
    software: Word
    operation: Word
    tenant: Word
    key: Word
    role: Role
    app: Word | UnsetType = UNSET
    route: Word | UnsetType = UNSET
    upstream: Word | UnsetType = UNSET
    model: Word | UnsetType = UNSET
    stream: bool = False
    max_tokens: Count | UnsetType = UNSET
    shortened: bool = False
    parameters: dict[str, Parameter] | UnsetType = UNSET
    parameters_digest: Digest | UnsetType = UNSET
    received: Digest | UnsetType = UNSET
    received_bytes: Count | UnsetType = UNSET
    config: Digest | UnsetType = UNSET
    prompt: PromptUsed | UnsetType = UNSET


class Attempt(_Entry, frozen=True, kw_only=True, tag="attempt"):
    """A further dispatch of an exchange, the first being told by `begin`: durable before it is sent. `number` begins at 2."""

    id: Id
    begin: Count
    number: Count
    upstream: Word
    model: Word
    reason: Word


class End(_Entry, frozen=True, kw_only=True, tag="end"):
    """An exchange has ended: durable before the last byte of its answer is released.

    `bytes` is what had been handed to the transport before this entry; `status` the HTTP status that the client was told.
    `answer` commits to the answer as received from the upstream, `delivered` to the bytes delivered to the client, this
    entry's own last piece included. `timings` is by step, in microseconds. `error` and `reason` are a code and fixed words.
    """

    id: Id
    begin: Count
    result: Result
    status: Count | UnsetType = UNSET
    error: Word | UnsetType = UNSET
    reason: Word | UnsetType = UNSET
    attempts: Annotated[list[Tried], Meta(max_length=MOST_ITEMS)]
    attempts_total: Count
    finish_reasons: Annotated[list[FinishReason], Meta(max_length=MOST_ITEMS)]
    finish_reasons_total: Count
    usage: Usage | UnsetType = UNSET
    bytes: Count
    client_gone: bool = False
    replayed: bool = False
    answer: Digest | UnsetType = UNSET
    answer_bytes: Count | UnsetType = UNSET
    delivered: Digest | UnsetType = UNSET
    delivered_bytes: Count | UnsetType = UNSET
    payload: Payload | Literal["none"] = "none"
    timings: dict[str, Count]


class Abandoned(_Entry, frozen=True, kw_only=True, tag="abandoned"):
    """An exchange has no end and will get none: written when the log is opened after a crash or a failure.

    `reason` is `restart` where the process ended, `lost` where the log failed under it.
    """

    id: Id
    begin: Count
    dispatch: Dispatch
    reason: Literal["restart", "lost"]


class Refused(_Entry, frozen=True, kw_only=True, tag="refused"):
    """What was refused without an exchange of its own, between `since` and `until`; reasons beyond the list are its `other`."""

    since: Count
    until: Count
    total: Count
    refusals: Annotated[list[Refusal], Meta(max_length=MOST_ITEMS)]


class Genesis(_Entry, frozen=True, kw_only=True, tag="genesis"):
    """The first entry of a log, at index 0: which log this is. `origin` is `<site>/<node>-<slot>`."""

    origin: Word
    site: Word
    node: Word
    slot: Word
    software: Word
    tree: Literal["rfc6962-sha256"] = "rfc6962-sha256"


class Config(_Entry, frozen=True, kw_only=True, tag="config"):
    """A process has opened the log, or read its configuration anew.

    `clean` says whether the process before it had closed the log.
    """

    boot: Word
    node: Word
    software: Word
    reason: Literal["start", "reload"]
    config: Digest | UnsetType = UNSET
    clean: bool = True


class CallerChange(_Entry, frozen=True, kw_only=True, tag="caller"):
    """A caller's key was made or revoked; `by` is who did it: a key id, or `os:<name>` at the command line."""

    action: Literal["created", "revoked"]
    key: Word
    tenant: Word
    role: Role
    by: Word
    app: Word | UnsetType = UNSET
    expires: Count | UnsetType = UNSET


class LabelMove(_Entry, frozen=True, kw_only=True, tag="label"):
    """A label of a prompt is moved from version `from` (unset where it is new) to `version`: durable before it is in force.

    Where there is a `canary`, `percent` of the callers, or of the tenants where it is `sticky` by those, get that version
    instead. `by` is a key id, `os:<name>` at the command line, or `seed` for what labels.yaml set; `report` names an evaluation.
    `seq` numbers the moves of all labels. One that bears `withdrawn` repeats a move which could not be stored, and was never in
    force. Where a process died in between, nothing tells of that but the next move, which bears the same `seq`: of two, the
    later one holds.
    """

    seq: Count
    prompt: Word
    label: Word
    version: Word
    before: Word | UnsetType = field(name="from", default=UNSET)
    canary: Word | UnsetType = UNSET
    percent: Count = 0
    sticky: Literal["tenant", "caller"] | UnsetType = UNSET
    by: Word
    why: Text = ""
    report: Word | UnsetType = UNSET
    withdrawn: bool = False


class Access(_Entry, frozen=True, kw_only=True, tag="access"):
    """Someone is about to read the plaintext of an exchange's payload: durable before it is returned."""

    id: Id
    tenant: Word
    by: Word
    role: Role
    reason: Text
    what: Literal["payload"] = "payload"


class Gap(_Entry, frozen=True, kw_only=True, tag="gap"):
    """The log could not be written: `exchanges` went on between `since` and `until` without being entered."""

    since: Count
    until: Count
    exchanges: Count
    reason: Word


class ClockStep(_Entry, frozen=True, kw_only=True, tag="clock"):
    """The wall clock moved by `step` microseconds against the monotonic one."""

    step: Signed


class Close(_Entry, frozen=True, kw_only=True, tag="close"):
    """The process has closed the log; `open` exchanges had not ended."""

    boot: Word
    open: Count


Entry = (
    Begin | Attempt | End | Abandoned | Refused | Genesis | Config | CallerChange | LabelMove | Access | Gap | ClockStep | Close
)
"""Any entry of the log."""
