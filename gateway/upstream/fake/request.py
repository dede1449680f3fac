"""A chat request as the fake reads it: strict about what it uses, blind to the rest, as vLLM is.

It does not share the gateway's own reader of requests: an upstream that checks what the gateway sent must not make the same
mistakes.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.upstream.fake import text
from gateway.upstream.fake.answer import Answer, error_answer

DEFAULT_MAX_TOKENS = 1024
MAX_CHOICES = 128


class Refused(Exception):
    """The request is refused; `answer` says how."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def bad_request(message: str, param: str | None = None) -> Refused:
    """Return vLLM's refusal of a request."""
    return Refused(error_answer(400, message, kind="BadRequestError", param=param))


class StreamOptions(msgspec.Struct, frozen=True):
    """How usage is told in a stream."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class ToolFunction(msgspec.Struct, frozen=True):
    """The function of a tool."""

    name: str
    parameters: dict[str, Any] | None = None


class Tool(msgspec.Struct, frozen=True):
    """A tool that may, or must, be called."""

    function: ToolFunction


class JsonSchema(msgspec.Struct, frozen=True):
    """The schema that an answer must follow."""

    schema: dict[str, Any] | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """What an answer must look like, in OpenAI's words."""

    type: str
    json_schema: JsonSchema | None = None


class StructuredOutputs(msgspec.Struct, frozen=True):
    """What an answer must look like, in vLLM's words: one of these."""

    json: dict[str, Any] | str | None = None
    regex: str | None = None
    choice: list[str] | None = None
    json_object: bool | None = None
    grammar: str | None = None
    structural_tag: str | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """The fields of a chat completion request that change the answer."""

    model: str
    messages: list[dict[str, Any]]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    stop: str | list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | Tool | None = None
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None

    @property
    def stops(self) -> list[str]:
        """The strings that end the answer."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    @property
    def last_user(self) -> str:
        """The text of the last user message."""
        return next((text.text_of(message) for message in reversed(self.messages) if message.get("role") == "user"), "")


_decode = msgspec.json.Decoder(ChatRequest).decode
_path = re.compile(r"\$\.([\w.]+)")
_missing = re.compile(r"field `(\w+)`")


def read(body: bytes) -> ChatRequest:
    """Decode and check a body; raises `Refused` with vLLM's 400, whose param names the field."""
    try:
        request = _decode(body)
    except msgspec.ValidationError as error:
        raise bad_request(f"1 validation error: {error}", _param(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request("1 validation error: JSON decode error", "body") from error
    if not request.messages:
        raise bad_request("Cannot apply chat template to an empty conversation. Provide at least one message.")
    if request.tool_choice not in {None, "none", "auto"} and not request.tools:
        raise bad_request("When using `tool_choice`, `tools` must be set. (parameter=tool_choice)", "tool_choice")
    return request


def prompt_tokens(request: ChatRequest) -> int:
    """Return what the messages and the tools of a request are worth."""
    return text.prompt_tokens(request.messages, msgspec.json.encode(request.tools) if request.tools else b"")


def max_tokens(request: ChatRequest, *, prompt: int, window: int) -> int:
    """Return how many tokens the answer may have; raises `Refused` when the request does not fit the context window."""
    if prompt >= window:
        raise bad_request(too_long(window, prompt), "input_tokens")
    asked = request.max_completion_tokens or request.max_tokens
    if asked is not None and prompt + asked > window:
        message = f"max_tokens={asked} cannot be greater than max_model_len={window} less {prompt} input tokens."
        raise bad_request(f"{message} Please request fewer output tokens. (parameter=max_tokens, value={asked})", "max_tokens")
    return min(asked or DEFAULT_MAX_TOKENS, window - prompt)


def too_long(window: int, prompt: int) -> str:
    """Return vLLM's sentence about a prompt that is too long."""
    return (
        f"This model's maximum context length is {window} tokens. However, your prompt contains at least {prompt} input tokens, "
        "which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. "
        f"(parameter=input_tokens, value={prompt})"
    )


def _param(message: str) -> str | None:
    at = _path.search(message)
    missing = _missing.search(message) if "missing" in message else None
    parts = [found.group(1) for found in (at, missing) if found]
    return ".".join(parts) or "body"
