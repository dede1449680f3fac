"""What a chat request may hold at most: one dataclass, so that every cap can be read in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatLimits:
    """Caps of a chat request. `*_chars` count code points, `*_bytes` encoded UTF-8, `*_depth` nested arrays and objects.

    Numbers that OpenAI's reference states (messages, tools, metadata, ranges of sampling) are its own; the others bound what
    one caller can make the gateway or an upstream's grammar compiler do.
    """

    model_chars: int = 256
    name_chars: int = 256
    messages: int = 2048
    parts: int = 1024
    """Content parts of all messages together."""
    tools: int = 128
    tool_calls: int = 128
    """Of one message."""
    choices: int = 8
    stops: int = 16
    stop_chars: int = 1024
    bad_words: int = 256
    bad_word_chars: int = 256
    token_ids: int = 4096
    logit_biases: int = 1024
    metadata_pairs: int = 16
    metadata_key_chars: int = 64
    metadata_value_chars: int = 512
    identifier_chars: int = 512
    """`user`, `safety_identifier`, `prompt_cache_key`."""
    choice_strings: int = 1024
    """Of `structured_outputs.choice`; together they are a schema and held to `schema_bytes`."""
    regex_bytes: int = 1024
    schema_bytes: int = 65_536
    """One schema, grammar or structural tag."""
    schema_depth: int = 16
    structural_tag_depth: int = 24
    """A structural tag wraps schemas."""
    free_form_depth: int = 64
    free_form_bytes: int = 262_144
    """All free-form JSON of a request together: tools, schemas, `chat_template_kwargs`."""
    variables_bytes: int = 4_194_304
    """The values of a prompt's variables, which are text that becomes messages."""
    variable_values: int = 50_000
    """So many values may a prompt's variables hold, at all depths together."""
    outlined_bytes: int = 65_536
    """A larger body is looked over first, so that `options_bytes` holds before anything becomes objects."""
    options_bytes: int = 393_216
    """All of a body but its messages and its prompt's variables."""
    diagnosed_bytes: int = 131_072
    """A larger body that is refused names the top-level field at fault, not the path inside it."""
    diagnosed_values: int = 20_000
    """So many values are looked at to find the path of an error."""


LIMITS = ChatLimits()
