"""A request that names a prompt becomes the request that the prompt stands for.

Invariants
- The prompt's own fields win. A caller's value that differs from one is refused unless the version lists the field as
  overridable; then the caller's counts.
- What a caller sent is checked against the contract before anything is rendered, and counted where it differs.
- A request that was prepared holds no `prompt` any more: it is an ordinary chat request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from gateway.errors import Conflict, InvalidRequest
from gateway.exchange.caller import Caller
from gateway.exchange.prompt import LeftOut, PromptUse
from gateway.prompt.contract.contract import Drift, VariablesInvalid
from gateway.prompt.file.frontmatter import Budget
from gateway.prompt.fit import fit
from gateway.prompt.library.version import Version
from gateway.prompt.prompts import Chosen, Prompts
from gateway.prompt.reference import reference_of
from gateway.prompt.template.engine import Extent
from gateway.prompt.template.neutral import Rule, neutral_messages
from gateway.tokens.contract import Counter
from gateway.wire.chat import ChatRequest
from gateway.wire.message import Message, ToolMessage, UserMessage
from gateway.wire.prompt import PREFIX, PromptCall, read_variables
from gateway.wire.tool import Tool

LARGE: Final = 65_536
"""Bytes of variables from which they are read and rendered in a thread: a megabyte takes 4 ms, of short values 10."""
_UNLIMITED: Final = Budget()
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
"""Two names of one thing: a prompt that sets the first is contradicted by the second."""
_UNTRUSTED: Final = (UserMessage, ToolMessage)
"""What people and tools say, in a caller's own messages: the rest is the application's, and an answer may hold real ones."""


class Drifts(Protocol):
    """Whoever counts in what ways callers' variables differ from what a prompt takes."""

    def prompt_drift(self, prompt: str, drift: Sequence[Drift]) -> None:
        """Note the differences of one request."""


class Observer(Drifts, Protocol):
    """Whoever counts what callers send."""

    def control_tokens(self, route: str, rule: Rule, count: int) -> None:
        """Note control tokens of chat templates in one request."""


class Window(msgspec.Struct, frozen=True, gc=False):
    """What a route says of tokens: its context window if that is known, the most of it that an answer gets, who counts."""

    context: int | None
    output: int
    counter: Counter
    rule: Rule


def route_of(chosen: Chosen, request: ChatRequest) -> str:
    """Return the route that answers a prompt's request; raises `InvalidRequest` where prompt and caller name none, or two."""
    version = chosen.version
    asked = None if request.model.startswith(PREFIX) else request.model
    if version.route is None:
        if asked is None:
            raise InvalidRequest("This prompt names no model: name one in 'model', and the prompt in 'prompt.id'.", param="model")
        return asked
    if asked is None or asked == version.route:
        return version.route
    if "model" not in version.overridable:
        raise _set_by_prompt("model")
    return asked


def check_contract(chosen: Chosen, asked: str | None) -> None:
    """Raise `Conflict` (prompt_contract_mismatch) where the caller was made for another contract (header `x-contract`)."""
    number = chosen.version.contract.number
    if asked is not None and asked.strip() != str(number):
        raise Conflict(f"The prompt's contract here has number {number}.", code="prompt_contract_mismatch", param="x-contract")


class Calling:
    """Prompts as requests call them: which one is meant, and what it makes of the request.

    `windows` are those of all routes.
    """

    def __init__(self, prompts: Prompts, windows: Mapping[str, Window], *, observer: Observer) -> None:
        self._prompts = prompts
        self._windows = windows
        self._observer = observer

    def choose(self, request: ChatRequest, caller: Caller) -> Chosen | None:
        """Return the prompt that a request names, None where it names none; raises `NotFound` (prompt_not_found)."""
        reference = reference_of(request.model, request.prompt)
        return None if reference is None else self._prompts.choose(reference, caller)

    def neutral(self, request: ChatRequest, route: str) -> ChatRequest:
        """Return a caller's own request with the route's rule for control tokens applied to what people and tools say."""
        rule = self._windows[route].rule
        messages, found = neutral_messages(request.messages, rule, only=_UNTRUSTED)
        if found:
            self._observer.control_tokens(route, rule, found)
        return request if messages is request.messages else msgspec.structs.replace(request, messages=messages)

    async def prepare(
        self, chosen: Chosen, request: ChatRequest, *, used: PromptUse, route: str, contract: str | None
    ) -> tuple[ChatRequest, PromptUse]:
        """Return the request that a prompt stands for, and what the log tells of it.

        `used` is what it tells of the prompt that was chosen (`use_of`), `contract` the caller's `x-contract`.

        Raises `Conflict` (prompt_contract_mismatch), `InvalidRequest` with code prompt_variables_invalid, invalid_field or
        context_length_exceeded.
        """
        check_contract(chosen, contract)
        window = self._windows[route]
        prepared, use = await prepare(chosen, request, used=used, window=window, observer=self._observer)
        if use.neutralised:
            self._observer.control_tokens(route, window.rule, use.neutralised)
        return prepared, use


