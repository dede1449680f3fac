from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import Conflict, InvalidRequest, NotFound, Unavailable
from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.library.loading import load_library
from gateway.prompt.library.lock import FILE, read_lock
from gateway.prompt.library.publish import Published, _try_lock, _write, publish
from tests.prompt.shelf import TRIAGE, names, prompty, put, sentences

REPOSITORY = Path(__file__).resolve().parents[3]
V1, V2, DRAFT = (f"{TRIAGE}/{name}.prompty" for name in ("v1", "v2", "draft"))


def state(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def refused(root: Path, error: type[Exception], match: str) -> None:
    """See it refused, and nothing written."""
    before = state(root)
    with pytest.raises(error, match=match):
        publish(root, TRIAGE)
    assert state(root) == before


def published(root: Path, text: str | None = None) -> Published:
    put(root, DRAFT, text)
    return publish(root, TRIAGE)


# Refusals


@pytest.mark.parametrize("prompt", ["triage", "../support/triage", "support/triage@v1", "Support/Triage", ""])
def test_a_malformed_id_is_not_found(tmp_path: Path, prompt: str) -> None:
    put(tmp_path, DRAFT)
    with pytest.raises(NotFound) as caught:
        publish(tmp_path, prompt)
    assert caught.value.code == "prompt_not_found"


def test_a_prompt_without_a_draft_is_not_found(tmp_path: Path) -> None:
    put(tmp_path, V1)
    refused(tmp_path, NotFound, "no such prompt")


@pytest.mark.parametrize(
    "text", ["", "---\nhalf", prompty("{{unknown}} {{ticket}}"), prompty("{% include '_fragments/missing.md' %} {{ticket}}")]
)
def test_a_draft_that_cannot_be_served_is_not_published(tmp_path: Path, text: str) -> None:
    put(tmp_path, DRAFT, text)
    refused(tmp_path, PromptInvalid, DRAFT)


def test_a_draft_behind_a_link_out_of_the_folder_is_not_published(tmp_path: Path) -> None:
    root = tmp_path / "prompts"
    secret = put(tmp_path, "secret.prompty")
    put(root, DRAFT).unlink()
    (root / DRAFT).symlink_to(secret)
    refused(root, PromptInvalid, "leads out of the folder")


def test_a_draft_that_is_the_latest_version_is_not_published_again(tmp_path: Path) -> None:
    published(tmp_path)
    refused(tmp_path, InvalidRequest, "The draft is v1: there is nothing to publish")


def test_an_incompatible_change_under_the_same_contract_is_refused_with_its_reasons(tmp_path: Path) -> None:
    published(tmp_path)
    put(tmp_path, DRAFT, prompty("{{ticket}} {{tone}}", inputs=("ticket", "tone")))
    refused(tmp_path, Conflict, r"refuses variables that v1 takes: .*tone.*Raise metadata\.gateway\.contract to 2")
    with pytest.raises(Conflict) as caught:
        publish(tmp_path, TRIAGE)
    assert caught.value.code == "prompt_contract_mismatch"


def test_an_incompatible_change_with_a_higher_contract_is_published(tmp_path: Path) -> None:
    published(tmp_path)
    second = published(tmp_path, prompty("{{ticket}} {{tone}}", inputs=("ticket", "tone"), contract=2))
    assert (second.name, second.contract) == ("v2", 2)


def test_a_contract_never_goes_back(tmp_path: Path) -> None:
    published(tmp_path, prompty(contract=3))
    put(tmp_path, DRAFT, prompty("New {{ticket}}", contract=2))
    refused(tmp_path, Conflict, "never goes back")


@pytest.mark.parametrize("spoil", ["change", "remove"])
def test_a_draft_that_cannot_be_compared_with_the_latest_version_is_refused(tmp_path: Path, spoil: str) -> None:
    published(tmp_path)
    if spoil == "change":
        put(tmp_path, V1, prompty("changed {{ticket}}"))
    else:
        (tmp_path / V1).unlink()
    put(tmp_path, DRAFT, prompty("New {{ticket}}"))
    refused(tmp_path, PromptInvalid, V1)


def test_a_lock_with_a_line_that_cannot_be_read_is_not_written_anew(tmp_path: Path) -> None:
    published(tmp_path)
    with (tmp_path / FILE).open("a") as lock:
        lock.write("<<<<<<< HEAD\n")
    put(tmp_path, DRAFT, prompty("New {{ticket}}"))
    refused(tmp_path, PromptInvalid, f"{FILE}:2")


def test_another_file_in_the_place_of_the_new_version_is_not_overwritten(tmp_path: Path) -> None:
    published(tmp_path)
    put(tmp_path, V2, prompty("by hand {{ticket}}"))
    put(tmp_path, DRAFT, prompty("New {{ticket}}"))
    refused(tmp_path, PromptInvalid, "lies there without a line")


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, DRAFT)
    (tmp_path / FILE).mkdir()
    refused(tmp_path, PromptInvalid, f"{FILE}: cannot be written")


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    put(tmp_path, DRAFT)
    (tmp_path / TRIAGE / ".v1.prompty.new").mkdir()
    put(tmp_path, FILE, "")
    refused(tmp_path, PromptInvalid, "cannot be written")


