"""Which counter a route gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import SettingsError
from gateway.http.contract import HttpClient, HttpRequest
from gateway.settings.tree import Settings
from gateway.tokens.bound import bound
from gateway.tokens.build import Counters, build_counters, root_of, tokenize_client
from gateway.tokens.contract import Counter
from tests.tokens.samples import messages as read
from tests.tokens.samples import said, user
from tests.tokens.server import Server, counted

UPSTREAMS: dict[str, Any] = {
    "vllm-a": {"kind": "vllm", "base_url": "http://127.0.0.1:1/v1"},
    "vllm-b": {"kind": "vllm", "base_url": "http://127.0.0.1:2/v1"},
    "openai": {"kind": "openai", "base_url": "http://127.0.0.1:3/v1"},
    "fake": {"kind": "fake"},
}

BOUNDED = "routes.chat: tokens are bounded, not counted: "
NAME_ONE = "Name an encoding or a tokenizer.json as the route's tokenizer"


def settings(tokenizer: str, *legs: tuple[str, str]) -> Settings:
    route = {"upstreams": [{"name": name, "model": model} for name, model in legs], "tokenizer": tokenizer}
    return Settings.model_validate({"upstreams": UPSTREAMS, "routes": {"chat": route}})


@asynccontextmanager
async def built(given: Settings, *, environ: dict[str, str] | None = None, **servers: Server) -> AsyncIterator[Counters]:
    clients: dict[str, HttpClient] = {"vllm-a": Server(counted(41)), "vllm-b": Server(counted(42))}
    clients |= {name.replace("_", "-"): server for name, server in servers.items()}
    counters = build_counters(given, clients=clients, environ=environ or {})
    async with aclosing(_Closing(counters)):
        yield counters


class _Closing:
    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    async def aclose(self) -> None:
        await self._counters.close()


async def described(given: Settings, **environ: str) -> tuple[str, bool, tuple[str, ...]]:
    """Return name and exactness of the counter of a route, and the sentences of `check`."""
    async with built(given, environ=environ) as counters:
        sentences = await counters.load()
        counter: Counter = counters.of("chat")
        return counter.name, counter.exact, sentences


@pytest.mark.parametrize(
    ("tokenizer", "legs", "name", "exact"),
    [
        ("auto", [("vllm-a", "tiny")], "upstream", True),
        ("auto", [("vllm-a", "tiny"), ("vllm-b", "tiny")], "upstream", True),
        ("auto", [("vllm-a", "tiny"), ("vllm-b", "large")], "upstream, upstream", False),
        ("auto", [("fake", "any")], "fake", True),
        ("auto", [("openai", "gpt-4o")], "o200k_base", True),
        ("auto", [("openai", "ft:gpt-4o:acme")], "o200k_base", True),
        ("auto", [("openai", "gpt-5")], "o200k_base", False),
        ("auto", [("openai", "gpt-4o"), ("vllm-a", "tiny")], "o200k_base, upstream", False),
        ("upstream", [("vllm-a", "tiny")], "upstream", True),
        ("upstream", [("fake", "any")], "fake", True),
        ("cl100k_base", [("vllm-a", "tiny")], "cl100k_base", False),
        ("cl100k_base", [("openai", "gpt-4")], "cl100k_base", True),
        ("cl100k_base", [("openai", "gpt-4"), ("fake", "any")], "cl100k_base", False),
    ],
)
def test_a_route_is_counted_as_its_servers_count(tokenizer: str, legs: list[tuple[str, str]], name: str, exact: bool) -> None:
    assert asyncio.run(described(settings(tokenizer, *legs))) == (name, exact, ())


def test_a_model_that_is_not_known_is_bounded_with_a_sentence() -> None:
    assert asyncio.run(described(settings("auto", ("openai", "mistral-large")))) == (
        "bound",
        False,
        (f"{BOUNDED}no tokenizer is known for mistral-large at openai. {NAME_ONE}",),
    )


def test_a_missing_table_is_a_sentence(tmp_path: Path) -> None:
    # litellm's package, where the tables lie, does not ship this one.
    name, exact, [sentence] = asyncio.run(described(settings("r50k_base", ("openai", "x")), TIKTOKEN_CACHE_DIR=str(tmp_path)))
    assert (name, exact) == ("bound", False)
    assert sentence.startswith("routes.chat: tokens are bounded, not counted: the table of r50k_base is not on this machine.")


def test_a_missing_tokenizer_json_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    name, exact, [sentence] = asyncio.run(described(settings(str(path), ("vllm-a", "tiny"))))
    assert (name, exact) == ("bound", False)
    assert sentence == f"routes.chat: tokens are bounded, not counted: {path} cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("tokenizer", "legs", "sentence"),
    [
        (
            "gpt-4",
            [("vllm-a", "tiny")],
            r'routes\.chat\.tokenizer: must be "auto", "upstream", the path of a tokenizer\.json, or',
        ),
        ("upstream", [("openai", "gpt-4o")], r'routes\.chat\.tokenizer: "upstream" needs .* openai is of kind openai'),
        ("upstream", [("vllm-a", "tiny"), ("openai", "gpt-4o")], r"openai is of kind openai"),
    ],
)
def test_a_tokenizer_that_is_none_is_refused(tokenizer: str, legs: list[tuple[str, str]], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        asyncio.run(described(settings(tokenizer, *legs)))


def test_the_servers_of_one_model_stand_in_for_one_another() -> None:
    async def scene() -> tuple[int, int]:
        given = settings("auto", ("vllm-a", "tiny"), ("openai", "gpt-4o"), ("vllm-b", "tiny"))
        async with built(given, vllm_a=Server(counted(9999)), vllm_b=Server(counted(5))) as counters:
            largest = await counters.of("chat").messages(user("hello"))
        async with built(settings("auto", ("vllm-b", "tiny"))) as counters:
            return largest, await counters.of("chat").messages(user("hello"))

    assert asyncio.run(scene()) == (9999, 42)


def test_openai_s_published_example_is_counted_as_published() -> None:
    example = read(
        said("system", "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."),
        said("system", "New synergies will help drive top-line growth.", name="example_user"),
        said("system", "Things working well together will increase revenue.", name="example_assistant"),
        said(
            "system",
            "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
            name="example_user",
        ),
        said("system", "Let's talk later when we're less busy about how to do better.", name="example_assistant"),
        said("user", "This late pivot means we don't have time to boil the ocean for the client deliverable."),
    )

    async def counts() -> list[int]:
        found = []
        for model in ("gpt-4", "gpt-4o"):
            async with built(settings("auto", ("openai", model))) as counters:
                found.append(await counters.of("chat").messages(example))
        return [int(count) for count in found]

    assert asyncio.run(counts()) == [129, 124]


def test_routes_share_a_tokenizer_and_what_it_has_loaded() -> None:
    def route(*legs: str) -> dict[str, Any]:
        return {"upstreams": [{"name": "openai", "model": leg} for leg in legs]}

    given = Settings.model_validate({"upstreams": UPSTREAMS, "routes": {"a": route("gpt-4o"), "b": route("gpt-4o-mini")}})

    async def scene() -> None:
        async with built(given) as counters:
            await counters.load()
            first, second = counters._built["a"].tokenizers, counters._built["b"].tokenizers
            assert first[0] is second[0]

    asyncio.run(scene())


def test_two_tables_that_are_missing_on_one_route_are_told_once_each(tmp_path: Path) -> None:
    legs = [("openai", "davinci"), ("openai", "curie"), ("openai", "nobody-knows")]
    _, _, sentences = asyncio.run(described(settings("auto", *legs), TIKTOKEN_CACHE_DIR=str(tmp_path)))
    assert len(sentences) == 2


def test_nothing_is_read_or_asked_before_it_is_needed() -> None:
    server = Server(counted(5))

    async def scene() -> None:
        async with built(settings("/nowhere/tokenizer.json", ("vllm-a", "tiny")), vllm_a=server) as counters:
            counter = counters.of("chat")
            assert counter.name == "/nowhere/tokenizer.json"
            assert await counter.messages(user("hello")) == bound(user("hello"))
            assert counter.name == "bound"

    asyncio.run(scene())
    assert server.asked == []


def test_closing_closes_the_clients() -> None:
    server = Server(counted(5))

    async def scene() -> None:
        async with built(settings("auto", ("vllm-a", "tiny")), vllm_a=server):
            pass

    asyncio.run(scene())
    assert server.closed


@pytest.mark.parametrize(
    ("base_url", "root"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
        ("https://gpu.example/team/v1", "https://gpu.example/team"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_a_server_s_root_is_where_its_v1_is(base_url: str, root: str) -> None:
    assert root_of(base_url) == root


@pytest.mark.parametrize(("key", "line"), [("secret", b"authorization: Bearer secret"), (None, b"")])
def test_a_server_is_asked_at_its_root_with_our_key(key: str | None, line: bytes) -> None:
    seen = bytearray()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        writer.close()

    async def scene() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        upstream = (
            settings("auto", ("vllm-a", "tiny"))
            .upstreams["vllm-a"]
            .model_copy(update={"base_url": f"http://127.0.0.1:{port}/v1"})
        )
        client = tokenize_client(upstream, key)
        with suppress(asyncio.CancelledError):
            deadline = asyncio.get_running_loop().time() + 10
            async with client.send(HttpRequest("POST", "/tokenize", {}, b"{}"), deadline=deadline) as response:
                assert response.status == 200
        await client.close()
        server.close()
        await server.wait_closed()

    asyncio.run(scene())
    assert seen.startswith(b"POST /tokenize HTTP/1.1\r\n")
    assert line.lower() in bytes(seen).lower()
    assert (b"authorization" in bytes(seen).lower()) == bool(key)
