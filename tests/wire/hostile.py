"""Bodies that a chat endpoint must refuse with 400 and a code, never with a 5xx: plain lists, for every level to use.

`HOSTILE` is refused, `HARMLESS` looks hostile and is taken. `CANARY` is a value in many of them: it must show in no answer.
Wrong types are made from the request's own description, so that a new field brings its bodies with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from gateway.wire.chat import ChatRequest

CANARY = "hunter2-canary"
_KINDS: list[tuple[str, Any, tuple[type[inspect.Type], ...]]] = [
    ("null", None, (inspect.NoneType,)),
    ("boolean", True, (inspect.BoolType,)),
    ("integer", 7, (inspect.IntType, inspect.FloatType)),
    ("number", 0.5, (inspect.FloatType,)),
    ("string", CANARY, (inspect.StrType,)),
    ("array", [[]], (inspect.ListType,)),
    ("object", {}, (inspect.DictType, inspect.StructType)),
]


class Hostile(NamedTuple):
    """A body, the code it must get, over HTTP another one where the edge is first, and `param` where it is known."""

    name: str
    body: bytes
    code: str
    http_code: str = ""
    param: str | None = None


class Harmless(NamedTuple):
    """A body that is taken, and what is passed on for it."""

    name: str
    body: bytes
    means: dict[str, Any]


def encoded(**fields: Any) -> bytes:
    """Return a request body with the fields given beside a model and a message."""
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields})


def raw(fields: bytes) -> bytes:
    """Return a request body with the members given, as they are, beside a model and a message."""
    return b'{"model":"m","messages":[{"role":"user","content":"hi"}],' + fields + b"}"


def minimal(kind: inspect.Type) -> Any:
    """Return the least value that a type takes."""
    if isinstance(kind, inspect.UnionType):
        return minimal(kind.types[0])
    if isinstance(kind, inspect.StructType):
        made = {field.encode_name: minimal(field.type) for field in kind.fields if field.required}
        return made if kind.tag_field is None else {kind.tag_field: kind.tag, **made}
    if isinstance(kind, inspect.ListType):
        return [minimal(kind.item_type)] if kind.min_length else []
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    simple: dict[type[inspect.Type], Any] = {inspect.StrType: "x", inspect.IntType: 1, inspect.FloatType: 1.0}
    return simple.get(type(kind), {} if isinstance(kind, inspect.DictType | inspect.RawType) else None)


class Place(NamedTuple):
    """A field of the request at any depth, and how a body is made with a value there."""

    path: str
    kind: inspect.Type
    body: Callable[[Any], Any]


def places(kind: inspect.Type | None = None, path: str = "", body: Callable[[Any], Any] = lambda value: value) -> Iterator[Place]:
    """Yield every field of the request, those of the objects and arrays in it too."""
    kind = inspect.type_info(ChatRequest) if kind is None else kind
    if isinstance(kind, inspect.UnionType):
        for member in kind.types:
            yield from places(member, path, body)
    elif isinstance(kind, inspect.ListType):
        yield from places(kind.item_type, f"{path}[0]", lambda value: body([value]))
    elif isinstance(kind, inspect.StructType):
        whole = minimal(kind)
        for field in kind.fields:

            def with_field(value: Any, name: str = field.encode_name) -> Any:
                return body({**whole, name: value})

            inner = f"{path}.{field.encode_name}" if path else field.encode_name
            yield Place(inner, field.type, with_field)
            yield from places(field.type, inner, with_field)


def wrong_types(*, deep: bool) -> Iterator[Hostile]:
    """Yield bodies with one value of a wrong type: of every field of the request, and `deep` of every field in it."""
    for place in places():
        top = "." not in place.path and "[" not in place.path
        members = place.kind.types if isinstance(place.kind, inspect.UnionType) else (place.kind,)
        if any(isinstance(member, inspect.RawType) for member in members) or (top == deep):
            continue
        for name, value, fitting in _KINDS:
            if not any(isinstance(member, fitting) for member in members):
                body = msgspec.json.encode(place.body(value))
                yield Hostile(f"{place.path} is {name}", body, "invalid_field", param=place.path)


def _nested(opening: bytes, depth: int, closing: bytes, *, core: bytes = b"") -> bytes:
    return opening * depth + core + closing * depth


def _message(**fields: Any) -> bytes:
    return encoded(messages=[fields])


def _part(**fields: Any) -> bytes:
    return _message(role="user", content=[fields])


_NOT_JSON: list[tuple[str, bytes]] = [
    ("empty body", b""),
    ("space", b"  \r\n\t"),
    ("null", b"null"),
    ("number", b"42"),
    ("string", b'"hunter2-canary"'),
    ("true", b"true"),
    ("empty array", b"[]"),
    ("array of requests", b"[" + encoded() + b"]"),
    ("cut short", encoded()[:-1]),
    ("cut in a string", encoded()[:20]),
    ("trailing garbage", encoded() + b"x"),
    ("two bodies", encoded() + encoded()),
    ("trailing comma", b'{"model":"m",}'),
    ("comment", b'{"model":"m"/**/}'),
    ("single quotes", b"{'model':'m'}"),
    ("unquoted key", b"{model:1}"),
    ("form", b"model=m&messages=hunter2-canary"),
    ("multipart", b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--x--\r\n'),
    ("XML", b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'hunter2-canary'>]><x>&a;</x>"),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
    ("NUL bytes", b"\x00" * 100),
    ("NUL after the body", encoded() + b"\x00"),
    ("UTF-8 BOM", b"\xef\xbb\xbf" + encoded()),
    ("UTF-16", encoded().decode().encode("utf-16")),
    ("UTF-16 without BOM", encoded().decode().encode("utf-16-le")),
    ("UTF-32", encoded().decode().encode("utf-32")),
    ("truncated UTF-8", raw(b'"user":"\xc3"')),
    ("truncated UTF-8 at the end", encoded()[:-2] + b"\xe2\x82"),
    ("overlong UTF-8", raw(b'"user":"\xc0\xaf"')),
    ("surrogate in UTF-8", raw(b'"user":"\xed\xa0\x80"')),
    ("above U+10FFFF", raw(b'"user":"\xf4\x90\x80\x80"')),
    ("UTF-8 fault in a key", raw(b'"us\xffer":1')),
    ("UTF-8 fault in a schema", raw(b'"chat_template_kwargs":{"a":"\xff"}')),
    ("lone high surrogate", raw(b'"user":"\\ud800"')),
    ("lone low surrogate", raw(b'"user":"\\udc00"')),
    ("two high surrogates", raw(b'"user":"\\ud800\\ud800"')),
    ("lone surrogate in a key", raw(b'"\\ud800":1')),
    ("control character in a string", raw(b'"user":"a\nb"')),
    ("bad escape", raw(b'"user":"\\x41"')),
    ("NaN", raw(b'"temperature":NaN')),
    ("Infinity", raw(b'"temperature":Infinity')),
    ("minus Infinity in a schema", raw(b'"chat_template_kwargs":{"a":-Infinity}')),
    ("leading zero", raw(b'"n":01')),
    ("plus sign", raw(b'"n":+1')),
    ("hexadecimal", raw(b'"n":0x1')),
]

_BAD_FIELDS: list[tuple[str, bytes]] = [
    ("no fields", b"{}"),
    ("1e999", raw(b'"temperature":1e999')),
    ("1e999 in a schema", raw(b'"chat_template_kwargs":{"a":1e999}')),
    ("5,000 digits", raw(b'"n":' + b"9" * 5000)),
    ("5,000 digits as a number", raw(b'"temperature":' + b"9" * 5000)),
    ("5,000 digits in a schema", raw(b'"chat_template_kwargs":{"a":' + b"9" * 5000 + b"}")),
    ("100,000 digits", raw(b'"seed":-' + b"9" * 100_000)),
    ("depth 10,000", raw(b'"chat_template_kwargs":{"a":' + _nested(b"[", 10_000, b"]") + b"}")),
    ("depth 10,000 of objects", raw(b'"chat_template_kwargs":' + _nested(b'{"a":', 10_000, b"}", core=b"1"))),
    ("depth 10,000 as content", raw(b'"messages":[{"role":"user","content":' + _nested(b"[", 10_000, b"]") + b"}]")),
    ("depth 65", raw(b'"chat_template_kwargs":{"a":' + _nested(b"[", 64, b"]") + b"}")),
    ("n is 0", encoded(n=0)),
    ("n is negative", encoded(n=-1)),
    ("n is huge", encoded(n=10**30)),
    ("n is 9", encoded(n=9)),
    ("n is 1.0", raw(b'"n":1.0')),
    ("n is 1e0", raw(b'"n":1e0')),
    ("equal keys, the first wrong", raw(b'"n":"hunter2-canary","n":1')),
    ("equal keys, the last wrong", raw(b'"n":1,"n":"hunter2-canary"')),
    ("equal messages, the last wrong", raw(b'"messages":[]')),
    ("empty model", encoded(model="")),
    ("long model", encoded(model="m" * 257)),
    ("no messages", encoded(messages=[])),
    ("2,049 messages", encoded(messages=[{"role": "user", "content": ""}] * 2049)),
    ("150,000 messages", encoded(messages=[{"role": "user", "content": ""}] * 150_000)),
    ("1,025 parts", _message(role="user", content=[{"type": "text", "text": ""}] * 1025)),
    ("unknown role", _message(role=CANARY, content="")),
    ("no role", _message(content=CANARY)),
    ("two roles", b'{"model":"m","messages":[{"role":"user","role":"hunter2-canary","content":""}]}'),
    ("user without content", _message(role="user")),
    ("user with null content", _message(role="user", content=None)),
    ("tool without id", _message(role="tool", content=CANARY)),
    ("unknown part", _part(type=CANARY)),
    ("part without type", _part(text=CANARY)),
    ("image in a system message", _message(role="system", content=[{"type": "image_url", "image_url": {"url": "data:,"}}])),
    ("remote image", _part(type="image_url", image_url={"url": "http://169.254.169.254/hunter2-canary"})),
    ("local image", _part(type="image_url", image_url={"url": "file:///etc/hunter2-canary"})),
    ("image in disguise", _part(type="image_url", image_url={"url": " data:,http://hunter2-canary"})),
    ("remote sound", _part(type="input_audio", input_audio={"data": "http://hunter2-canary", "format": "wav"})),
    ("remote file", _part(type="file", file={"file_data": "https://hunter2-canary"})),
    ("another's file", _part(type="file", file={"file_id": "file-hunter2-canary"})),
    ("temperature above 2", encoded(temperature=2.1)),
    ("no tokens", encoded(max_tokens=0)),
    ("negative tokens", encoded(max_completion_tokens=-1)),
    ("17 stops", encoded(stop=["x"] * 17)),
    ("129 tools", encoded(tools=[{"type": "function", "function": {"name": "f"}}] * 129)),
    ("17 metadata", encoded(metadata={f"hunter2-canary{i}": "" for i in range(17)})),
    ("long metadata", encoded(metadata={"a": CANARY * 40})),
    ("logit bias out of range", encoded(logit_bias={"1": 101})),
    ("stream options without stream", encoded(stream_options={"include_usage": True})),
    ("two constraints", encoded(structured_outputs={"regex": CANARY, "choice": [CANARY]})),
    ("no constraint", encoded(structured_outputs={})),
    ("long regular expression", encoded(structured_outputs={"regex": CANARY * 100})),
    ("large schema", encoded(structured_outputs={"json": {"a": CANARY * 5000}})),
    ("schema of depth 17", raw(b'"structured_outputs":{"json":' + _nested(b'{"a":', 17, b"}", core=b"1") + b"}")),
    (
        "large schemas together",
        encoded(tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": "x" * 60_000}}}] * 6),
    ),
    ("schema that is an array", encoded(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": []}})),
    ("400,000 logit biases", encoded(logit_bias={str(i): 1 for i in range(400_000)})),
]

_UNSUPPORTED: list[tuple[str, bytes]] = [
    *((f"{name}", encoded(**{name: value})) for name, value in [
        ("priority", 1), ("cache_salt", CANARY), ("request_id", CANARY), ("session_id", CANARY), ("chat_template", CANARY),
        ("vllm_xargs", {}), ("kv_transfer_params", {}), ("truncate_prompt_tokens", 1), ("ignore_eos", True), ("min_tokens", 9),
        ("prompt_logprobs", 1), ("stream_interval", 9), ("return_prompt_text", True), ("return_token_ids", True),
        ("guided_json", {}), ("guided_choice", []), ("guided_regex", CANARY), ("guided_grammar", CANARY), ("echo", True),
        ("add_generation_prompt", False), ("continue_final_message", True), ("add_special_tokens", True), ("documents", []),
        ("mm_processor_kwargs", {}), ("media_io_kwargs", {}), ("use_beam_search", True), ("length_penalty", 1.0),
        ("api_key", CANARY), ("base_url", CANARY), ("extra_body", {}), ("__proto__", {}), ("", 1), ("Model", CANARY),
    ]),
    ("a field of 100,000 characters", encoded(**{"x" * 100_000: 1})),
    ("a field that is not ASCII", encoded(**{"h\u00e4\u202e\n\x00": 1})),
    ("a field that quotes the decoder", encoded(**{"x` - at `$.model": 1})),
    ("depth 10,000 in an unknown field", raw(b'"x":' + _nested(b"[", 10_000, b"]"))),
    ("in a message", _message(role="user", content="", priority=CANARY)),
    ("in a part", _part(type="text", text="", cache_salt=CANARY)),
    ("in an image", _part(type="image_url", image_url={"url": "data:,", "uuid": CANARY})),
    ("in a tool", encoded(tools=[{"type": "function", "function": {"name": "f"}, "defer_loading": True}])),
    ("in stream options", encoded(stream=True, stream_options={"include_all": True})),
    ("in structured outputs", encoded(structured_outputs={"regex": "a", "_backend": CANARY})),
    ("in a response format", encoded(response_format={"type": "text", "schema": {}})),
]  # fmt: skip

HOSTILE: list[Hostile] = [
    *(Hostile(name, body, "invalid_json") for name, body in _NOT_JSON),
    *(Hostile(name, body, "invalid_field") for name, body in _BAD_FIELDS),
    *(Hostile(f"unsupported: {name}", body, "unsupported_field") for name, body in _UNSUPPORTED),
    Hostile("5 MB of options", encoded(user=CANARY * 375_000), "invalid_field", "request_too_large"),
    Hostile(
        "5 MB of messages", encoded(messages=[{"role": "user", "content": "x"}] * 170_000), "invalid_field", "request_too_large"
    ),
    Hostile("5 MB of brackets", raw(b'"x":' + _nested(b"[", 2_500_000, b"]")), "invalid_field", "request_too_large"),
    *wrong_types(deep=False),
]

_TAKEN: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
HARMLESS: list[Harmless] = [
    Harmless("equal keys: the last counts", raw(b'"n":1,"n":2'), {**_TAKEN, "n": 2}),
    Harmless(
        "equal keys in a schema: the last counts",
        raw(b'"chat_template_kwargs":{"a":1,"a":2}'),
        {**_TAKEN, "chat_template_kwargs": {"a": 2}},
    ),
    Harmless("escaped key", raw(b'"\\u006e":1'), {**_TAKEN, "n": 1}),
    Harmless("space everywhere", b" \n\t" + raw(b'"n" \n:\r\n 1 ') + b" \n" * 1000, {**_TAKEN, "n": 1}),
    Harmless("NUL in text", raw(b'"user":"\\u0000"'), {**_TAKEN, "user": "\0"}),
    Harmless("surrogate pair", raw(b'"user":"\\ud83d\\ude00"'), {**_TAKEN, "user": "\U0001f600"}),
    Harmless("text that looks like the end", encoded(user='"}]}\\'), {**_TAKEN, "user": '"}]}\\'}),
    Harmless("brackets in text", encoded(user="[{" * 100), {**_TAKEN, "user": "[{" * 100}),
    Harmless(
        "depth 64",
        raw(b'"chat_template_kwargs":{"a":' + _nested(b"[", 63, b"]") + b"}"),
        {**_TAKEN, "chat_template_kwargs": {"a": msgspec.json.decode(_nested(b"[", 63, b"]"))}},
    ),
    Harmless(
        "1,000 digits in a schema",
        raw(b'"chat_template_kwargs":{"a":' + b"9" * 1000 + b"}"),
        {**_TAKEN, "chat_template_kwargs": {"a": 10**1000 - 1}},
    ),
    Harmless(
        "4 MB of text",
        encoded(messages=[{"role": "user", "content": "x" * 4_000_000}]),
        {"model": "m", "messages": [{"role": "user", "content": "x" * 4_000_000}]},
    ),
]
