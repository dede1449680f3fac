"""A folder of prompts on the disk, for tests: files as people write them, and prompts.lock as publishing leaves it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gateway.prompt.file.names import DRAFT
from gateway.prompt.file.source import read_source
from gateway.prompt.library.folder import Folder
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import Fragments, load_library
from gateway.prompt.library.lock import FILE, write_lock

TRIAGE = "support/triage"
V1, V2, DRAFT_FILE = (f"{TRIAGE}/{name}.prompty" for name in ("v1", "v2", "draft"))
TONE = '{% include "_fragments/tone.md" %}\n{{ticket}}'


def prompty(body: str = "Triage {{ticket}}", *, contract: int = 1, inputs: Iterable[str] = ("ticket",), extra: str = "") -> str:
    """Return the text of a prompt's file whose inputs are strings; `extra` are lines of its front matter."""
    names = "".join(f"\n  - {{name: {name}, kind: string}}" for name in inputs)
    return (
        "---\n"
        f"metadata: {{gateway: {{contract: {contract}}}}}\n"
        "model: {id: chat, apiType: chat}\n"
        f"{extra}"
        f"inputs:{names or ' []'}\n"
        "---\n"
        f"system:\nBe brief.\nuser:\n{body}\n"
    )


def put(root: Path, file: str, text: str | None = None) -> Path:
    """Write a file, by default one that is a good prompt."""
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(prompty() if text is None else text)
    return path


def seal(root: Path) -> dict[str, str]:
    """Write into prompts.lock what lies there as published, and return it."""
    folder = Folder(root)
    fragments = Fragments(folder)
    digests = {}
    for prompt in folder.list().prompts:
        for name, found in prompt.versions.items():
            if name != DRAFT:
                source = read_source(found.file, folder.read(found.file)[0], fragment=fragments)
                digests[f"{prompt.id}/{name}"] = source.digest
    (root / FILE).write_bytes(write_lock(digests))
    return digests


def names(library: Library) -> dict[str, list[str]]:
    """Return the names of all versions by prompt."""
    return {prompt: [version.name for version in library.versions(prompt)] for prompt in library.ids()}


def sentences(library: Library) -> list[str]:
    """Return the library's problems as they are shown."""
    return [problem.sentence() for problem in library.problems]


def two(root: Path) -> Library:
    """Publish two versions, the first with a fragment, and return their library."""
    put(root, "_fragments/tone.md", "Be kind.")
    put(root, V1, prompty(TONE))
    put(root, V2, prompty("second {{ticket}}"))
    seal(root)
    library = load_library(root)
    assert names(library) == {TRIAGE: ["v1", "v2"]}
    assert sentences(library) == []
    return library
