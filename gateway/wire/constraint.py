"""Free-form JSON and grammars of a chat request: tools' parameters, answer schemas, template arguments.

Each is bounded alone and all together, because an upstream compiles them: a deep schema or a long regular expression stops
every other caller's work there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import force_setattr

from gateway.errors import InvalidRequest
from gateway.wire import freeform, option, tool
from gateway.wire.limits import LIMITS

if TYPE_CHECKING:
    from gateway.wire.chat import ChatRequest

_NULL = type(None)
_SCHEMA = freeform.Bound(LIMITS.schema_bytes, LIMITS.schema_depth)
_SCHEMA_OR_NULL = replace(_SCHEMA, kinds=(dict, _NULL))
_SCHEMA_OR_TEXT = replace(_SCHEMA, kinds=(dict, str))
_STRUCTURAL_TAG = replace(_SCHEMA, max_depth=LIMITS.structural_tag_depth)
_TEMPLATE_ARGUMENTS = freeform.Bound(LIMITS.free_form_bytes, LIMITS.free_form_depth, (dict, _NULL))
_ALLOWED_TOOLS = freeform.Bound(LIMITS.free_form_bytes, LIMITS.free_form_depth, (list,))


class Constraints:
    """Checks one request; raises `InvalidRequest`. Every `Raw` field that passed is replaced by its normal form."""

    def __init__(self) -> None:
        self._left = LIMITS.free_form_bytes

    def check(self, request: ChatRequest) -> None:
        """Check all that a request holds of them."""
        for index, given in enumerate(request.tools or ()):
            self._check_tool(given, f"tools[{index}]")
        for index, function in enumerate(request.functions or ()):
            self._json(function, "parameters", f"functions[{index}].parameters", bound=_SCHEMA)
        if isinstance(request.tool_choice, tool.AllowedChoice):
            self._check_allowed(request.tool_choice.allowed_tools)
        if isinstance(request.response_format, option.SchemaAnswer):
            schema = request.response_format.json_schema
            self._json(schema, "schema", "response_format.json_schema.schema", bound=_SCHEMA_OR_NULL)
        if request.structured_outputs:
            self._check_structured(request.structured_outputs)
        self._json(request, "chat_template_kwargs", "chat_template_kwargs", bound=_TEMPLATE_ARGUMENTS)

    def _check_tool(self, given: tool.Tool, path: str) -> None:
        if isinstance(given, tool.FunctionTool):
            self._json(given.function, "parameters", f"{path}.function.parameters", bound=_SCHEMA_OR_NULL)
        elif isinstance(given.custom.format, tool.GrammarFormat):
            definition = given.custom.format.grammar.definition
            self._text(definition, f"{path}.custom.format.grammar.definition", max_bytes=LIMITS.schema_bytes)

    def _check_allowed(self, given: tool.AllowedTools) -> None:
        param = "tool_choice.allowed_tools.tools"
        tools = self._json(given, "tools", param, bound=_ALLOWED_TOOLS)
        if not all(isinstance(item, dict) for item in tools):
            raise InvalidRequest(f"{param} must be an array of objects.", param=param)

    def _check_structured(self, given: option.StructuredOutputs) -> None:
        path = "structured_outputs"
        kinds = [field for field in given.__struct_fields__ if getattr(given, field) is not UNSET]
        if len(kinds) != 1:
            names = ", ".join(given.__struct_encode_fields__)
            raise InvalidRequest(f"{path} must have exactly one of {names}.", param=path)
        if given.json_object is False:
            raise InvalidRequest(f"{path}.json_object must be true.", param=f"{path}.json_object")
        schema = self._json(given, "json_schema", f"{path}.json", bound=_SCHEMA_OR_TEXT)
        if isinstance(schema, str):
            freeform.normalise(schema.encode(), _SCHEMA, param=f"{path}.json")
        if isinstance(given.structural_tag, str):
            freeform.normalise(given.structural_tag.encode(), _STRUCTURAL_TAG, param=f"{path}.structural_tag")
        if isinstance(given.choice, list):
            self._text("".join(given.choice), f"{path}.choice", max_bytes=LIMITS.schema_bytes)
        self._text(given.regex, f"{path}.regex", max_bytes=LIMITS.regex_bytes)
        self._text(given.grammar, f"{path}.grammar", max_bytes=LIMITS.schema_bytes)

    def _text(self, text: str | UnsetType, param: str, *, max_bytes: int) -> None:
        if isinstance(text, str):
            size = len(text.encode())
            if size > max_bytes:
                raise InvalidRequest(f"{param} is larger than {max_bytes} bytes.", param=param)
            self._spend(size, param)

    def _json(self, owner: Struct, field: str, param: str, *, bound: freeform.Bound) -> Any:
        raw: Raw | UnsetType = getattr(owner, field)
        if isinstance(raw, UnsetType):
            return None
        given = bytes(raw)
        text, value = freeform.normalise(given, bound, param=param)
        self._spend(len(given), param)
        force_setattr(owner, field, Raw(text))
        return value

    def _spend(self, size: int, param: str) -> None:
        self._left -= size
        if self._left < 0:
            raise InvalidRequest(
                f"Tools, schemas and template arguments together are larger than {LIMITS.free_form_bytes} bytes.", param=param
            )
