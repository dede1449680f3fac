"""Runs a prompt's cases against a gateway and judges the answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gateway.cli.prompts.sending import Json, Reply, Sender
from gateway.prompt.case.assertion import Answered
from gateway.prompt.case.cases import Case
from gateway.wire.answer import WireError, read_completion, usage_of

OK: Final = 200
MILLISECONDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Judged:
    """An assertion, shown on one line, and what is wrong; nothing where it holds."""

    shown: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Ran:
    """A case that was run: `error` says why there is no answer to judge; `milliseconds` until the answer was whole."""

    case: str
    error: str
    judged: tuple[Judged, ...]
    input_tokens: int | None
    output_tokens: int | None
    milliseconds: float

    @property
    def ok(self) -> bool:
        """Tell whether there was an answer and everything that is expected of it holds."""
        return not self.error and not any(each.wrong for each in self.judged)


@dataclass(frozen=True, slots=True)
class Target:
    """A version of a prompt, `v2` or `draft`; `route` where another one than the prompt's own is to answer."""

    id: str
    version: str
    route: str | None = None

    def request(self, case: Case) -> Json:
        """Return the request that a caller of the prompt would send."""
        called: Json = {"variables": case.variables}
        body: Json = {"model": f"prompt/{self.id}@{self.version}", "prompt": called}
        if self.route is not None:
            body = {"model": self.route, "prompt": {"id": self.id, "version": self.version, **called}}
        return body if case.messages is None else {**body, "messages": case.messages}


async def run_case(case: Case, target: Target, sender: Sender, *, clock: Callable[[], float] = time.monotonic) -> Ran:
    """Ask once and judge; raises `SettingsError` where the gateway cannot be reached at all."""
    began = clock()
    reply = await sender.post(target.request(case))
    seconds = clock() - began
    try:
        text, used = _answer(reply)
    except WireError as error:
        return Ran(case.name, str(error), (), None, None, seconds * MILLISECONDS)
    answered = Answered(text, used[1], seconds)
    judged = tuple(Judged(each.shown, each.judge(answered)) for each in case.expect)
    return Ran(case.name, "", judged, *used, milliseconds=seconds * MILLISECONDS)


def _answer(reply: Reply) -> tuple[str, tuple[int | None, int | None]]:
    """Return the answer's text and its tokens, of input and output; raises `WireError` with what came instead."""
    if reply.status != OK:
        raise WireError(_refusal(reply))
    body = read_completion(reply.body)
    usage = usage_of(body)
    content = body["choices"][0]["message"].get("content") or ""
    return content, (None, None) if usage is None else (usage.input, usage.output)


def _refusal(reply: Reply) -> str:
    try:
        error: Any = msgspec.json.decode(reply.body, type=dict[str, Any]).get("error")
    except msgspec.MsgspecError:
        error = None
    if not isinstance(error, dict):
        return f"status {reply.status}"
    place = f" ({error['param']})" if error.get("param") else ""
    return f"{reply.status} {error.get('code')}: {error.get('message')}{place}"
