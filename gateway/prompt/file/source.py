"""A prompt's file, read: front matter, body with its fragments, digest. Pure: takes bytes and what reads a fragment."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from gateway.prompt.file.document import read_document
from gateway.prompt.file.fragments import Origin, expand
from gateway.prompt.file.frontmatter import FrontMatter
from gateway.prompt.file.limits import LIMITS
from gateway.prompt.file.problem import Problem, PromptInvalid
from gateway.prompt.file.reading import read_front
from gateway.prompt.file.report import Report
from gateway.prompt.file.text import read_text

_FENCE = re.compile(r"^---[ \t]*(?:\n|\Z)", re.MULTILINE)
_FRONT_LINE = 2


@dataclass(frozen=True, slots=True)
class Source:
    """A prompt's file as it was read.

    `file` is relative to the folder of prompts, `body` has its fragments in place and ends its lines with LF, `body_line` is
    the line of the file where it starts. `fragments` are the paths used, each once, sorted. `digest` is SHA-256 in hexadecimal
    over the file's bytes, then path and bytes of every fragment in the order of `fragments`, each behind its length in 8
    bytes, big endian. `origins` are file and line of each line of the body.
    """

    file: str
    front: FrontMatter
    body: str
    body_line: int
    digest: str
    fragments: tuple[str, ...]
    origins: tuple[Origin, ...]
    warnings: tuple[Problem, ...] = ()

    def line_of(self, body_line: int) -> Origin:
        """Return file and line of a line of the body, counted from 1; a line of a fragment names the fragment."""
        return self.origins[min(max(body_line, 1), len(self.origins)) - 1]


def read_source(file: str, data: bytes, *, fragment: Callable[[str], bytes]) -> Source:
    """Read a prompt's file; raises `PromptInvalid` with all problems found, each with file and line.

    `file` is its path relative to the folder of prompts; its folder's name must be the prompt's. `fragment` reads a fragment by
    its path relative to the folder of prompts, such as `_fragments/tone.md`; the path is normal (no `..`, not absolute), what
    it leads to is for the function to judge. It raises `OSError` where there is none, or none that may be read.
    """
    text = read_text(file, data)
    front_text, body, body_line = _parted(file, text)
    document = read_document(file, front_text, first_line=_FRONT_LINE)
    report = Report(file, document)
    front = read_front(report, document, folder=_folder(file))
    expanded = expand(file, body, first_line=body_line, fragment=fragment)
    problems = [*report.problems, *expanded.problems]
    if any(problem.severity == "error" for problem in problems):
        raise PromptInvalid(problems)
    return Source(
        file=file,
        front=front,
        body=expanded.text,
        body_line=body_line,
        digest=digest_of(data, expanded.fragments),
        fragments=tuple(sorted(expanded.fragments)),
        origins=expanded.origins,
        warnings=tuple(sorted(problems)),
    )


def digest_of(data: bytes, fragments: Mapping[str, bytes]) -> str:
    """Return the digest of a prompt's bytes and its fragments' by path, as `Source` says."""
    hashed = hashlib.sha256()
    parts = [data]
    for path in sorted(fragments):
        parts += (path.encode(), fragments[path])
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.hexdigest()


def _folder(file: str) -> str | None:
    folder = PurePosixPath(file).parent.name
    return folder or None


def _parted(file: str, text: str) -> tuple[str, str, int]:
    """Return front matter, body and the line where the body starts: the front matter stands between two lines `---`."""
    opening = _FENCE.match(text)
    if opening is None:
        raise PromptInvalid([Problem(file, 1, "must begin with a line ---, the front matter and another line ---")])
    closing = _FENCE.search(text, opening.end())
    if closing is None:
        raise PromptInvalid([Problem(file, 1, "has a front matter that does not end: a line --- is missing")])
    front = text[opening.end() : closing.start()]
    if len(front.encode()) > LIMITS.front_bytes:
        raise PromptInvalid([Problem(file, 1, f"has a front matter of more than {LIMITS.front_bytes} bytes")])
    return front, text[closing.end() :], text.count("\n", 0, closing.end()) + 1
