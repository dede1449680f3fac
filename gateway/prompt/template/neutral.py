"""Control tokens of chat templates in the text of messages: found, counted, broken.

A server puts messages into its model's chat template and tokenises the whole. Text that holds one of the template's control
tokens becomes that token, and with it a caller writes turns of its own: a system message, an answer, a result of a tool. Which
template a server uses is not known here, so the openers of all that are in wide use are looked for, in the final text of a
message, so that two values cannot join into one.

What is an opener, and for whom
- `<|` with a letter, digit, `_`, `/` or `"` behind it: ChatML and Qwen, Llama 3 and 4, Phi, Command R, Granite, GLM, Kimi,
  gpt-oss, Falcon, StableLM, Gemma 4; with U+FF5C for the bar: DeepSeek, Hunyuan.
- `[INST`, `[/INST`, `<<SYS`, `<</SYS`: Llama 2, Mistral. `[AVAILABLE_TOOLS`, `[TOOL_CALLS`, `[TOOL_CONTENT`, `[TOOL_RESULTS`,
  `[SYSTEM_PROMPT`, `[MODEL_SETTINGS`, `[THINK]`, `[ARGS]`, `[CALL_ID]` and their ends: Mistral. `[gMASK]`, `[sMASK]`, `<sop>`,
  `<eop>`: GLM.
- `<s>`, `</s>`, `<bos>`, `<eos>`, `<BOS_TOKEN>`, `<EOS_TOKEN>`: where a text begins and ends, for most.
- `<start_of_`, `<end_of_`: Gemma. `<reserved_`: Baichuan. `<seed:`: Seed. `]~b]`, `]~!b[`, `[e~[`: MiniMax.
- `<think>`, `<tool_call>`, `<tool_response>` and their ends: Qwen, Hermes, DeepSeek, GLM.

Left alone is what ordinary text and code are full of: `###`, `User:`, `<b>`, `[1]`, `x <| f`, `a <|> b`; and tokens that open no
turn (`<pad>`, `<unk>`, places for images). An opener is broken by a word joiner (U+2060) behind its first character: it is not
seen, no line breaks there, no normalisation that chat models use takes it out, and what is left is a token of none of these
vocabularies. Removing it gives the text back.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from gateway.errors import InvalidRequest
from gateway.wire.message import (
    AudioPart,
    AudioReference,
    DeveloperMessage,
    FilePart,
    FunctionCall,
    ImagePart,
    LegacyCall,
    Message,
    SystemMessage,
    UserMessage,
    WireStruct,
)

Rule = Literal["neutralise", "reject", "log"]

BREAKER = "\u2060"

# Openers that begin alike stand in one branch: of the many "<" of a page in HTML each is passed in a few nanoseconds.
_ANGLE = re.compile(
    r"<(?=[|\uFF5C][\w/\"]"
    r"|s(?:>|op>|eed:|tart_of_)|e(?:os>|op>|nd_of_)|bos>|[BE]OS_TOKEN>|reserved_|</?SYS"
    r"|t(?:hink>|ool_(?:call|response)>)|/(?:s>|think>|tool_(?:call|response)>))",
)
_SQUARE = re.compile(
    r"\[(?=/?(?:INST|A(?:VAILABLE_TOOLS|RGS\])|T(?:OOL_C|OOL_RESULTS|HINK\])|SYSTEM_PROMPT|MODEL_SETTINGS|CALL_ID\])"
    r"|[gs]MASK\]|e~\[)",
)
_CLOSED = re.compile(r"\](?=~!?b[\[\]])")
_PATTERNS = (("<", _ANGLE), ("[", _SQUARE), ("~", _CLOSED))
"""Each with a character without which it cannot match: looking for one costs next to nothing."""

_MEDIA = (ImagePart, AudioPart, FilePart, AudioReference)
_SIMPLE = (SystemMessage, DeveloperMessage, UserMessage)


def find_controls(text: str) -> bool:
    """Tell whether a text holds the opener of a control token."""
    # written out: this runs on every message, and a loop costs more than the looks themselves
    return bool(
        ("<" in text and _ANGLE.search(text)) or ("[" in text and _SQUARE.search(text)) or ("~" in text and _CLOSED.search(text))
    )


def neutralise(text: str) -> tuple[str, int]:
    """Return the text with every opener broken, and how many there were. What is returned holds none."""
    count = 0
    for sign, pattern in _PATTERNS:
        if sign in text:
            text, found = pattern.subn(rf"\g<0>{BREAKER}", text)
            count += found
    return text, count


def neutral_messages(
    messages: list[Message], rule: Rule, *, at: str = "messages", only: tuple[type[WireStruct], ...] = (WireStruct,)
) -> tuple[list[Message], int]:
    """Apply a route's rule to all text of the messages (`only` of these kinds); return them, and how many openers there were.

    Text is content and its parts, names, reasoning, and the arguments of calls as they are once decoded. `log` changes nothing;
    `reject` raises `InvalidRequest` that names the message, under the name `at` of the list.
    """
    passed = messages
    count = 0
    for index, message in enumerate(messages):
        if not isinstance(message, only):
            continue
        content = message.content
        if isinstance(message, _SIMPLE) and type(content) is str and not message.name and not find_controls(content):
            continue
        cleaning = _Cleaning()
        cleaned = cleaning.struct(message)
        if not cleaning.count:
            continue
        if rule == "reject":
            raise InvalidRequest("The text of this message holds a control token of a chat template.", param=f"{at}[{index}]")
        count += cleaning.count
        if rule == "neutralise":
            passed = [*messages] if passed is messages else passed
            passed[index] = cleaned
    return passed, count


class _Cleaning:
    """One walk over a message; `count` openers were found."""

    def __init__(self) -> None:
        self.count = 0

    def text(self, text: str) -> str:
        text, found = neutralise(text)
        self.count += found
        return text

    def struct(self, struct: Any) -> Any:
        """Return a struct with its texts cleaned, or the same one where there is nothing to clean."""
        if isinstance(struct, _MEDIA):
            return struct
        changes = {}
        for name in struct.__struct_fields__:
            value = getattr(struct, name)
            is_json = name == "arguments" and isinstance(struct, FunctionCall | LegacyCall)
            cleaned = self._json(value) if is_json else self._value(value)
            if cleaned is not value:
                changes[name] = cleaned
        return replace(struct, **changes) if changes else struct

    def _value(self, value: Any) -> Any:
        before = self.count
        if isinstance(value, str):
            cleaned: Any = self.text(value)
        elif isinstance(value, WireStruct):
            cleaned = self.struct(value)
        elif isinstance(value, list):
            cleaned = [self._value(item) for item in value]
        elif isinstance(value, dict):
            cleaned = {self._value(key): self._value(item) for key, item in value.items()}
        else:
            return value
        return cleaned if self.count > before else value

    def _json(self, text: str) -> str:
        """Clean JSON in text. A server decodes it before its template writes it again, so an escape hides nothing."""
        if "\\" not in text:
            return self.text(text)
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return self.text(text)
        cleaned = self._value(value)
        return text if cleaned is value else msgspec.json.encode(cleaned).decode()
