"""The house rules that no linter knows, as pure functions over source text: each returns one sentence per finding.

`tests/test_shape.py` runs them over the tree, and each over a sample that breaks the rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import get_args, get_origin

from pydantic import BaseModel

MOST_LINES = 400
MOST_FUNCTION_LINES = 50
MOST_PARAMETERS = 7

Function = ast.FunctionDef | ast.AsyncFunctionDef

_WEAK_NAMES = re.compile(r"(Manager|Helper|Helpers|Util|Utils|Base|Impl)$")
_REGISTRIES = re.compile(
    r"(pypi\.org|pythonhosted\.org|npmjs\.(org|com)|yarnpkg\.com|npmmirror\.com|crates\.io|proxy\.golang\.org|rubygems\.org"
    r"|repo\.maven\.apache\.org|deb\.debian\.org|(ghcr|quay|gcr)\.io|registry\.[a-z]+\.(io|com|org))",
)


def file_length(source: str) -> list[str]:
    """Find a file of more than `MOST_LINES` lines."""
    lines = source.count("\n")
    return [f"{lines} lines, more than {MOST_LINES}"] if lines > MOST_LINES else []


def function_lengths(source: str) -> list[str]:
    """Find functions of more than `MOST_FUNCTION_LINES` lines from `def` to end, the docstring not counted."""
    return [
        f"line {function.lineno}: {function.name} has {length} lines, more than {MOST_FUNCTION_LINES}"
        for function in _functions(source)
        if (length := _length(function)) > MOST_FUNCTION_LINES
    ]


def parameter_counts(source: str) -> list[str]:
    """Find functions with more than `MOST_PARAMETERS` parameters beside self or cls."""
    return [
        f"line {function.lineno}: {function.name} takes {count} parameters, more than {MOST_PARAMETERS}"
        for function in _functions(source)
        if (count := _parameters(function)) > MOST_PARAMETERS
    ]


def loose_tasks(source: str) -> list[str]:
    """Find tasks that no TaskGroup owns: asyncio's or a loop's own `create_task`, and `ensure_future`."""
    return [
        f"line {call.lineno}: {name} outside a TaskGroup"
        for call, name in _calls(source)
        if name in {"asyncio.create_task", "asyncio.ensure_future", "create_task", "ensure_future"}
        or re.search(r"loop(\(\))?\.create_task$", name)
    ]


def sleeps(source: str) -> list[str]:
    """Find `time.sleep`: it blocks a loop, and in a test it hopes instead of knowing."""
    imported = any(
        isinstance(node, ast.ImportFrom) and node.module == "time" and any(alias.name == "sleep" for alias in node.names)
        for node in ast.walk(ast.parse(source))
    )
    return [
        f"line {call.lineno}: {name}" for call, name in _calls(source) if name == "time.sleep" or (imported and name == "sleep")
    ]


def broad_excepts(source: str) -> list[str]:
    """Find handlers that catch anything; one that ends by raising again may clean up after whatever it was."""
    return [
        f"line {node.lineno}: except {ast.unparse(node.type) if node.type else ''}".rstrip()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node)
    ]


def weak_names(source: str) -> list[str]:
    """Find classes that are not named after what they are: Manager, Helper, Utils, Base, Impl."""
    return [
        f"line {node.lineno}: {node.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef) and _WEAK_NAMES.search(node.name)
    ]


def registry_addresses(text: str) -> list[str]:
    """Find addresses of package registries: where packages come from is the machine's business."""
    return [
        f"line {number}: {match[0]}"
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := _REGISTRIES.search(line))
    ]


def missing_tests(modules: Sequence[str], tests: Sequence[str]) -> list[str]:
    """Find modules without a test file in the mirrored place: tests/a/test_b.py for gateway/a/b.py, tests/guards/… for guards."""
    have = set(tests)
    return [f"{module} has no {place}" for module in modules if (place := _mirror(module)) not in have]


def _mirror(module: str) -> str:
    path = PurePosixPath(module)
    folder = path.parent.relative_to("gateway") if path.parts[0] == "gateway" else path.parent
    return str(PurePosixPath("tests") / folder / f"test_{path.name}")


@dataclass(frozen=True, slots=True)
class RaisedCode:
    """An error code that the code can give, and the class that carries it; `base` is what a class with that code derives from."""

    code: str
    carrier: str
    base: str = ""


