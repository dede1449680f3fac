"""A process that appends until it is killed: `python -m tests.audit.appender STORE FIRST [early]`.

For each entry that was acknowledged it writes one line to stdout: its exchange's number, "begin" or "end", index and leaf hash.
With `early` it writes the line before the entry is durable: the control, which must be found out.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from gateway.audit.batch import Pending
from gateway.audit.contract import Unwatched
from gateway.audit.log import AuditLog
from gateway.audit.opening import Writing, open_audit
from tests.audit.entries import begin, end, exchange_id

CLIENTS = 16


async def append(log: AuditLog, numbers: itertools.count[int], *, early: bool) -> None:
    def say(number: int, kind: str, pending: Pending) -> None:
        os.write(1, f"{number} {kind} {pending.index} {pending.leaf_hash.hex()}\n".encode())

    async def client() -> None:
        for number in numbers:
            first = log.append(begin(exchange_id(number)))
            if early:
                say(number, "begin", first)
            await first
            if not early:
                say(number, "begin", first)
            last = log.append(end(exchange_id(number), first.index))
            if early:
                say(number, "end", last)
            await last
            if not early:
                say(number, "end", last)

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())


def main() -> None:
    log = open_audit(Path(sys.argv[1]), Writing("gatehouse", "gatehouse/0.1.0"), payloads=None, watcher=Unwatched())
    asyncio.run(append(log, itertools.count(int(sys.argv[2])), early="early" in sys.argv[3:]))


if __name__ == "__main__":
    main()
