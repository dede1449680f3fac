"""From settings to upstreams."""

import pytest

from gateway.http.client import AiohttpClient
from gateway.settings.tree import UpstreamServer
from gateway.upstream.build import build_upstream
from gateway.upstream.fake.client import FakeClient
from gateway.upstream.openai import encode_openai
from gateway.upstream.vllm import encode_vllm

URL = "http://127.0.0.1:1/v1"


def test_every_kind_has_its_client_and_encoding() -> None:
    built = {
        kind: build_upstream("u", UpstreamServer(kind=kind, base_url=URL), api_key=None) for kind in ("vllm", "openai", "fake")
    }
    assert {kind: type(upstream._client) for kind, upstream in built.items()} == {
        "vllm": AiohttpClient,
        "openai": AiohttpClient,
        "fake": FakeClient,
    }
    assert {kind: upstream._encode for kind, upstream in built.items()} == {
        "vllm": encode_vllm,
        "openai": encode_openai,
        "fake": encode_openai,
    }


def test_the_key_is_sent_as_a_bearer_and_only_where_there_is_one() -> None:
    settings = UpstreamServer(kind="openai", base_url=URL)
    with_key, without = (build_upstream("u", settings, api_key=key)._client for key in ("k", None))
    assert isinstance(with_key, AiohttpClient)
    assert isinstance(without, AiohttpClient)
    assert with_key._headers == {"content-type": "application/json", "authorization": "Bearer k"}
    assert without._headers == {"content-type": "application/json"}


@pytest.mark.parametrize(("workers", "places"), [(1, 10), (2, 5), (3, 3), (64, 1)])
def test_places_are_divided_among_workers(workers: int, places: int) -> None:
    upstream = build_upstream("u", UpstreamServer(kind="openai", base_url=URL, max_in_flight=10), api_key=None, share=workers)
    assert upstream._slots.limit == places
