"""What a prompt adds to an exchange: `python -m tests.bench.prompt_in_place` prints both and the difference.

The whole gateway runs in this process, log and payloads included, 64 exchanges at once over an upstream that answers at once. In
turn it is sent a call of a prompt over eight documents, and the very messages that the prompt makes of them. Times are CPU time
of the event loop's thread for an exchange; each pass measures both, the difference is the median of the passes' own.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from gateway.http.contract import HttpRequest
from gateway.upstream.openai import OpenAIUpstream, encode_openai
from gateway.upstream.slots import Slots
from tests.asgi import Client
from tests.bench.bodies import completion
from tests.bench.prompt import BODY, VALUES
from tests.bench.stats import Figure
from tests.gatehouse import Gatehouse
from tests.prompt.shelf import put, seal

PATH = "/v1/chat/completions"
AT_ONCE = 64
ROUNDS = 50
PASSES = 15
MOST = 30.0
"""µs that resolving and rendering may add."""
FRONT = """---
metadata: {gateway: {contract: 1}}
model: {id: chat, options: {temperature: 0.2}}
inputs:
  - {name: question, kind: string}
  - {name: documents, kind: array, items: {kind: object, properties: [{name: title, kind: string}, {name: text, kind: string}]}}
---
"""


class Answer:
    """One answer, there at once."""

    status = 200
    headers: Mapping[str, str] = {}

    async def reads(self) -> AsyncIterator[bytes]:
        """Yield the whole body."""
        yield _COMPLETION

    async def read(self) -> bytes:
        """Return the whole body."""
        return _COMPLETION


class Canned:
    """A client whose server answers at once; `sent` is the last request's body."""

    def __init__(self) -> None:
        self.sent = b""

    @asynccontextmanager
    async def send(self, request: HttpRequest, *, deadline: float) -> AsyncIterator[Answer]:  # noqa: ARG002  # the seam's
        """Answer."""
        self.sent = request.body
        yield Answer()

    async def close(self) -> None:
        """Close nothing."""


_COMPLETION = completion()


async def spend(client: Client, body: bytes, *, rounds: int) -> float:
    """Return the µs of this thread for an exchange."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_message: object) -> None:
        """Pass over the answer."""

    async def ask() -> None:
        for _ in range(rounds):
            await client.app(client.scope("POST", PATH, {"content-type": "application/json"}), receive, send)

    began = time.thread_time_ns()
    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return (time.thread_time_ns() - began) / rounds / AT_ONCE / 1000


async def compare(client: Client, canned: Canned, *, rounds: int, passes: int) -> dict[str, Figure]:
    """Return the figures of both kinds of exchange and of their difference."""
    call = msgspec.json.encode({"model": "prompt/bench/answer", "prompt": {"variables": VALUES}})
    await spend(client, call, rounds=2)
    rendered = msgspec.json.decode(canned.sent)["messages"]
    plain = msgspec.json.encode({"model": "chat", "messages": rendered, "temperature": 0.2})
    await spend(client, plain, rounds=2)
    gc.collect()
    gc.freeze()
    pairs = []
    for number in range(passes):
        kinds = [plain, call] if number % 2 else [call, plain]
        spent = {body: await spend(client, body, rounds=rounds) for body in kinds}
        pairs.append((spent[plain], spent[call]))
    return {
        "messages": Figure.of([each for each, _ in pairs]),
        "prompt": Figure.of([each for _, each in pairs]),
        "difference": Figure.of([with_prompt - without for without, with_prompt in pairs]),
    }


def main(rounds: int = ROUNDS, passes: int = PASSES) -> int:
    """Measure and print; returns 1 where a prompt adds more than it may."""
    canned = Canned()
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder) / "prompts", "bench/answer/v1.prompty", FRONT + BODY)
        put(Path(folder) / "prompts", "bench/answer/labels.yaml", "production: v1\n")
        seal(Path(folder) / "prompts")
        gatehouse = Gatehouse(Path(folder))

        async def test(client: Client) -> None:
            gatehouse.application.upstreams["fake"] = OpenAIUpstream("fake", canned, slots=Slots(256), encode=encode_openai)
            figures.update(await compare(client, canned, rounds=rounds, passes=passes))

        gatehouse.run(test)
    print(f"{'µs an exchange':32}{'median':>9}{'min..max':>18}{'may cost':>10}")
    for name, figure in figures.items():
        most = f"{MOST:g}" if name == "difference" else "-"
        print(f"{name:32}{figure.median:9.2f}{f'{figure.low:.2f}..{figure.high:.2f}':>18}{most:>10}")
    return int(figures["difference"].median > MOST)


if __name__ == "__main__":
    sys.exit(main())
