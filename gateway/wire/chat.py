"""OpenAI's chat completion request: read strictly, passed on as validated.

Invariants
- What is encoded for an upstream is the decoded struct, never the caller's bytes: of equal keys the last one counts, here as
  there, and nothing that was not validated is passed on.
- No coercion: `"1"` is no number, `1.0` no integer, `0` no boolean. `null` stands where OpenAI's or vLLM's type says so.
- A field that is not listed here is refused, at any depth; so are vLLM's fields that a caller must not control (`priority`,
  `cache_salt`, `request_id`, `chat_template`, `ignore_eos`, `min_tokens`, `prompt_logprobs`, …).
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway.errors import InvalidRequest
from gateway.wire import message, option, tool
from gateway.wire.diagnosis import diagnose
from gateway.wire.limits import LIMITS
from gateway.wire.prompt import PromptCall
from gateway.wire.rules import check

_INT32 = 2_147_483_647

Identifier: TypeAlias = Annotated[str, Meta(max_length=LIMITS.identifier_chars)]
Stop: TypeAlias = Annotated[str, Meta(max_length=LIMITS.stop_chars)]
BadWord: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LIMITS.bad_word_chars)]
TokenId: TypeAlias = Annotated[int, Meta(ge=0, le=_INT32)]
TokenCount: TypeAlias = Annotated[int, Meta(ge=1, le=_INT32)]
Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Messages: TypeAlias = Annotated[list[message.Message], Meta(max_length=LIMITS.messages)]
Tools: TypeAlias = Annotated[list[tool.Tool], Meta(max_length=LIMITS.tools)]
TokenIds: TypeAlias = Annotated[list[TokenId], Meta(max_length=LIMITS.token_ids)]
Metadata: TypeAlias = Annotated[
    dict[
        Annotated[str, Meta(max_length=LIMITS.metadata_key_chars)],
        Annotated[str, Meta(max_length=LIMITS.metadata_value_chars)],
    ],
    Meta(max_length=LIMITS.metadata_pairs),
]
LogitBias: TypeAlias = Annotated[dict[str, Annotated[int, Meta(ge=-100, le=100)]], Meta(max_length=LIMITS.logit_biases)]


class ChatRequest(message.WireStruct, frozen=True):
    """A chat completion request as a caller may send it; absent fields are `UNSET`.

    Fields of OpenAI's reference first, then vLLM's sampling parameters. Tokens where not said otherwise. `prompt` is ours: with
    it, or with a model name that begins with `prompt/`, messages may be left out.
    """

    model: Annotated[str, Meta(min_length=1, max_length=LIMITS.model_chars)]
    messages: Messages = msgspec.field(default_factory=list)
    prompt: PromptCall | UnsetType = UNSET
    stream: bool | UnsetType | None = UNSET
    temperature: Annotated[float, Meta(ge=0, le=2)] | UnsetType | None = UNSET
    max_tokens: TokenCount | UnsetType | None = UNSET
    max_completion_tokens: TokenCount | UnsetType | None = UNSET
    top_p: Share | UnsetType | None = UNSET
    n: Annotated[int, Meta(ge=1, le=LIMITS.choices)] | UnsetType | None = UNSET
    stop: Stop | Annotated[list[Stop], Meta(max_length=LIMITS.stops)] | UnsetType | None = UNSET
    stream_options: option.StreamOptions | UnsetType | None = UNSET
    tools: Tools | UnsetType | None = UNSET
    tool_choice: tool.ToolChoice | UnsetType | None = UNSET
    parallel_tool_calls: bool | UnsetType | None = UNSET
    response_format: option.ResponseFormat | UnsetType | None = UNSET
    presence_penalty: Penalty | UnsetType | None = UNSET
    frequency_penalty: Penalty | UnsetType | None = UNSET
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | UnsetType | None = UNSET
    user: Identifier | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    logit_bias: LogitBias | UnsetType | None = UNSET
    logprobs: bool | UnsetType | None = UNSET
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | UnsetType | None = UNSET
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | UnsetType | None = UNSET
    verbosity: Literal["low", "medium", "high"] | UnsetType | None = UNSET
    modalities: Annotated[list[Literal["text", "audio"]], Meta(max_length=2)] | UnsetType | None = UNSET
    audio: option.AudioOptions | UnsetType | None = UNSET
    prediction: option.Prediction | UnsetType | None = UNSET
    store: bool | UnsetType | None = UNSET
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | UnsetType | None = UNSET
    safety_identifier: Identifier | UnsetType | None = UNSET
    prompt_cache_key: Identifier | UnsetType | None = UNSET
    prompt_cache_options: option.PromptCacheOptions | UnsetType = UNSET
    prompt_cache_retention: Literal["in_memory", "24h"] | UnsetType | None = UNSET
    web_search_options: option.WebSearchOptions | UnsetType = UNSET
    moderation: option.Moderation | UnsetType | None = UNSET
    functions: Annotated[list[tool.LegacyFunction], Meta(max_length=LIMITS.tools)] | UnsetType = UNSET
    function_call: tool.LegacyChoice | UnsetType = UNSET
    top_k: Annotated[int, Meta(ge=-1, le=_INT32)] | UnsetType | None = UNSET
    min_p: Share | UnsetType | None = UNSET
    repetition_penalty: Annotated[float, Meta(gt=0)] | UnsetType | None = UNSET
    stop_token_ids: TokenIds | UnsetType | None = UNSET
    allowed_token_ids: TokenIds | UnsetType | None = UNSET
    bad_words: Annotated[list[BadWord], Meta(max_length=LIMITS.bad_words)] | UnsetType = UNSET
    include_stop_str_in_output: bool | UnsetType = UNSET
    skip_special_tokens: bool | UnsetType | None = UNSET
    spaces_between_special_tokens: bool | UnsetType = UNSET
    structured_outputs: option.StructuredOutputs | UnsetType | None = UNSET
    chat_template_kwargs: Raw | UnsetType = UNSET


class _Outline(msgspec.Struct):
    """A body of which nothing becomes an object: what is not named here is skipped."""

    messages: Raw = Raw(b"")
    prompt: Raw = Raw(b"")


_outline = msgspec.json.Decoder(_Outline).decode
_decode = msgspec.json.Decoder(ChatRequest).decode
_encode = msgspec.json.Encoder().encode


def read_chat_request(raw: bytes) -> ChatRequest:
    """Decode and check a request body.

    Raises `InvalidRequest` with code invalid_json, invalid_field or unsupported_field; `param` is the path of the field
    (`messages[0].role`), and neither it nor the message holds a value of the body.
    """
    try:
        if len(raw) > LIMITS.outlined_bytes:
            _check_outline(raw)
        request = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise diagnose(raw, ChatRequest, error) from None
    check(request)
    return request


def _check_outline(raw: bytes) -> None:
    """Refuse a body whose options are too large: a megabyte of short ones costs fifty times what text costs."""
    outline = _outline(raw)
    if len(raw) - memoryview(outline.messages).nbytes - memoryview(outline.prompt).nbytes > LIMITS.options_bytes:
        raise InvalidRequest(f"Everything beside messages is larger than {LIMITS.options_bytes} bytes.")


def write_chat_request(request: ChatRequest) -> bytes:
    """Encode a request as JSON: exactly the fields that were given."""
    return _encode(request)
