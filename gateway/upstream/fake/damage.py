"""Faults in the answer itself: cut, hung, mangled, too long, or valid and odd."""

from __future__ import annotations

import gzip as gzip_module
import math
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from gateway.upstream.fake.answer import DONE, EVENTS, JSON, Answer, Cut, Headers, Part, Raw, Wait, event, stream, whole
from gateway.upstream.fake.draft import Draft
from gateway.wire.answer import Body

MIB = 1_048_576
BLOCK = 65_536
TRICKLE_GAP = 0.002
GZIP_WINDOW = 31
"""zlib's word for a gzip container."""

_fill = "\u2063fill\u2063"
_gone = {
    "error": {
        "message": "EngineCore encountered an issue. See stack trace (above) for the root cause.",
        "type": "InternalServerError",
        "param": None,
        "code": 500,
    }
}


def _first(draft: Draft) -> Iterator[Part]:
    """Yield the events that arrive before a fault in mid-stream."""
    return draft.paced(islice(draft.events(), draft.directive.after))


def _broken_off(draft: Draft, *after: Part) -> Answer:
    if draft.stream:
        return stream(_joined(_first(draft), after))
    body = draft.raw_body()
    parts = (body[: len(body) // 2], *after)
    return Answer(200, Headers({"content-type": JSON, "content-length": str(len(body))}), parts)


def _joined(*many: Iterable[Part]) -> Iterator[Part]:
    for parts in many:
        yield from parts


def hang_after_head(draft: Draft) -> Answer:
    """Send the head, then nothing."""
    return Answer(200, Headers({"content-type": EVENTS if draft.stream else JSON}), (Wait(math.inf),))


def hang_mid_answer(draft: Draft) -> Answer:
    """Fall silent in mid-answer."""
    return _broken_off(draft, Wait(math.inf))


def reset_mid_answer(draft: Draft) -> Answer:
    """Reset the connection in mid-answer."""
    return _broken_off(draft, Cut("reset"))


def close_mid_answer(draft: Draft) -> Answer:
    """Close the connection in mid-answer, before HTTP's framing ended."""
    return _broken_off(draft, Cut("close"))


def no_finish(draft: Draft) -> Answer:
    """End cleanly without a finish_reason."""
    return stream(_first(draft)) if draft.stream else draft.answer(_unfinished)


def no_finish_done(draft: Draft) -> Answer:
    """End without a finish_reason and say [DONE]."""
    return stream(_joined(_first(draft), (DONE,))) if draft.stream else draft.answer(_unfinished)


def _unfinished(body: Body, _number: int) -> Body:
    for choice in body["choices"]:
        choice["finish_reason"] = None
    return body


def half_event(draft: Draft) -> Answer:
    """End cleanly inside an event; an answer that is not streamed ends inside its JSON."""
    if not draft.stream:
        return malformed_json(draft)
    events = draft.events()
    first = list(islice(events, draft.directive.after))
    following = next(events, DONE)
    return stream(draft.paced(iter([*first, following[: len(following) // 2]])))


def error_event(draft: Draft) -> Answer:
    """Report an error in mid-stream and then say [DONE], as vLLM does; not streamed, answer 500."""
    if not draft.stream:
        return whole(msgspec.json.encode(_gone), JSON, status=500)
    return stream(_joined(_first(draft), (event(_gone), DONE)))


def missing_done(draft: Draft) -> Answer:
    """Leave [DONE] out: noted, but valid."""
    return stream(draft.paced(draft.events(done=b""))) if draft.stream else draft.answer()


def malformed_json(draft: Draft) -> Answer:
    """Send one event that is not JSON between good ones, or half of a body as if it were all."""
    if not draft.stream:
        body = draft.raw_body()
        return whole(body[: len(body) // 2], JSON)
    return stream(draft.paced(_with_event(draft, b'data: {"id":"chatcmpl-1","choices":[{\n\n')))


def _with_event(draft: Draft, extra: bytes) -> Iterator[bytes]:
    events = draft.events()
    yield from islice(events, draft.directive.after)
    yield extra
    yield from events


def invalid_utf8(draft: Draft) -> Answer:
    """Send content that is not UTF-8."""
    mark, bad = b'"content":"', b'"content":"\xff\xfe'
    if not draft.stream:
        return whole(draft.raw_body().replace(mark, bad, 1), JSON)
    after = draft.directive.after
    events = (one.replace(mark, bad, 1) if at >= after else one for at, one in enumerate(draft.events()))
    return stream(draft.paced(events))


def wrong_types(draft: Draft) -> Answer:
    """Send a string where the choices should be."""

    def edit(body: Body, number: int) -> Body:
        return {**body, "choices": "none"} if number >= draft.directive.after else body

    return draft.answer(edit)


def wrong_content(draft: Draft) -> Answer:
    """Send a number where the text should be."""

    def edit(body: Body, number: int) -> Body:
        for choice in body["choices"] if number >= draft.directive.after else ():
            choice["delta" if draft.stream else "message"]["content"] = 42
        return body

    return draft.answer(edit)


def missing_usage(draft: Draft) -> Answer:
    """Leave the usage out."""

    def edit(body: Body, _number: int) -> Body | None:
        body.pop("usage", None)
        return body if body["choices"] else None

    return draft.answer(edit)


def null_id(draft: Draft) -> Answer:
    """Send null as the id."""
    return draft.answer(lambda body, _number: {**body, "id": None})


def wrong_mode(draft: Draft) -> Answer:
    """Send JSON where a stream was asked for, and a stream where it was not."""
    other = Draft(draft.completion, draft.directive, stream=not draft.stream)
    return other.answer()


def wrong_length(draft: Draft) -> Answer:
    """Announce more bytes than are sent."""
    if draft.stream:
        parts = _joined(draft.paced(draft.events()), (Cut("close"),))
        return Answer(200, Headers({"content-type": EVENTS, "content-length": str(MIB)}), parts)
    body = draft.raw_body()
    headers = Headers({"content-type": JSON, "content-length": str(len(body) + 100)})
    return Answer(200, headers, (body, Cut("close")))


def short_length(draft: Draft) -> Answer:
    """Announce fewer bytes than are sent."""
    body = b"".join(draft.events()) if draft.stream else draft.raw_body()
    announced = len(body) // 2
    headers = Headers({"content-type": EVENTS if draft.stream else JSON, "content-length": str(announced)})
    return Answer(200, headers, (body[:announced], Raw(body[announced:])))


def oversize(draft: Draft) -> Answer:
    """Send a valid answer of `size` bytes, 32 MiB unless told: more than a client should take."""
    return _filled(draft, draft.directive.size or 32 * MIB, BLOCK)


def long_line(draft: Draft) -> Answer:
    """Send a valid answer with `size` bytes, 10 MB unless told, in one line."""
    size = draft.directive.size or 10_000_000
    return _filled(draft, size, size)


def _filled(draft: Draft, size: int, block: int) -> Answer:
    """Return a valid answer whose content is `size` bytes long: in events of `block` bytes, or in one body."""
    parts = draft.paced(_filled_events(draft, size, block)) if draft.stream else _filled_body(draft, size)
    return Answer(200, Headers({"content-type": EVENTS if draft.stream else JSON}), parts)


def _filled_events(draft: Draft, size: int, block: int) -> Iterator[bytes]:
    events = draft.events()
    yield next(events)
    served = draft.completion.served
    head = {"id": served.id, "object": "chat.completion.chunk", "created": draft.completion.created, "model": served.model}
    for at in range(0, size, block):
        choice = {"index": 0, "delta": {"content": "x" * min(block, size - at)}, "finish_reason": None}
        yield event({**head, "choices": [choice]})
    yield from events


def _filled_body(draft: Draft, size: int) -> Iterator[bytes]:
    body = draft.body()
    body["choices"][0]["message"]["content"] = _fill
    before, _, after = msgspec.json.encode(body).partition(_fill.encode())
    yield before
    for at in range(0, size, BLOCK):
        yield b"x" * min(BLOCK, size - at)
    yield after


def gzip(draft: Draft) -> Answer:
    """Send a valid answer in gzip, asked for or not."""
    if draft.stream:
        headers = Headers({"content-type": EVENTS, "content-encoding": "gzip"})
        return Answer(200, headers, _packed(draft.paced(draft.events())))
    body = gzip_module.compress(draft.raw_body(), mtime=0)
    return whole(body, JSON, headers={"content-encoding": "gzip"})


def gzip_bomb(draft: Draft) -> Answer:
    """Send `size` bytes, 256 MiB unless told, that gzip makes small."""
    plain = _filled(draft, draft.directive.size or 256 * MIB, BLOCK)
    return Answer(200, Headers({**plain.headers, "content-encoding": "gzip"}), _packed(plain.parts))


def _packed(parts: Iterable[Part]) -> Iterator[Part]:
    packer = zlib.compressobj(wbits=GZIP_WINDOW)
    for part in parts:
        yield packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) if isinstance(part, bytes) else part
    yield packer.flush()


def trickle(draft: Draft) -> Answer:
    """Send a valid answer one byte at a time."""
    gap = Wait(draft.directive.gap or TRICKLE_GAP)
    plain = stream(draft.events()) if draft.stream else draft.answer()
    return Answer(200, plain.headers, _single(plain.parts, gap))


def _single(parts: Iterable[Part], gap: Wait) -> Iterator[Part]:
    for part in parts:
        for value in part if isinstance(part, bytes) else ():
            yield gap
            yield bytes((value,))


def odd_events(draft: Draft) -> Answer:
    """Send a valid stream in forms that few servers use: comments, CRLF, further fields, no space after the colon."""
    if not draft.stream:
        return draft.answer()
    return stream(draft.paced(_odd(draft.events())))


def _odd(events: Iterator[bytes]) -> Iterator[bytes]:
    yield b": PROCESSING\r\n\r\n"
    for number, one in enumerate(events):
        data = one.removeprefix(b"data: ").rstrip(b"\n")
        yield b"event: message\r\nid: %d\r\nretry: 10\r\ndata:%s\r\n: comment\r\n\r\n" % (number, data)
