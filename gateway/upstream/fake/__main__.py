"""`python -m gateway.upstream.fake`: the fake as a server of its own; prints `ready URL` when it listens."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

import uvloop

from gateway.upstream.fake.behaviour import Behaviour, Character
from gateway.upstream.fake.server import serving


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m gateway.upstream.fake", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port (default)")
    parser.add_argument("--api-key", default="", help="wanted as 'Authorization: Bearer KEY' (default: none)")
    parser.add_argument("--model", action="append", default=[], help="a model that exists; again for more (default: any)")
    parser.add_argument("--context-window", type=int, default=131_072, help="in tokens")
    parser.add_argument("--directive", default="", help='followed by requests without their own, as "delay=0.2 gap=0.02"')
    options = parser.parse_args(arguments)
    character = Character(
        api_key=options.api_key,
        models=tuple(options.model),
        context_window=options.context_window,
        directive=options.directive,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(character, host=options.host, port=options.port))


async def _serve(character: Character, *, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serving(Behaviour(character), host=host, port=port) as url:
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    main()
