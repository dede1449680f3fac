"""From an upstream's settings to the upstream: the one place that knows every kind."""

from __future__ import annotations

from gateway.http.client import AiohttpClient
from gateway.http.contract import HttpClient, HttpLimits
from gateway.settings.tree import UpstreamServer
from gateway.upstream.openai import OpenAIUpstream, encode_openai
from gateway.upstream.slots import Slots
from gateway.upstream.vllm import encode_vllm


def build_upstream(name: str, settings: UpstreamServer, *, api_key: str | None, share: int = 1) -> OpenAIUpstream:
    """Return the upstream; `share` is the number of worker processes that divide its `max_in_flight` among them."""
    in_flight = max(1, settings.max_in_flight // share)
    return OpenAIUpstream(
        name,
        _client(settings, in_flight, api_key),
        slots=Slots(in_flight),
        encode=encode_vllm if settings.kind == "vllm" else encode_openai,
    )


def _client(settings: UpstreamServer, connections: int, api_key: str | None) -> HttpClient:
    if settings.kind == "fake":
        from gateway.upstream.fake.client import FakeClient  # noqa: PLC0415  # only a demonstration needs it

        return FakeClient(limits=_limits(settings))
    headers = {"content-type": "application/json"}
    if api_key:
        headers["authorization"] = f"Bearer {api_key}"
    return AiohttpClient(settings.base_url, limits=_limits(settings), connections=connections, headers=headers)


def _limits(settings: UpstreamServer) -> HttpLimits:
    return HttpLimits(
        connect=settings.connect_timeout,
        first_byte=settings.first_byte_timeout,
        idle=settings.idle_timeout,
        max_answer_bytes=settings.max_answer_bytes,
    )
