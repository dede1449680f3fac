"""Reads `tools`: functions of Prompty v2 become tools of our chat request."""

from __future__ import annotations

import re
from typing import Any

from gateway.prompt.file.document import Path
from gateway.prompt.file.fields import Fields
from gateway.prompt.file.options import decoded
from gateway.prompt.file.properties import read_properties
from gateway.prompt.file.report import Report
from gateway.prompt.file.schema import parameter_schema
from gateway.wire.limits import LIMITS
from gateway.wire.tool import FunctionTool

_KEYS = ("name", "kind", "description", "parameters", "strict")
_REFUSED = {
    "bindings": "cannot be used: an argument that the prompt fills in would never reach the application that runs the tool",
    "connection": "cannot be used: tools are run by the application, which has its own connections",
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_tools(report: Report, path: Path, value: Any) -> tuple[FunctionTool, ...]:
    """Return the tools that stand at a path, by name in a mapping or in a list; what is wrong with them is reported."""
    if isinstance(value, dict):
        given = [((*path, name), {"name": name, **one} if isinstance(one, dict) else one) for name, one in value.items()]
    elif isinstance(value, list):
        given = [((*path, place), one) for place, one in enumerate(value)]
    else:
        report.add(path, "must be a list of tools, or a mapping from names to them")
        return ()
    if len(given) > LIMITS.tools:
        report.add(path, f"has more than {LIMITS.tools} tools")
        return ()
    found: dict[str, FunctionTool] = {}
    for below, one in given:
        tool = _tool(Fields(report, below, one, known=_KEYS, retired=_REFUSED))
        if tool is None:
            continue
        if tool.function.name in found:
            report.add(below, "has a name that another tool has already")
        found[tool.function.name] = tool
    return tuple(found.values())


def _tool(fields: Fields) -> FunctionTool | None:
    if not (fields.required("name") and fields.required("kind")):
        return None
    if fields.raw("kind") != "function":
        fields.wrong("kind", "must be function: no other kind of tool is run here")
        return None
    name = fields.text("name")
    if not _NAME.fullmatch(name):
        fields.wrong("name", "must be 1 to 64 letters, digits, - and _")
        return None
    strict = fields.flag("strict", default=False)
    function: dict[str, Any] = {"name": name, "strict": strict} if "strict" in fields else {"name": name}
    if description := fields.text("description"):
        function["description"] = description
    if "parameters" in fields:
        properties = read_properties(fields.report, fields.at("parameters"), fields.raw("parameters"), place="parameter")
        function["parameters"] = parameter_schema(properties, strict=strict)
    request = decoded(fields.report, fields.path, {"tools": [{"type": "function", "function": function}]})
    tool = request.tools[0] if request is not None and request.tools else None
    return tool if isinstance(tool, FunctionTool) else None