# Publishing


def test_the_draft_becomes_the_next_version_byte_for_byte(tmp_path: Path) -> None:
    text = prompty("crlf {{ticket}}").replace("\n", "\r\n") + "\r\n\r\n"
    (tmp_path / TRIAGE).mkdir(parents=True)
    (tmp_path / DRAFT).write_bytes(text.encode())
    first = publish(tmp_path, TRIAGE)
    assert (first.id, first.name, first.contract, first.file) == (TRIAGE, "v1", 1, V1)
    assert (tmp_path / V1).read_bytes() == text.encode()
    library = load_library(tmp_path)
    assert names(library) == {TRIAGE: ["v1", "draft"]}
    assert sentences(library) == []
    version = library.get(TRIAGE, "v1")
    assert version is not None
    assert version.digest == first.digest


def test_numbers_go_on_and_every_line_stays(tmp_path: Path) -> None:
    put(tmp_path, "a/b/draft.prompty")
    publish(tmp_path, "a/b")
    for number in range(1, 12):
        assert published(tmp_path, prompty(f"{number} {{{{ticket}}}}")).name == f"v{number}"
    library = load_library(tmp_path)
    assert sentences(library) == []
    assert library.count == 14


def test_a_changed_fragment_makes_a_new_version(tmp_path: Path) -> None:
    text = prompty('{% include "_fragments/one.md" %}{{ticket}}')
    put(tmp_path, "_fragments/one.md", "one")
    published(tmp_path, text)
    put(tmp_path, "_fragments/two.md", "two")
    published(tmp_path, text.replace("one", "two"))
    assert names(load_library(tmp_path)) == {TRIAGE: ["v1", "v2", "draft"]}


def test_no_more_than_the_version_and_the_lock_is_left(tmp_path: Path) -> None:
    published(tmp_path)
    assert set(state(tmp_path)) == {DRAFT, V1, FILE}


# At the same time


def test_it_waits_for_another_publication_and_says_so_if_that_does_not_end(tmp_path: Path) -> None:
    published(tmp_path)
    put(tmp_path, DRAFT, prompty("New {{ticket}}"))
    with (tmp_path / FILE).open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable) as caught:
            publish(tmp_path, TRIAGE, patience=0.0)
        assert caught.value.retry_after
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(publish, tmp_path, TRIAGE)
            fcntl.flock(held, fcntl.LOCK_UN)
            assert waiting.result().name == "v2"


