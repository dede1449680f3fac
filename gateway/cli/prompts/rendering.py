"""`gatehouse prompts render`: the messages that a call would send. It asks no model, and only a label needs the store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import typer

from gateway.audit.search.prose import printable
from gateway.cli.exits import exits
from gateway.cli.prompts.counting import Counting
from gateway.cli.prompts.opening import current_labels, open_prompts
from gateway.cli.prompts.printing import print_json
from gateway.errors import SettingsError
from gateway.prompt.calling import Window
from gateway.prompt.library.version import Version
from gateway.prompt.preview import Preview, preview
from gateway.prompt.prompts import Chosen
from gateway.settings.tree import Route
from gateway.tokens.contract import Counter
from gateway.wire.chat import ChatRequest, read_chat_request
from gateway.wire.prompt import PREFIX


def render(text: str, config: Path, *, variables: Path | None, messages: Path | None, route: str | None, as_json: bool) -> None:
    """Print what a call of the version that `text` means would send with the variables and messages of two files."""
    with exits():
        opened = open_prompts(config)
        version = opened.chosen(text, lambda: current_labels(opened.settings))
        request = request_of(version, variables=variables, messages=messages, route=route)
        name = request.model if version.route is None else version.route
        counting = Counting(opened.settings, name)
        found = asyncio.run(_previewed(version, request, route=opened.settings.routes.get(name), counting=counting))
    if as_json:
        print_json(found)
        return
    if counting.note:
        typer.echo(counting.note, err=True)
    _print(found)


def request_of(version: Version, *, variables: Path | None, messages: Path | None, route: str | None) -> ChatRequest:
    """Return the request that a caller would send; raises `SettingsError` for a file, `InvalidRequest` for what it holds."""
    called = {} if variables is None else {"variables": _json(variables, "--vars")}
    body: dict[str, Any] = {"model": f"{PREFIX}{version.reference}", "prompt": called}
    if route is not None:
        body = {"model": route, "prompt": {"id": version.id, "version": version.name, **called}}
    if messages is not None:
        body["messages"] = _json(messages, "--messages")
    return read_chat_request(msgspec.json.encode(body))


async def _previewed(version: Version, request: ChatRequest, *, route: Route | None, counting: Counting) -> Preview:
    async with counting as counter:
        return await preview(Chosen(version, ""), request, window=window_of(route, counter))


def window_of(route: Route | None, counter: Counter) -> Window:
    """Return what a route says of tokens; of one that is not there nothing is known."""
    if route is None:
        return Window(None, 0, counter, "neutralise")
    return Window(route.context_window, route.max_output_tokens, counter, route.control_tokens)


def _json(path: Path, option: str) -> msgspec.Raw:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{option}: {path} cannot be read: {error.strerror}") from error
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise SettingsError(f"{option}: {path} is not JSON: {error}") from error
    return msgspec.Raw(data)


def _print(found: Preview) -> None:
    for each in found.messages:
        name = each.message.get("name")
        typer.echo(f"── {each.message['role']}{f' {name}' if name else ''}, {each.tokens} tokens")
        typer.echo(printable(_content(each.message)))
    typer.echo(f"\n{found.version} for {found.route}, contract {found.contract}, digest {found.digest}")
    counted = "counted" if found.exact else "at most"
    typer.echo(f"{found.tokens} tokens with what a chat template adds, {counted} ({found.counted_by})")
    for left in found.trimmed:
        typer.echo(f"left out of {left.input}: {left.items} items, {left.tokens} tokens")
    if found.neutralised:
        typer.echo(f"control tokens of a chat template in variables: {found.neutralised}")
    for drift in found.drift:
        typer.echo(f"differs from the contract, which is only watched: {drift.input or 'an undeclared name'} ({drift.kind})")


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    rest = {key: value for key, value in message.items() if key not in {"role", "name"}}
    return msgspec.json.format(msgspec.json.encode(rest), indent=2).decode()
