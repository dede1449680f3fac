"""What the fake says to a request: text, reasoning, a refusal or tool calls, cut into tokens."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gateway.upstream.fake import text
from gateway.upstream.fake.directive import Directive
from gateway.upstream.fake.pattern import PatternError, sample
from gateway.upstream.fake.request import ChatRequest, StructuredOutputs, Tool, bad_request
from gateway.upstream.fake.schema import Schema, SchemaError, fill

JSON_OBJECT = '{"echo":"text"}'
"""What is said when any JSON object is wanted."""


@dataclass(frozen=True, slots=True)
class Calling:
    """One tool call; `pieces` joined are its arguments."""

    id: str
    name: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Speech:
    """One choice of the answer, in the order in which it is said; `made` is its number of tokens."""

    reasoning: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    calls: tuple[Calling, ...] = ()
    finish: str = "stop"
    stop_reason: str | None = None

    @property
    def made(self) -> int:
        """How many tokens it has."""
        return len(self.reasoning) + len(self.content) + len(self.refusal) + sum(len(call.pieces) for call in self.calls)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says the choices of one answer, each in at most `limit` tokens.

    `message` is the last user message without its directive.
    """

    request: ChatRequest
    directive: Directive
    message: str
    limit: int

    def choices(self) -> tuple[Speech, ...]:
        """Return what each of the `n` choices says; raises `Refused`."""
        tools = self._called()
        return tuple(self._choice(tools, number) for number in range(self.request.n or 1))

    def _choice(self, tools: tuple[Tool, ...], number: int) -> Speech:
        directive = self.directive
        reasoning, _ = text.take(directive.reasoning, self.limit)
        limit = self.limit - len(reasoning)
        if tools:
            speech = _calls(tools, directive.arguments, seed=f"{self.message}\0{number}", limit=limit)
        elif directive.refusal:
            refusal, longer = text.take(directive.refusal, limit)
            speech = Speech(refusal=refusal, finish="length" if longer else "stop")
        else:
            said, stop = text.cut_at(self._said(number), self.request.stops)
            content, longer = text.take(said, limit)
            speech = Speech(content=content, finish="length" if longer else "stop", stop_reason=None if longer else stop)
        return replace(speech, reasoning=reasoning, finish=directive.finish or speech.finish)

    def _said(self, number: int) -> str:
        directive = self.directive
        if directive.text is not None:
            return directive.text
        if directive.chunks is not None:
            return text.numbered(directive.chunks)
        structured = _structured(self.request)
        if structured is not None:
            return structured
        last = self.request.messages[-1]
        heard = text.text_of(last) if last.get("role") == "tool" else self.message
        return f"echo: {heard}" if number == 0 else f"echo {number + 1}: {heard}"

    def _called(self) -> tuple[Tool, ...]:
        """Return the tools to call: those the directive names, the forced one, or those that the message says to call."""
        tools = {tool.function.name: tool for tool in self.request.tools or ()}
        names = self.directive.tool.split(",") if self.directive.tool else self._asked(list(tools))
        if any(name not in tools for name in names):
            raise bad_request("The tool specified in `tool_choice` does not match any of the specified `tools`", "tool_choice")
        return tuple(tools[name] for name in names)

    def _asked(self, names: list[str]) -> list[str]:
        choice = self.request.tool_choice
        if choice == "none" or self.directive.text is not None or self.request.messages[-1].get("role") == "tool":
            return []
        if isinstance(choice, Tool):
            return [choice.function.name]
        if choice == "required":
            return names[:1]
        if choice in {None, "auto"}:
            return [name for name in names if re.search(rf"\bcall {re.escape(name)}\b", self.message)]
        raise bad_request("tool_choice is neither none, auto, required nor a function", "tool_choice")


def _structured(request: ChatRequest) -> str | None:
    wanted = request.structured_outputs
    if wanted is not None:
        return _vllm_structured(wanted)
    form = request.response_format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return JSON_OBJECT
    if form.type == "json_schema" and form.json_schema is not None and form.json_schema.schema is not None:
        return _filled(form.json_schema.schema)
    raise bad_request("response_format is neither text, json_object nor json_schema with a schema", "response_format")


def _vllm_structured(wanted: StructuredOutputs) -> str:
    given = [name for name in wanted.__struct_fields__ if getattr(wanted, name) is not None]
    if len(given) != 1:
        raise bad_request("structured_outputs takes exactly one of json, regex, choice, json_object", "structured_outputs")
    if wanted.choice:
        return wanted.choice[0]
    if wanted.regex is not None:
        try:
            return sample(wanted.regex)
        except PatternError as error:
            raise bad_request(f"Failed to transform regex into a grammar: {error}") from error
    if wanted.json is not None:
        return _filled(wanted.json)
    if wanted.json_object:
        return JSON_OBJECT
    raise bad_request("The fake follows json, regex, choice and json_object only.", "structured_outputs")


def _filled(schema: dict[str, Any] | str) -> str:
    try:
        decoded: Schema = msgspec.json.decode(schema) if isinstance(schema, str) else schema
        return msgspec.json.encode(fill(decoded)).decode()
    except (SchemaError, msgspec.DecodeError) as error:
        raise bad_request(f"Failed to transform json schema into a grammar: {error}") from error


def _calls(tools: tuple[Tool, ...], given: str | None, *, seed: str, limit: int) -> Speech:
    calls: list[Calling] = []
    longer = False
    for number, tool in enumerate(tools):
        function = tool.function
        arguments = given if given is not None else _filled(function.parameters or {"type": "object"})
        pieces, longer = text.take(arguments, limit)
        limit -= len(pieces)
        digest = hashlib.sha256(f"{number}\0{function.name}\0{seed}".encode("utf-8", "surrogatepass")).hexdigest()
        calls.append(Calling(f"chatcmpl-tool-{digest[:16]}", function.name, pieces))
        if longer:
            break
    return Speech(calls=tuple(calls), finish="length" if longer else "tool_calls")
