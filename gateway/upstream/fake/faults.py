"""Everything that can go wrong on request: `#fake fault=NAME` (see `directive`).

"in mid-answer" is after the events that `after` counts, or half-way through a body that is not streamed. Over TCP the fault
is real; in process the client raises what a client on a network would: `broken` is `HttpBroken`, `late` is `HttpTimeout`
after really waiting, `unreachable` is `HttpUnreachable`; `-` is an answer like any other.

    name               in process   what is sent
    rate-limit         -            429 with Retry-After, OpenAI's envelope
    quota              -            429 insufficient_quota, no Retry-After
    bad-field          -            400 about the caller's field, OpenAI's envelope with param
    context-length     -            400 about the context length, vLLM's BadRequestError
    unauthorized       -            401 whose error is a string
    unknown-model      -            404 NotFoundError
    server-error       -            500 whose text looks like a secret
    shutdown           -            500 of a vLLM that is going away
    busy               -            503 without Retry-After
    overloaded         -            503 with Retry-After
    html-error         -            502 with an HTML page
    html               -            200 with an HTML page
    redirect           -            307 to a path that answers, which must not be followed
    empty              -            200 without a body
    hang-before-head   late         nothing
    hang-after-head    late         the head, then nothing
    hang-mid-answer    late         silence in mid-answer
    unreachable        unreachable  over TCP the connection is reset before the head
    reset-before-head  broken       a reset instead of an answer
    close-before-head  broken       a close instead of an answer
    not-http           broken       bytes that are not HTTP
    huge-head          broken       a header of 256 kB
    reset-mid-answer   broken       a reset in mid-answer
    close-mid-answer   broken       a close in mid-answer
    wrong-length       broken       content-length above what is sent
    short-length       -            content-length below what is sent
    no-finish          -            a clean end in mid-answer, without finish_reason
    no-finish-done     -            the same, then [DONE]
    half-event         -            a clean end inside an event
    error-event        -            an error event in mid-answer, then [DONE]; not streamed: 500
    malformed-json     -            an event or a body that is not JSON
    invalid-utf8       -            content that is not UTF-8
    wrong-types        -            choices is a string
    wrong-content      -            content is a number
    wrong-mode         -            JSON instead of a stream, and the other way round
    oversize           broken       valid but `size` long, 32 MiB unless told
    long-line          -            valid but `size` in one line, 10 MB unless told
    gzip-bomb          broken       valid gzip of `size`, 256 MiB unless told
    missing-usage      -            valid, without usage
    null-id            -            valid, id is null
    missing-done       -            valid, without [DONE]
    gzip               -            valid, content-encoding gzip
    trickle            -            valid, one byte at a time
    odd-events         -            valid, comments, CRLF and further fields
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from gateway.upstream.fake import damage, refusals
from gateway.upstream.fake.answer import Answer, Cut, Headers, Part, Raw, Wait
from gateway.upstream.fake.draft import Draft

Fault = Callable[[Draft], Answer]


def _before(part: Part) -> Fault:
    """Return the fault that happens instead of a head."""
    return lambda _draft: Answer(0, Headers({}), (), before=(part,))


_huge_head = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-filler: " + b"x" * 262_144 + b"\r\n\r\n"

FAULTS: Mapping[str, Fault] = {
    "rate-limit": refusals.rate_limit,
    "quota": refusals.quota,
    "bad-field": refusals.bad_field,
    "context-length": refusals.context_length,
    "unauthorized": refusals.unauthorized,
    "unknown-model": refusals.unknown_model,
    "server-error": refusals.server_error,
    "shutdown": refusals.shutdown,
    "busy": refusals.busy,
    "overloaded": refusals.overloaded,
    "html-error": refusals.html_error,
    "html": refusals.html,
    "redirect": refusals.redirect,
    "empty": refusals.empty,
    "hang-before-head": _before(Wait(math.inf)),
    "hang-after-head": damage.hang_after_head,
    "hang-mid-answer": damage.hang_mid_answer,
    "unreachable": _before(Cut("unreachable")),
    "reset-before-head": _before(Cut("reset")),
    "close-before-head": _before(Cut("close")),
    "not-http": _before(Raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")),
    "huge-head": _before(Raw(_huge_head)),
    "reset-mid-answer": damage.reset_mid_answer,
    "close-mid-answer": damage.close_mid_answer,
    "wrong-length": damage.wrong_length,
    "short-length": damage.short_length,
    "no-finish": damage.no_finish,
    "no-finish-done": damage.no_finish_done,
    "half-event": damage.half_event,
    "error-event": damage.error_event,
    "malformed-json": damage.malformed_json,
    "invalid-utf8": damage.invalid_utf8,
    "wrong-types": damage.wrong_types,
    "wrong-content": damage.wrong_content,
    "wrong-mode": damage.wrong_mode,
    "oversize": damage.oversize,
    "long-line": damage.long_line,
    "gzip-bomb": damage.gzip_bomb,
    "missing-usage": damage.missing_usage,
    "null-id": damage.null_id,
    "missing-done": damage.missing_done,
    "gzip": damage.gzip,
    "trickle": damage.trickle,
    "odd-events": damage.odd_events,
}
