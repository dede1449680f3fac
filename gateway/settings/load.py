"""Reads gateway.toml and the environment into `Settings`, or says in one sentence what is wrong."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.errors import SettingsError
from gateway.settings.overlay import overlay
from gateway.settings.problem import from_pydantic
from gateway.settings.rules import broken
from gateway.settings.tree import Route, Settings, UpstreamServer
from gateway.settings.values import FROM_FILE


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a file with the environment laid over it and all paths absolute.

    Raises `SettingsError` for the first problem: file, key and what to do, never a value.
    """
    settings, found = _read(path, environ)
    if settings is None:
        raise SettingsError(found[0])
    return settings


def problems(path: Path, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return every problem that `load` could raise, one sentence each; empty when the file can be used."""
    return _read(path, environ)[1]


def _read(path: Path, environ: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    """Return either settings and no problem, or no settings and at least one problem."""
    try:
        data = _decoded(path)
    except SettingsError as error:
        return None, [str(error)]
    laid = overlay(data, environ)
    found = list(laid.problems)
    try:
        settings = Settings.model_validate(data, context={FROM_FILE: True})
    except ValidationError as error:
        wrong = from_pydantic(error.errors(include_url=False, include_input=False))
    else:
        wrong = list(broken(settings))
        if not found and not wrong:
            return _absolute(settings, path.absolute().parent), []
    return None, found + [each.sentence(str(path), laid.origins) for each in wrong]


def _decoded(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: no {path.name} here: name your file with -c, or copy deploy/gateway.example.toml and edit it"
        ) from None
    except IsADirectoryError:
        raise SettingsError(f"{path}: is a folder: name the file itself, such as {path / 'gateway.toml'}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}): see its permissions") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 at byte {error.start}: save it as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, a nesting of thousands of levels
        raise SettingsError(f"{path}: is not TOML that can be read: a number is too long or lists are nested too deep") from None


def _absolute(settings: Settings, folder: Path) -> Settings:
    store = settings.store.model_copy(update={"path": _inside(folder, settings.store.path)})
    upstreams = {name: _with_absolute_key(upstream, folder) for name, upstream in settings.upstreams.items()}
    prompts = settings.prompts.model_copy(update={"path": _inside(folder, settings.prompts.path)})
    routes = {name: _with_absolute_tokenizer(route, folder) for name, route in settings.routes.items()}
    return settings.model_copy(update={"store": store, "upstreams": upstreams, "prompts": prompts, "routes": routes})


def _with_absolute_tokenizer(route: Route, folder: Path) -> Route:
    if not route.tokenizer.endswith(".json"):
        return route
    return route.model_copy(update={"tokenizer": str(_inside(folder, Path(route.tokenizer)))})


def _with_absolute_key(upstream: UpstreamServer, folder: Path) -> UpstreamServer:
    if upstream.api_key is None or not upstream.api_key.startswith("file:"):
        return upstream
    file = _inside(folder, Path(upstream.api_key.removeprefix("file:")))
    return upstream.model_copy(update={"api_key": f"file:{file}"})


def _inside(folder: Path, path: Path) -> Path:
    return Path(os.path.normpath(folder / path))
