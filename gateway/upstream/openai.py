"""Servers that speak OpenAI's wire: one client for kinds `openai`, `vllm` and `fake`; they differ in what is sent.

Invariants
- What is sent is what was validated: the request is encoded again, never relayed.
- Nothing of the upstream's text reaches a caller, but a 400 about a field that the caller set (`gateway.upstream.refusal`).
- A stream ends at the end of its body or at `[DONE]`; whether every choice finished is the pipeline's question.
- Leaving early closes the connection, which makes the server stop generating.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncGenerator, Callable
from types import TracebackType

import msgspec
from msgspec import UNSET

from gateway.errors import ClientError, Unavailable, UpstreamFailed, UpstreamTimeout
from gateway.exchange.evidence import Attempt
from gateway.http.contract import HttpBroken, HttpClient, HttpError, HttpRequest, HttpResponse, HttpTimeout, HttpUnreachable
from gateway.upstream.contract import Call
from gateway.upstream.refusal import MAX_REFUSAL_BYTES, read_refusal
from gateway.upstream.slots import Slots
from gateway.upstream.stream import AnswerStream
from gateway.wire.answer import Body, WireError, read_completion
from gateway.wire.chat import ChatRequest
from gateway.wire.option import StreamOptions

PATH = "/chat/completions"
OK = 200
FIELDS = frozenset(ChatRequest.__struct_encode_fields__)

_encode = msgspec.json.Encoder().encode
_WITH_USAGE = StreamOptions(include_usage=True)


class OpenAIUpstream:
    """A server that speaks OpenAI's chat completions.

    `encode` makes the body for its kind: `encode_openai` here, `gateway.upstream.vllm.encode_vllm`.
    """

    def __init__(self, name: str, client: HttpClient, *, slots: Slots, encode: Callable[[Call], bytes]) -> None:
        self._name = name
        self._client = client
        self._slots = slots
        self._encode = encode

    @property
    def name(self) -> str:
        """The upstream's name in gateway.toml."""
        return self._name

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def ping(self, deadline: float) -> None:
        """Ask the server for its models; raises as `send` does when it does not answer or refuses our key."""
        try:
            async with self._client.send(HttpRequest("GET", "/models", {}), deadline=deadline) as response:
                if response.status != OK:
                    raise await _refusal(response)
        except HttpError as error:
            raise failure(error) from error

    async def send(self, call: Call) -> AsyncGenerator[list[Body], None]:
        """Yield the answer; see `gateway.upstream.contract.Upstream`."""
        with self._slots, Dispatch(call, self._name) as attempt:
            attempt.sent = self._encode(call)
            request = HttpRequest("POST", PATH, {"x-request-id": call.exchange_id}, attempt.sent)
            async with self._client.send(request, deadline=call.deadline) as response:
                attempt.status = response.status
                if response.status != OK:
                    raise await _refusal(response)
                if not call.request.stream:
                    data = await response.read()
                    call.evidence.answer.add(data)
                    yield [read_completion(data)]
                    return
                stream = AnswerStream()
                async for data in response.reads():
                    call.evidence.answer.add(data)
                    if bodies := stream.feed(data):
                        yield bodies
                    if stream.done or stream.problem:
                        break
                stream.end()
                if stream.problem:
                    raise UpstreamFailed("The model's server failed in mid-stream.", reason=stream.problem)


class Dispatch:
    """One attempt as the evidence tells it; failures of the network and of the wire become errors of ours."""

    __slots__ = ("_attempt",)

    def __init__(self, call: Call, upstream: str) -> None:
        self._attempt = call.evidence.attempt(upstream, call.model)

    def __enter__(self) -> Attempt:
        return self._attempt

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        attempt = self._attempt
        attempt.ended = time.perf_counter_ns()
        ours = error
        if isinstance(error, HttpError):
            ours = failure(error)
        elif isinstance(error, WireError):
            ours = UpstreamFailed("The model's server sent an answer that cannot be read.", reason=str(error))
        if isinstance(ours, ClientError):
            attempt.error, attempt.reason = ours.code, ours.reason
            if ours is not error:
                raise ours from error


def encode_openai(call: Call) -> bytes:
    """Return the body for a server of kind `openai`: the caller's fields, our limit, usage asked for in any case.

    A caller's `prompt_cache_key` is bound to its tenant, so that no tenant reaches another's prefix cache.
    """
    request = call.request
    key = request.prompt_cache_key
    return _encode(
        msgspec.structs.replace(
            request,
            model=call.model,
            prompt_cache_key=bound(call.cache_salt, key) if isinstance(key, str) else key,
            stream_options=stream_options(request),
            chat_template_kwargs=UNSET,
            **limits(call),
        )
    )


def limits(call: Call) -> dict[str, object]:
    """Return the fields that carry the output limit: the caller's own where it used the old one, the current one otherwise."""
    if isinstance(call.request.max_tokens, int) and not isinstance(call.request.max_completion_tokens, int):
        return {"max_tokens": call.max_tokens, "max_completion_tokens": UNSET}
    return {"max_tokens": UNSET, "max_completion_tokens": call.max_tokens}


def stream_options(request: ChatRequest) -> StreamOptions | msgspec.UnsetType:
    """Return the caller's options with usage always asked for: it is counted whether or not the caller wants to see it."""
    if not request.stream:
        return UNSET
    given = request.stream_options
    return msgspec.structs.replace(given, include_usage=True) if isinstance(given, StreamOptions) else _WITH_USAGE


def bound(salt: str, key: str) -> str:
    """Return a value that is equal for equal keys of one tenant and tells nothing of either."""
    return hmac.digest(salt.encode(), key.encode(), hashlib.sha256).hex()[:32]


def failure(error: HttpError) -> ClientError:
    """Return what a caller is told of a failure of the network."""
    match error:
        case HttpUnreachable():
            return Unavailable(
                "The model's server cannot be reached.", code="upstream_unavailable", retry_after=1.0, reason="unreachable"
            )
        case HttpTimeout():
            return UpstreamTimeout("The model's server did not answer in time.", reason="timeout")
        case HttpBroken():
            return UpstreamFailed("The model's server broke off its answer.", reason=f"broken: {error}")
        case _:
            return UpstreamFailed("The model's server failed.", reason=type(error).__name__)


async def _refusal(response: HttpResponse) -> ClientError:
    body = b""
    try:
        async for data in response.reads():
            body += data
            if len(body) > MAX_REFUSAL_BYTES:
                break
    except HttpError:
        # The status says enough; the rest of the body would only have named the field.
        body = b""
    return read_refusal(response.status, response.headers, body, fields=FIELDS)
