"""The prompts that a command works on: the library as it lies in its folder, labels as they stand in the store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import InvalidRequest, NotFound, SettingsError
from gateway.prompt.file.names import is_id
from gateway.prompt.label.labels import Labels
from gateway.prompt.library.folder import Folder
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import load_library
from gateway.prompt.library.version import Version
from gateway.prompt.reference import PREFIX, Reference, reference_of
from gateway.settings.keys import advice
from gateway.settings.load import load
from gateway.settings.tree import Settings

if TYPE_CHECKING:
    from gateway.prompt.label.table import LabelTable


@dataclass(frozen=True, slots=True)
class Opened:
    """Settings and the library that their folder holds now."""

    settings: Settings
    library: Library

    @property
    def folder(self) -> Path:
        """The folder of prompts, as a person here would write it."""
        path = self.settings.prompts.path
        near = Path(os.path.relpath(path))
        return path if near.parts[:1] == ("..",) else near

    def versions(self, prompt: str) -> Mapping[str, Version]:
        """Return a prompt's versions by name; raises `SettingsError` where there is no such prompt."""
        if not is_id(prompt):
            raise SettingsError(f"{prompt!r} is no prompt: write '<namespace>/<name>', such as support/triage")
        versions = self.library.prompts.get(prompt)
        if versions is None:
            hint = advice(prompt, self.library.ids())
            raise SettingsError(f"There is no prompt {prompt} in {self.folder}: {hint}{self._look(prompt)}")
        return versions

    def version(self, prompt: str, name: str) -> Version:
        """Return a version; raises `SettingsError` where it is not there, or cannot be used."""
        versions = self.versions(prompt)
        if name not in versions:
            hint = self._look(prompt) or f": there are {', '.join(versions)}"
            raise SettingsError(f"There is no {prompt}@{name}{hint}")
        return versions[name]

    def chosen(self, text: str, labels: Callable[[], Labels]) -> Version:
        """Return the version that `support/triage@production` means; only a label asks for `labels`."""
        asked = reference(text)
        if asked.version is not None:
            return self.version(asked.id, asked.version)
        self.versions(asked.id)
        name = self.standing(asked.id, labels()).get(asked.label or "")
        if name is None:
            raise SettingsError(f"{asked.id} has no label {asked.label}: write a version, such as {asked.id}@v1")
        return self.version(asked.id, name)

    def read(self, file: str) -> bytes | None:
        """Return a file of the folder, None where there is none; raises `SettingsError` where it cannot be read."""
        try:
            return Folder(self.settings.prompts.path).read(file)[0]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SettingsError(f"{self.folder / file}: cannot be read: {error.strerror}") from error

    def standing(self, prompt: str, labels: Labels) -> dict[str, str]:
        """Return a prompt's labels and the version that each stands for; one that was never moved is what labels.yaml says."""
        return {
            **self.library.seeds.get(prompt, {}),
            **{label: move.version for label, move in labels.labels(prompt).items()},
        }

    def _look(self, prompt: str) -> str:
        broken = any(each.file.startswith(f"{prompt}/") and each.severity == "error" for each in self.library.problems)
        return ", and some of its files cannot be used: run 'gatehouse prompts check'" if broken else ""


def open_prompts(config: Path) -> Opened:
    """Return the settings of a file and the library of its folder; raises `SettingsError`."""
    settings = load(config)
    return Opened(settings, load_library(settings.prompts.path))


def reference(text: str) -> Reference:
    """Return what a person's `support/triage@v2` means; raises `SettingsError`."""
    found = None
    with suppress(NotFound):
        found = reference_of(PREFIX + text)
    if found is None:
        raise SettingsError(f"{text!r} is no prompt: write '<namespace>/<name>', and behind it '@v2', '@draft' or '@<label>'")
    return found


@contextmanager
def label_table(settings: Settings) -> Iterator[LabelTable]:
    """Open the labels in the store; raises `SettingsError`."""
    from gateway.prompt.label.table import LabelTable  # noqa: PLC0415  # SQLAlchemy, which other commands do without
    from gateway.store.migrate import open_store  # noqa: PLC0415  # as above

    engine = open_store(settings.store)
    try:
        yield LabelTable(engine)
    finally:
        engine.dispose()


def current_labels(settings: Settings) -> Labels:
    """Return what every label stands for now; raises `SettingsError`, or `Unavailable`."""
    with label_table(settings) as table:
        return Labels(table.current())


@contextmanager
def wrong_use(missing: str) -> Iterator[None]:
    """Turn what the domain refuses of what was typed into wrong use of the command; `missing` is said of what is not there."""
    try:
        yield
    except InvalidRequest as error:
        raise SettingsError(error.message.rstrip(".")) from error
    except NotFound as error:
        raise SettingsError(missing) from error