@pytest.mark.parametrize("other", ["replaced", "missing"])
def test_a_lock_of_a_file_that_was_replaced_meanwhile_does_not_count(tmp_path: Path, other: str) -> None:
    class Moved(type(tmp_path)):  # type: ignore[misc]  # where the file lies by the time that the lock is held
        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            return os.stat(self.parent / other, follow_symlinks=follow_symlinks)  # noqa: PTH116  # not its own, again

    put(tmp_path, "replaced", "")
    assert _try_lock(Moved(tmp_path / FILE)) is None
    handle = _try_lock(tmp_path / FILE)
    assert handle is not None
    os.close(handle)


def test_what_the_next_publication_writes_beside_the_lock_is_left_alone(tmp_path: Path) -> None:
    class Followed(type(tmp_path)):  # type: ignore[misc]  # once it is in place, another publication begins to write
        def replace(self, target: Path) -> None:
            super().replace(target)
            self.write_text("the next")

    lock = tmp_path / FILE
    _write([(Followed(lock), b"ours")])
    assert lock.read_bytes() == b"ours"
    assert (tmp_path / f".{FILE}.new").read_text() == "the next"


def test_publications_at_the_same_time_get_one_number_each(tmp_path: Path) -> None:
    def one(number: int) -> str | None:
        beside = put(tmp_path, f"{TRIAGE}/.{number}", prompty(f"{number} {{{{ticket}}}}"))
        beside.replace(tmp_path / DRAFT)
        try:
            return publish(tmp_path, TRIAGE).name
        except InvalidRequest:  # another one published this draft
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [name for name in pool.map(one, range(24)) if name is not None]
    assert sorted(made, key=lambda name: int(name[1:])) == [f"v{number}" for number in range(1, len(made) + 1)]
    library = load_library(tmp_path)
    assert sentences(library) == []
    assert len(library.published(TRIAGE)) == len(made)
    assert len({version.digest for version in library.published(TRIAGE)}) == len(made)


def test_publications_of_several_processes_lose_no_line(tmp_path: Path) -> None:
    prompts = [f"a/p{number}" for number in range(4)]
    for prompt in prompts:
        put(tmp_path, f"{prompt}/draft.prompty")
    script = (
        "import sys, pathlib\nfrom gateway.prompt.library.publish import publish\npublish(pathlib.Path(sys.argv[1]), sys.argv[2])"
    )
    started = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), prompt], cwd=REPOSITORY) for prompt in prompts]
    assert [process.wait(timeout=50) for process in started] == [0] * len(prompts)
    assert set(read_lock((tmp_path / FILE).read_bytes()).versions) == {f"{prompt}/v1" for prompt in prompts}


# Crashes


def test_whenever_it_is_killed_a_version_is_published_or_it_is_not(tmp_path: Path) -> None:
    folder, copies = tmp_path / "prompts", tmp_path / "copies"
    first = published(folder)
    put(folder, DRAFT, prompty("New {{ticket}}"))
    copies.mkdir()
    script = Path(__file__).with_name("killed.py")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    report = subprocess.run(
        [sys.executable, str(script), str(folder), str(copies)], check=True, env=environment, stdout=subprocess.PIPE
    )
    ends = report.stdout.decode().split("\n")[:-1]
    assert ends[-1] == "exit 0"
    assert set(ends[:-1]) == {"killed"}
    assert len(ends) > 8
    seen = set()
    for steps in range(1, len(ends) + 1):
        root = copies / str(steps)
        library = load_library(root)
        version = library.get(TRIAGE, "v1")
        assert version is not None
        assert version.digest == first.digest
        done = library.get(TRIAGE, "v2") is not None
        seen.add((done, (root / V2).exists()))
        if not done:
            assert publish(root, TRIAGE).name == "v2"
        assert (root / V2).read_bytes() == (root / DRAFT).read_bytes()
        after = load_library(root)
        assert (names(after), sentences(after)) == ({TRIAGE: ["v1", "v2", "draft"]}, [])
    assert seen == {(False, False), (False, True), (True, True)}
