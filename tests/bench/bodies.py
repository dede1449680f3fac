"""What travels: the requests that the load sends, the answers that the fake upstream gives, and whether one is complete.

The model's name says how the upstream answers: `plain` with one body, `burst` with a stream as fast as it can write, five
events in a socket write, `paced` with a stream of one event in a write every 20 ms.
"""

from __future__ import annotations

import orjson

PLAIN = "plain"
BURST = "burst"
PACED = "paced"
MODELS = (PLAIN, BURST, PACED)

CHUNKS = 50
"""Chunks of a stream that carry content; a finish chunk, a usage chunk and `[DONE]` follow."""

EVENTS = CHUNKS + 3
PACE = 0.02
"""Seconds between the chunks of a paced stream."""

BURST_EVENTS = 5
"""Events in one socket write of a burst. With a write for each, upstream and load on their one core cost more than the floor
on the other: a fast proxy then waits and pays a read and a write for every event, a slow one finds them joined, and the
fast one looks dearer (measured: floor 350 µs, floor-aiohttp 330). What single events cost is what `paced` shows."""

MARK = b"lorem"
"""Stands once in every chunk's content, and once in a plain answer."""

_USAGE = {"prompt_tokens": 410, "completion_tokens": CHUNKS, "total_tokens": 410 + CHUNKS}
_CREATED = 1_767_225_600
_SENTENCE = "A gatekeeper notes who comes, what they carry and when they leave; the book is never rewritten. "


def request_body(model: str) -> bytes:
    """Return a chat completion request of about 1.7 kB, streamed unless the model is `plain`."""
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "Answer in one paragraph. " + _SENTENCE * 6},
            {"role": "user", "content": "Why is that of use? " + _SENTENCE * 10},
        ],
        "temperature": 0.2,
        "max_tokens": 256,
    }
    if model != PLAIN:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return orjson.dumps(body)


def completion() -> bytes:
    """Return a plain answer of about 1.0 kB."""
    message = {"role": "assistant", "content": MARK.decode() + " " + _SENTENCE * 8, "refusal": None}
    return orjson.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": _CREATED,
            "model": PLAIN,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": _USAGE,
        }
    )


def events(model: str) -> list[bytes]:
    """Return the events of a stream: `CHUNKS` with content, finish, usage, `[DONE]`."""
    deltas: list[dict[str, str]] = [{"content": f"{MARK.decode()} {i:03d} "} for i in range(CHUNKS)]
    deltas[0] = {"role": "assistant", **deltas[0]}
    bodies = [_chunk(model, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    bodies.append(_chunk(model, [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    bodies.append(_chunk(model, []) | {"usage": _USAGE})
    return [b"data: " + orjson.dumps(body) + b"\n\n" for body in bodies] + [b"data: [DONE]\n\n"]


def _chunk(model: str, choices: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": model,
        "choices": choices,
    }


def incomplete(body: bytes, *, model: str) -> str:
    """Return what is missing in an answer, or an empty string; spacing and added fields are the proxy's own."""
    marks = body.count(MARK)
    if marks != (1 if model == PLAIN else CHUNKS):
        return f"{marks} pieces of content"
    if b"finish_reason" not in body or b"stop" not in body:
        return "no finish_reason"
    if b"total_tokens" not in body:
        return "no usage"
    if model == PLAIN:
        return "" if body.count(b"{") == body.count(b"}") else "cut"
    return "" if body.endswith(b"data: [DONE]\n\n") else "no [DONE]"
