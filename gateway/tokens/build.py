"""From a route's settings to its counter: the one place that knows every kind.

`tokenizer` of a route says how its tokens are counted: "auto" as is known of its servers, "upstream" as they count themselves,
the name of one of OpenAI's encodings, or the path of a model's `tokenizer.json`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.errors import SettingsError
from gateway.http.client import AiohttpClient
from gateway.http.contract import HttpClient, HttpLimits
from gateway.settings.tree import Route, RouteUpstream, Settings, UpstreamServer
from gateway.tokens.bound import BoundCounter
from gateway.tokens.contract import Counter
from gateway.tokens.encodings import ENCODINGS, encoding_of, load_encoding, table_folders
from gateway.tokens.fake import FakeCounter
from gateway.tokens.frame import BOUND_FRAME, OPENAI_FRAME, Frame
from gateway.tokens.largest import Largest
from gateway.tokens.local import LocalCounter
from gateway.tokens.tokenizer import Encode, Tokenizer
from gateway.tokens.tokenizer_json import INLINE_CHARS, load_tokenizer_json
from gateway.tokens.vllm import VllmCounter

THREADS = 2
"""Counting uses at most so many threads: it is work for the processor, and others wait for theirs."""

CONNECTIONS = 8
"""Kept to each server that is asked for counts."""

_PUBLISHED = ("gpt-3.5-turbo", "gpt-35-turbo", "gpt-4")
"""Beginnings of the models for which OpenAI has published what stands around the texts."""


class Counters:
    """The counter of every route. `load` before the first request: loading takes the interpreter some 50 ms at a time."""

    def __init__(self, built: Mapping[str, Built], *, clients: Mapping[str, HttpClient], threads: ThreadPoolExecutor) -> None:
        self._built = built
        self._clients = clients
        self._threads = threads

    def of(self, route: str) -> Counter:
        """Return a route's counter."""
        return self._built[route].counter

    async def load(self) -> tuple[str, ...]:
        """Load every tokenizer; return a sentence for each route whose tokens are bounded and not counted."""
        for built in self._built.values():
            for tokenizer in built.tokenizers:
                await tokenizer.usable()
        return tuple(
            f"routes.{route}: tokens are bounded, not counted: {reason}"
            for route, built in self._built.items()
            for reason in built.reasons
        )

    async def close(self) -> None:
        """Close every connection and end the threads."""
        for client in self._clients.values():
            await client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Built:
    """A route's counter, the tokenizers in it, and why it cannot count, as far as that is known without loading."""

    counter: Counter
    tokenizers: tuple[Tokenizer, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the tokens of some of its servers are bounded; empty where all are counted."""
        problems = dict.fromkeys(tokenizer.problem for tokenizer in self.tokenizers)
        return (*self.unknown, *(problem for problem in problems if problem))


def build_counters(settings: Settings, *, clients: Mapping[str, HttpClient], environ: Mapping[str, str] = os.environ) -> Counters:
    """Return the counter of every route; nothing is read or asked yet.

    `clients` are those of the servers of kind vllm by name (`tokenize_client`); closing the counters closes them. Raises
    `SettingsError` where a route's `tokenizer` is none.
    """
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tokens")
    shelf = Shelf(threads, table_folders(environ))
    built = {
        name: build_counter(name, route, upstreams=settings.upstreams, clients=clients, shelf=shelf)
        for name, route in settings.routes.items()
    }
    return Counters(built, clients=clients, threads=threads)


def tokenize_client(upstream: UpstreamServer, api_key: str | None) -> HttpClient:
    """Return a client for a vLLM server's root, where `/tokenize` is; nothing is connected yet."""
    limits = HttpLimits(
        connect=upstream.connect_timeout,
        first_byte=upstream.first_byte_timeout,
        idle=upstream.idle_timeout,
        max_answer_bytes=upstream.max_answer_bytes,
    )
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return AiohttpClient(root_of(upstream.base_url), limits=limits, connections=CONNECTIONS, headers=headers)


def root_of(base_url: str) -> str:
    """Return the address of a server's root from that of its OpenAI-compatible part."""
    return base_url.removesuffix("/v1")


class Shelf:
    """The tokenizers of this process: each is made once, whatever number of routes count by it."""

    def __init__(self, threads: ThreadPoolExecutor, folders: tuple[Path, ...]) -> None:
        self._threads = threads
        self._folders = folders
        self._made: dict[str, Tokenizer] = {}

    def encoding(self, name: str) -> Tokenizer:
        """Return the tokenizer of one of OpenAI's encodings."""
        load: Callable[[], Encode] = partial(load_encoding, name, self._folders)
        return self._made.setdefault(name, Tokenizer(name, load, threads=self._threads))

    def file(self, path: str) -> Tokenizer:
        """Return the tokenizer of a `tokenizer.json`."""
        load: Callable[[], Encode] = partial(load_tokenizer_json, Path(path))
        made = Tokenizer(path, load, threads=self._threads, inline_chars=INLINE_CHARS, parts_exact=False)
        return self._made.setdefault(path, made)


def build_counter(
    name: str,
    route: Route,
    *,
    upstreams: Mapping[str, UpstreamServer],
    clients: Mapping[str, HttpClient],
    shelf: Shelf,
) -> Built:
    """Return a route's counter; see `build_counters`."""
    chosen = route.tokenizer
    if chosen in ENCODINGS:
        frame = _frame_of_all(route, upstreams)
        return _local(shelf.encoding(chosen), frame)
    if chosen.endswith(".json"):
        return _local(shelf.file(chosen), BOUND_FRAME)
    if chosen not in {"auto", "upstream"}:
        raise SettingsError(
            f'routes.{name}.tokenizer: must be "auto", "upstream", the path of a tokenizer.json, or one of {", ".join(ENCODINGS)}'
        )
    legs = _legs(name, route, upstreams=upstreams, clients=clients, shelf=shelf)
    if len(legs) == 1:
        return legs[0]
    return Built(
        Largest([leg.counter for leg in legs]),
        tuple(tokenizer for leg in legs for tokenizer in leg.tokenizers),
        tuple(reason for leg in legs for reason in leg.unknown),
    )


def _legs(
    name: str,
    route: Route,
    *,
    upstreams: Mapping[str, UpstreamServer],
    clients: Mapping[str, HttpClient],
    shelf: Shelf,
) -> list[Built]:
    """Return what the servers of a route count by, each kind once: those with the same model stand in for one another."""
    legs: dict[tuple[str, str], Built] = {}
    for leg in route.upstreams:
        kind = upstreams[leg.name].kind
        if kind == "fake":
            legs[kind, ""] = Built(FakeCounter())
        elif kind == "vllm":
            serving = [clients[other.name] for other in route.upstreams if _same(leg, other, upstreams)]
            legs[kind, leg.model] = Built(VllmCounter(serving, leg.model))
        elif route.tokenizer == "upstream":
            raise SettingsError(
                f'routes.{name}.tokenizer: "upstream" needs servers that count, and {leg.name} is of kind {kind}: '
                'use "auto" or name an encoding or a tokenizer.json'
            )
        else:
            legs[kind, leg.model] = _openai(leg, shelf)
    return list(legs.values())


def _same(leg: RouteUpstream, other: RouteUpstream, upstreams: Mapping[str, UpstreamServer]) -> bool:
    return other.model == leg.model and upstreams[other.name].kind == upstreams[leg.name].kind


def _openai(leg: RouteUpstream, shelf: Shelf) -> Built:
    encoding = encoding_of(leg.model)
    if encoding is None:
        reason = (
            f"no tokenizer is known for {leg.model} at {leg.name}. Name an encoding or a tokenizer.json as the route's tokenizer"
        )
        return Built(BoundCounter(), (), (reason,))
    return _local(shelf.encoding(encoding), _frame(leg))


def _local(tokenizer: Tokenizer, frame: Frame) -> Built:
    return Built(LocalCounter(tokenizer, frame), (tokenizer,))


def _frame(leg: RouteUpstream) -> Frame:
    return OPENAI_FRAME if leg.model.removeprefix("ft:").startswith(_PUBLISHED) else BOUND_FRAME


def _frame_of_all(route: Route, upstreams: Mapping[str, UpstreamServer]) -> Frame:
    """Return OpenAI's own figures where every server of a route is known to use them."""
    published = all(upstreams[leg.name].kind == "openai" and _frame(leg) is OPENAI_FRAME for leg in route.upstreams)
    return OPENAI_FRAME if published else BOUND_FRAME
