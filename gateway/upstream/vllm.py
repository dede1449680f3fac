"""What a vLLM server is sent."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from gateway.upstream.contract import Call
from gateway.upstream.openai import limits, stream_options

_encode = msgspec.json.Encoder().encode


def encode_vllm(call: Call) -> bytes:
    """Return the body for a server of kind `vllm`: what it understands of the caller's fields, and a salt for its prefix cache.

    Fields that only OpenAI's own service knows are left out; vLLM would ignore them.
    """
    request = call.request
    body = _encode(
        msgspec.structs.replace(
            request,
            model=call.model,
            stream_options=stream_options(request),
            metadata=UNSET,
            moderation=UNSET,
            prediction=UNSET,
            prompt_cache_key=UNSET,
            prompt_cache_options=UNSET,
            prompt_cache_retention=UNSET,
            safety_identifier=UNSET,
            service_tier=UNSET,
            store=UNSET,
            user=UNSET,
            web_search_options=UNSET,
            **limits(call),
        )
    )
    # Not a field that a caller may set, so not one of ChatRequest; the salt is hexadecimal and needs no escapes.
    return body[:-1] + b',"cache_salt":"' + call.cache_salt.encode() + b'"}'
