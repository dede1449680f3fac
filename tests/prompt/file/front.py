"""Reads prompts written out in tests, and tells what is wrong with them by line."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

from gateway.prompt.file.frontmatter import FrontMatter
from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.file.source import Source, read_source

FILE = "support/triage/draft.prompty"


def source(front: str, body: str = "user:\nHello\n", *, fragments: Mapping[str, bytes] | None = None) -> Source:
    """Read a prompt with this front matter and body; its first line of front matter is line 2."""
    have = fragments or {}

    def fragment(path: str) -> bytes:
        if path not in have:
            raise FileNotFoundError(path)
        return have[path]

    return read_source(FILE, f"---\n{dedent(front).strip()}\n---\n{body}".encode(), fragment=fragment)


def front(text: str) -> FrontMatter:
    """Read a front matter."""
    return source(text).front


def problems(text: str, body: str = "user:\nHello\n", *, fragments: Mapping[str, bytes] | None = None) -> list[str]:
    """Return everything that is wrong with a prompt, each with its line, and with its file where that is another one."""
    try:
        found = source(text, body, fragments=fragments).warnings
    except PromptInvalid as error:
        found = error.problems
    return [
        f"{'warning ' if one.severity == 'warning' else ''}{one.sentence().removeprefix(FILE).removeprefix(':')}" for one in found
    ]