def raised_codes(source: str) -> set[RaisedCode]:
    """Collect every `default_code` of a class and every constant given as `code=` in a call."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            base = ast.unparse(node.bases[0]) if node.bases else ""
            found |= {RaisedCode(code, node.name, base) for code in _default_codes(node)}
        elif isinstance(node, ast.Call):
            found |= {
                RaisedCode(keyword.value.value, ast.unparse(node.func))
                for keyword in node.keywords
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
            }
    return found


def _default_codes(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="default_code")], value=ast.Constant(value=str(code)))
                | ast.AnnAssign(target=ast.Name(id="default_code"), value=ast.Constant(value=str(code)))
            ):
                yield code


def documented_codes(page: str) -> dict[str, set[tuple[int, str]]]:
    """Collect the codes in the rows `| status | type | code, code | when |` of a page, with their statuses and types."""
    found: dict[str, set[tuple[int, str]]] = {}
    for row in re.finditer(r"^\| (\d{3}) \| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE):
        for code in re.findall(r"`(\w+)`", row[3]):
            found.setdefault(code, set()).add((int(row[1]), row[2]))
    return found


def differing_codes(raised: Mapping[str, set[tuple[int, str]]], documented: Mapping[str, set[tuple[int, str]]]) -> list[str]:
    """Find codes that can be raised and are not documented with their status and type, and the reverse."""
    return [
        f"{code}: the code gives {sorted(raised.get(code, ()))}, the table {sorted(documented.get(code, ()))}"
        for code in sorted({*raised, *documented})
        if raised.get(code) != documented.get(code)
    ]


def setting_paths(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Collect every key of the settings: `server.port`, `upstreams.*.kind`, `routes.*.upstreams[].model`."""
    found = set()
    for name, field in model.model_fields.items():
        inner, between = _inner_model(field.annotation)
        found |= {prefix + name} if inner is None else setting_paths(inner, f"{prefix}{name}{between}.")
    return found


def _inner_model(annotation: object) -> tuple[type[BaseModel] | None, str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    marks: dict[object, str] = {dict: ".*", tuple: "[]"}
    for argument in get_args(annotation):
        inner, _ = _inner_model(argument)
        if inner is not None:
            return inner, marks.get(get_origin(annotation), "")
    return None, ""


_HEADER = re.compile(r"^\[([A-Za-z0-9._-]+)\]")
_KEY = re.compile(r"^(?:# )?([a-z_]+) = ([^#]*)(#.*)?$")


def example_keys(text: str, collections: Sequence[str] = ("upstreams", "routes", "tenants", "apps")) -> dict[str, bool]:
    """Collect every key of an example file, active or commented out, and whether a comment says what it is.

    The comment stands behind the key or on the lines right above it. `collections` are the tables whose keys are names.
    """
    found: dict[str, bool] = {}
    section, above = "", False
    for line in text.splitlines():
        if header := _HEADER.match(line):
            section = re.sub(rf"\b({'|'.join(collections)})\.[^.]+", r"\1.*", header[1]) + "."
        elif key := _KEY.match(line):
            explained = above or bool(key[3])
            inner = re.findall(r"[{,] ?([a-z_]+) = ", key[2])
            for path in [f"{section}{key[1]}[].{name}" for name in inner] or [section + key[1]]:
                found[path] = found.get(path, False) or explained
        above = line.startswith("# ") and _KEY.match(line) is None
    return found


def uncommented(text: str) -> str:
    """Return the example file with every key active."""
    return re.sub(r"^# ([a-z_]+ = )", r"\1", text, flags=re.MULTILINE)


def differing_keys(settings: set[str], example: Mapping[str, bool]) -> list[str]:
    """Find settings that are not in the example or have no comment there, and keys there that are no settings."""
    return [
        *(f"{path} is not in the example" for path in sorted(settings - set(example))),
        *(f"{path} is no setting" for path in sorted(set(example) - settings)),
        *(f"{path} has no comment" for path in sorted(settings) if example.get(path) is False),
    ]


def _functions(source: str) -> Iterator[Function]:
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, Function))


def _length(function: Function) -> int:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def _parameters(function: Function) -> int:
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _calls(source: str) -> Iterator[tuple[ast.Call, str]]:
    return ((node, ast.unparse(node.func)) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(one) for one in caught.elts)
    return caught is None or ast.unparse(caught) in {"Exception", "BaseException"}


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
