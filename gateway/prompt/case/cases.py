"""cases.yaml: what a prompt is tried with and what is expected of the answers. Pure.

- name: a refund
  variables: {ticket: "I want my money back"}
  messages: [{role: user, content: "…"}]      # where the prompt takes the caller's messages
  expect:
    - is-json: true
    - contains: billing
    - latency: 5s
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.errors import InvalidRequest
from gateway.prompt.case.assertion import KINDS, Assertion, AssertionInvalid, assertion_of
from gateway.prompt.file.document import Document, Path, read_document
from gateway.prompt.file.problem import Problem, PromptInvalid
from gateway.prompt.file.text import read_text
from gateway.prompt.template.thread import read_thread
from gateway.settings.keys import advice, dotted

FILE: Final = "cases.yaml"
MOST_NAME: Final = 128
"""Characters."""

_KEYS: Final = ("name", "variables", "messages", "expect")
_LIST: Final = "cases"


@dataclass(frozen=True, slots=True)
class Case:
    """One case; `line` is where it begins. `messages` is None where the case sends none."""

    name: str
    line: int
    variables: Mapping[str, Any] = field(default_factory=dict)
    messages: list[Any] | None = None
    expect: tuple[Assertion, ...] = ()


def read_cases(file: str, data: bytes) -> tuple[tuple[Case, ...], tuple[Problem, ...]]:
    """Return the cases that can be run and all that is wrong; what is wrong with one leaves the others alone.

    `file` is relative to the folder of prompts.
    """
    try:
        # A document is a mapping: the list is read as what stands below a key, and its lines stay those of the file.
        text = _without_start(read_text(file, data)).replace("\n", "\n ")
        document = read_document(file, f"{_LIST}:\n {text}", first_line=0)
    except PromptInvalid as error:
        return (), tuple(_about_file(problem) for problem in error.problems)
    items = document.value[_LIST] or []
    if not isinstance(items, list):
        return (), (Problem(file, 1, "must be a list of cases, each beginning with '- name: …'"),)
    reading = _Reading(file, document)
    cases = tuple(case for place, item in enumerate(items) if (case := reading.case(item, place)) is not None)
    return cases, tuple(sorted((*map(_about_file, document.problems), *reading.problems)))


def _without_start(text: str) -> str:
    """Return a document without the line `---` that may begin it."""
    lines = text.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), 0)
    if lines[first].rstrip() == "---":
        lines[first] = ""
    return "\n".join(lines)


def _about_file(problem: Problem) -> Problem:
    return replace(problem, line=max(problem.line, 1), text=problem.text.replace("the front matter", "the file"))


class _Wrong(Exception):
    """A case cannot be run; its problem is noted."""


class _Reading:
    """Reads the cases of one file."""

    def __init__(self, file: str, document: Document) -> None:
        self._file = file
        self._document = document
        self._names: dict[str, int] = {}
        self.problems: list[Problem] = []

    def case(self, item: Any, place: int) -> Case | None:
        """Return a case, None where it cannot be run."""
        path: Path = (_LIST, place)
        before = len(self.problems)
        if not isinstance(item, dict):
            self._note(path, "must be a mapping with name, variables and expect")
            return None
        for key in item:
            if key not in _KEYS:
                self._note((*path, key), f"is not known: {advice(key, _KEYS)}")
        case = Case(
            self._name(item.get("name"), path),
            self._document.line(path),
            self._variables(item.get("variables", {}), path),
            self._messages(item.get("messages"), path),
            tuple(self._expected(item.get("expect"), (*path, "expect"))),
        )
        return case if len(self.problems) == before else None

    def _note(self, path: Path, text: str) -> None:
        self.problems.append(Problem(self._file, self._document.line(path), f"{dotted(path)} {text}"))

    def _name(self, name: Any, path: Path) -> str:
        path = (*path, "name")
        if not isinstance(name, str) or not name.strip() or len(name) > MOST_NAME or not name.isprintable():
            self._note(path, f"must be a text of one line and at most {MOST_NAME} characters")
            return ""
        line = self._names.setdefault(name, self._document.line(path))
        if line != self._document.line(path):
            self._note(path, f"is the name of the case in line {line} already")
        return name

    def _variables(self, variables: Any, path: Path) -> dict[str, Any]:
        if isinstance(variables, dict):
            return variables
        self._note((*path, "variables"), "must be a mapping of the prompt's inputs to values")
        return {}

    def _messages(self, messages: Any, path: Path) -> list[Any] | None:
        if messages is None:
            return None
        path = (*path, "messages")
        try:
            read_thread(messages, pointer=dotted(path))
        except InvalidRequest as error:
            self._note(path, f"must be messages of user, assistant and tool: {error.message}")
            return None
        read: list[Any] = messages
        return read

    def _expected(self, expect: Any, path: Path) -> Iterator[Assertion]:
        if not isinstance(expect, list) or not expect:
            self._note(path, "must be a list of at least one assertion, such as '- contains: refund'")
            return
        for place, item in enumerate(expect):
            here = (*path, place)
            if not isinstance(item, dict) or len(item) != 1:
                self._note(here, "must be one assertion, such as 'contains: refund'")
                continue
            ((kind, value),) = item.items()
            if kind not in KINDS:
                self._note((*here, kind), f"is not known: {advice(kind, KINDS)}")
                continue
            try:
                yield assertion_of(kind, value)
            except AssertionInvalid as error:
                self._note((*here, kind), str(error))