async def prepare(
    chosen: Chosen, request: ChatRequest, *, used: PromptUse, window: Window, observer: Drifts
) -> tuple[ChatRequest, PromptUse]:
    """Return the request that a prompt stands for; see `Calling.prepare`."""
    version = chosen.version
    fields = _fields(version, request)
    extent = _extent(request)
    large = extent is not None and extent.size > LARGE
    given = await asyncio.to_thread(_variables, version, request) if large else _variables(version, request)
    values = _admitted(version, given, observer)
    found = 0

    def rendered(values: Mapping[str, Any]) -> tuple[list[Message], int]:
        return neutral_messages(version.template.render(values, extent), window.rule)

    async def render(values: Mapping[str, Any]) -> list[Message]:
        nonlocal found
        messages, found = await asyncio.to_thread(rendered, values) if large else rendered(values)
        return messages

    trimmed: tuple[LeftOut, ...] = ()
    if version.budget is None and window.context is None:
        messages = await render(values)
    else:
        fitted = await fit(
            render,
            values,
            budget=version.budget or _UNLIMITED,
            room=_room(fields, request, version=version, window=window),
            counter=window.counter,
            tools=_tools(fields, request),
        )
        messages = fitted.messages
        trimmed = tuple(LeftOut(each.input, each.items, each.tokens) for each in fitted.trimmed)
    if found or trimmed:
        used = replace(used, neutralised=found, trimmed=trimmed)
    return msgspec.structs.replace(request, prompt=UNSET, messages=messages, **fields), used


def use_of(chosen: Chosen) -> PromptUse:
    """Return what the log tells of a prompt that was chosen and is yet to be rendered."""
    version = chosen.version
    return PromptUse(version.id, version.name, chosen.label, version.contract.number, version.digest)


def _extent(request: ChatRequest) -> Extent | None:
    """Return how large a request's variables are, by their bytes; None where the caller's messages are among them."""
    prompt = request.prompt
    if request.messages or not isinstance(prompt, PromptCall) or isinstance(prompt.variables, UnsetType):
        return None
    raw = bytes(prompt.variables)
    return Extent(len(raw), raw.count(b",") + 1)


def _variables(version: Version, request: ChatRequest) -> dict[str, Any]:
    prompt = request.prompt
    variables = read_variables(prompt.variables) if isinstance(prompt, PromptCall) else {}
    if request.messages:
        thread = version.messages
        if thread is None:
            raise InvalidRequest("This prompt makes its messages from variables and takes none.", param="messages")
        if thread in variables:
            raise InvalidRequest("This prompt's messages stand among its variables too: send one of them.", param="messages")
        variables[thread] = msgspec.to_builtins(request.messages)
    return variables


def _admitted(version: Version, variables: dict[str, Any], observer: Drifts) -> dict[str, Any]:
    try:
        admitted = version.contract.admit(variables)
    except VariablesInvalid as error:
        observer.prompt_drift(version.id, error.drift)
        raise
    if admitted.drift:
        observer.prompt_drift(version.id, admitted.drift)
    return admitted.values


def _fields(version: Version, request: ChatRequest) -> dict[str, Any]:
    """Return the fields that the prompt sets, but for those that the caller may set and has."""
    fields: dict[str, Any] = dict(version.options)
    if version.tools is not UNSET:
        fields["tools"] = version.tools
    if version.response_format is not UNSET:
        fields["response_format"] = version.response_format
    for name, ours in list(fields.items()):
        for asked in _LIMITS if name in _LIMITS else (name,):
            given = getattr(request, asked)
            if given is UNSET or given is None or given == ours:
                continue
            if asked not in version.overridable:
                raise _set_by_prompt(asked)
            fields.pop(name, None)
    return fields


def _tools(fields: Mapping[str, Any], request: ChatRequest) -> list[Tool]:
    tools = fields.get("tools", request.tools)
    return [] if isinstance(tools, UnsetType) or tools is None else tools


def _room(fields: Mapping[str, Any], request: ChatRequest, *, version: Version, window: Window) -> int | None:
    """Return the tokens that the route's context window leaves for messages, None where it is not known."""
    if window.context is None:
        return None
    asked = fields.get("max_completion_tokens", UNSET)
    for name in _LIMITS:
        if not isinstance(asked, int):
            asked = getattr(request, name)
    output = min(asked, window.output) if isinstance(asked, int) else window.output
    return window.context - max(output, version.budget.reserve_output if version.budget else 0)


def _set_by_prompt(field: str) -> InvalidRequest:
    return InvalidRequest("The prompt sets this field, and callers of it may not.", param=field)
