from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.prompt.file.problem import Problem
from gateway.prompt.library.library import Library
from gateway.prompt.library.loading import load_library
from gateway.prompt.library.publish import publish
from gateway.prompt.library.watch import Changes, Watch, system_changes
from tests.prompt.shelf import TRIAGE, names, prompty, put, seal

V1, DRAFT = f"{TRIAGE}/v1.prompty", f"{TRIAGE}/draft.prompty"
PATIENCE = 30.0


class Told:
    """Takes libraries and is told of them, in the order in which it happens."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[Library, int, tuple[Problem, ...]]] = queue.Queue()
        self.library = Library()
        self.unwatched = threading.Event()

    def take(self, library: Library) -> None:
        self.library = library

    def prompts_loaded(self, count: int, problems: tuple[Problem, ...]) -> None:
        self.events.put((self.library, count, problems))

    def prompts_unwatched(self) -> None:
        self.unwatched.set()

    def wait(self, until: Callable[[Library], bool]) -> Library:
        """Return the first library for which something holds; everything that comes before is passed over."""
        while True:
            library, count, problems = self.events.get(timeout=PATIENCE)
            assert (count, problems) == (library.count, library.problems)
            if until(library):
                return library


class Signs:
    """Changes that the test tells of itself."""

    def __init__(self) -> None:
        self.queue: queue.Queue[object] = queue.Queue()

    def __call__(self, _path: Path, stop: threading.Event) -> Iterator[object]:
        while not stop.is_set():
            try:
                sign = self.queue.get(timeout=0.01)
            except queue.Empty:
                continue
            if isinstance(sign, Exception):
                raise sign
            yield sign
            self.queue.task_done()  # whoever was told has done what there was to do


@contextmanager
def watching(path: Path, told: Told, changes: Changes = system_changes, *, every: float = 60.0) -> Iterator[Watch]:
    told.library = load_library(path)
    watch = Watch(path, told.library, take=told.take, observer=told, changes=changes, every=every, blind=0.01)
    watch.start()
    try:
        yield watch
    finally:
        watch.close()


def text(library: Library, name: str = "draft") -> str:
    version = library.get(TRIAGE, name)
    return "" if version is None else version.source.body


def has(word: str) -> Callable[[Library], bool]:
    return lambda library: word in text(library)


def is_broken(library: Library) -> bool:
    return bool(library.problems)


def is_whole(library: Library) -> bool:
    return not library.problems


# With the system's own signs


def test_a_broken_draft_is_told_and_not_served_until_it_is_whole_again(tmp_path: Path) -> None:
    put(tmp_path, DRAFT)
    told = Told()
    with watching(tmp_path, told):
        put(tmp_path, DRAFT, "---\nhalf")
        assert names(told.wait(is_broken)) == {}
        put(tmp_path, DRAFT, prompty("whole {{ticket}}"))
        assert names(told.wait(has("whole"))) == {TRIAGE: ["draft"]}


def test_a_save_by_rename_as_editors_do_is_seen(tmp_path: Path) -> None:
    put(tmp_path, DRAFT)
    told = Told()
    with watching(tmp_path, told):
        put(tmp_path, f"{TRIAGE}/.draft.swp", prompty("renamed {{ticket}}")).replace(tmp_path / DRAFT)
        told.wait(has("renamed"))


def test_new_prompts_new_versions_and_removals_are_seen(tmp_path: Path) -> None:
    put(tmp_path, DRAFT)
    told = Told()
    with watching(tmp_path, told):
        publish(tmp_path, TRIAGE)
        told.wait(lambda library: is_whole(library) and library.get(TRIAGE, "v1") is not None)
        put(tmp_path, "a/b/draft.prompty")
        told.wait(lambda library: library.get("a/b", "draft") is not None)
        shutil.rmtree(tmp_path / "a")
        told.wait(lambda library: library.ids() == (TRIAGE,))


def test_a_published_version_that_is_deleted_is_told_and_goes_on_being_served(tmp_path: Path) -> None:
    put(tmp_path, V1, prompty("first {{ticket}}"))
    seal(tmp_path)
    told = Told()
    with watching(tmp_path, told):
        (tmp_path / V1).unlink()
        assert "first" in text(told.wait(is_broken), "v1")
        put(tmp_path, V1, prompty("first {{ticket}}"))
        assert "first" in text(told.wait(is_whole), "v1")


def test_a_folder_that_comes_later_is_seen(tmp_path: Path) -> None:
    told = Told()
    with watching(tmp_path / "prompts", told):
        put(tmp_path, f"prompts/{DRAFT}", prompty("late {{ticket}}"))
        told.wait(has("late"))


def test_a_link_that_is_turned_to_another_folder_is_seen(tmp_path: Path) -> None:
    for release in ("one", "two"):
        put(tmp_path, f"{release}/{DRAFT}", prompty(f"release {release} {{{{ticket}}}}"))
    (tmp_path / "prompts").symlink_to("one")
    told = Told()
    with watching(tmp_path / "prompts", told):
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").replace(tmp_path / "prompts")
        told.wait(has("release two"))
        put(tmp_path, f"two/{DRAFT}", prompty("after {{ticket}}"))
        told.wait(has("after"))


def test_what_changed_before_the_watch_began_is_found(tmp_path: Path) -> None:
    told = Told()
    told.library = load_library(tmp_path)
    put(tmp_path, DRAFT, prompty("between {{ticket}}"))
    watch = Watch(tmp_path, told.library, take=told.take, observer=told)
    watch.start()
    try:
        told.wait(has("between"))
    finally:
        watch.close()


# With signs of the test's own


def test_a_library_that_is_the_same_is_neither_taken_nor_told(tmp_path: Path) -> None:
    put(tmp_path, DRAFT, prompty("one {{ticket}}"))
    told, signs = Told(), Signs()
    with watching(tmp_path, told, signs):
        first = told.library
        put(tmp_path, "README.md", "not ours")
        put(tmp_path, DRAFT, prompty("one {{ticket}}"))
        signs.queue.put({"a change"})
        signs.queue.put({"no change"})
        signs.queue.join()
        assert told.events.empty()
        assert told.library is first
        put(tmp_path, "a/b/draft.prompty")
        signs.queue.put({"a change"})
        library = told.wait(lambda library: library.get("a/b", "draft") is not None)
        assert library.get(TRIAGE, "draft") is first.get(TRIAGE, "draft")


def test_where_the_system_cannot_watch_the_folder_is_looked_at_all_the_same(tmp_path: Path) -> None:
    def unwatchable(_path: Path, _stop: threading.Event) -> Iterator[object]:
        raise OSError(28, "No space left on device")  # what inotify says at its limit

    told = Told()
    with watching(tmp_path, told, unwatchable):
        put(tmp_path, DRAFT, prompty("seen {{ticket}}"))
        told.wait(has("seen"))


def test_a_watch_that_fails_is_begun_anew(tmp_path: Path) -> None:
    told, signs = Told(), Signs()
    with watching(tmp_path, told, signs):
        signs.queue.put(RuntimeError("the system's watch broke"))
        put(tmp_path, DRAFT, prompty("after {{ticket}}"))
        signs.queue.put({"a change"})
        told.wait(has("after"))


def test_a_change_that_the_system_does_not_tell_of_is_found_in_a_while(tmp_path: Path) -> None:
    told, signs = Told(), Signs()
    with watching(tmp_path, told, signs, every=0.0):
        signs.queue.put(set())
        put(tmp_path, DRAFT, prompty("silent {{ticket}}"))
        signs.queue.put(set())
        told.wait(has("silent"))


def test_until_then_the_folder_is_not_looked_at_for_nothing(tmp_path: Path) -> None:
    told, signs = Told(), Signs()
    with watching(tmp_path, told, signs):
        put(tmp_path, DRAFT, prompty("one {{ticket}}"))
        signs.queue.put(set())
        told.wait(has("one"))  # the first sign tells that the system watches from now on
        put(tmp_path, DRAFT, prompty("two {{ticket}}"))
        signs.queue.put(set())
        signs.queue.put(set())
        signs.queue.join()
        assert told.events.empty()
        signs.queue.put({"a change"})
        told.wait(has("two"))


def test_reload_looks_at_once(tmp_path: Path) -> None:
    told = Told()
    with watching(tmp_path, told, Signs()) as watch:
        put(tmp_path, DRAFT, prompty("now {{ticket}}"))
        assert "now" in text(watch.reload())
        assert "now" in text(told.library)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_is_told_before_the_thread_ends(tmp_path: Path) -> None:
    class Broken(Told):
        def take(self, library: Library) -> None:
            super().take(library)
            raise RuntimeError("no fault of the folder's")

    told, signs = Broken(), Signs()
    with watching(tmp_path, told, signs):
        put(tmp_path, DRAFT)
        signs.queue.put({"a change"})
        assert told.unwatched.wait(PATIENCE)


def test_it_can_be_closed_twice_and_without_a_start(tmp_path: Path) -> None:
    told = Told()
    watch = Watch(tmp_path, Library(), take=told.take, observer=told)
    watch.close()
    with watching(tmp_path, told) as started:
        started.close()
    assert not told.unwatched.is_set()
