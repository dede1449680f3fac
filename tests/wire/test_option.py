"""Options that are objects: equal to what was given, field by field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidRequest
from gateway.wire import option
from gateway.wire.chat import read_chat_request
from tests.wire.hostile import encoded


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"type": "text"}, option.TextAnswer),
        ({"type": "json_object"}, option.JsonAnswer),
        ({"type": "json_schema", "json_schema": {"name": "a", "strict": None, "description": None}}, option.SchemaAnswer),
    ],
)
def test_a_response_format_is_told_by_its_type(given: dict[str, Any], kind: type) -> None:
    found = read_chat_request(encoded(response_format=given)).response_format
    assert type(found) is kind
    assert msgspec.to_builtins(found) == given


@pytest.mark.parametrize("given", [{}, {"type": "structural_tag"}, {"type": "regex"}, {"json_schema": {"name": "a"}}])
def test_a_response_format_of_no_known_type_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(encoded(response_format=given))
    assert caught.value.param == "response_format.type"


def test_the_schema_of_structured_outputs_is_named_json_on_the_wire() -> None:
    assert option.StructuredOutputs.__struct_encode_fields__[0] == "json"


@pytest.mark.parametrize("voice", ["alloy", "a voice of tomorrow", {"id": "voice_1"}])
def test_a_voice_is_a_name_or_an_id(voice: object) -> None:
    options = read_chat_request(encoded(audio={"format": "wav", "voice": voice})).audio
    assert msgspec.to_builtins(options) == {"format": "wav", "voice": voice}


def test_an_option_not_given_is_not_made_up() -> None:
    assert msgspec.json.encode(option.StreamOptions()) == b"{}"
    assert msgspec.json.encode(option.WebSearchOptions()) == b"{}"
