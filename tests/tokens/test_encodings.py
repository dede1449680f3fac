"""OpenAI's encodings from tables on the disk: equal to tiktoken's own, and nothing is downloaded or deleted."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.encodings import ENCODINGS, FOLDER_VARIABLE, encoding_of, load_encoding, table_folders
from gateway.tokens.slices import SLICE_CHARS, slices_of
from gateway.tokens.tokenizer import Encode, TokenizerUnavailable

SHIPPED = ["p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony"]
NOWHERE = table_folders({})
SAMPLES = [
    "",
    "Hello, world! It's 12345.67 \u2014 don't\tyou\r\n\r\n  think   so?\n",
    "<|endoftext|><|im_start|>system",
    "Gr\u00fc\u00dfe aus K\u00f6ln, \u4e2d\u6587\u6ca1\u6709\u7a7a\u683c\uff0c\u65e5\u672c\u8a9e\u3002",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22",
    "e\u0301 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u01c5 \u02b0 \U0001d160 WE'RE we'Re HTTPServer camelCase",
    "    indented\n\t\tcode = {'a': [1, 2]}  # comment\n",
    "QUJD/+==" * 20,
]
MIXED = st.text(
    st.sampled_from("aB1 .,'sS\n\r\t\u00e9\u00df\u4e2d\u3002!-_/\u0301\u00a0\u01c5\u02b0\U0001f600\u0e44"), max_size=120
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with copies of the tables, so that a mistake can spoil nothing."""
    folder = tmp_path_factory.mktemp("tables")
    for place in NOWHERE:
        for encoding in ENCODINGS.values():
            if (place / encoding.table.file).exists():
                shutil.copy(place / encoding.table.file, folder)
    return folder


@pytest.fixture(scope="module")
def theirs(own: Path) -> Iterator[dict[str, tiktoken.Encoding]]:
    """Return tiktoken's own encodings, for which it finds the tables in its cache."""
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(own)
    yield {name: tiktoken.get_encoding(name) for name in SHIPPED}
    if before is None:
        del os.environ[FOLDER_VARIABLE]
    else:
        os.environ[FOLDER_VARIABLE] = before


@pytest.fixture(scope="module")
def ours() -> dict[str, Encode]:
    return {name: load_encoding(name, NOWHERE) for name in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_count_is_tiktoken_s_own(name: str, ours: dict[str, Encode], theirs: dict[str, tiktoken.Encoding]) -> None:
    for text in [*SAMPLES, *(Path(__file__).read_text(), "\n".join(SAMPLES) * 10)]:
        assert ours[name](text) == len(theirs[name].encode(text, disallowed_special=()))


@given(text=MIXED)
def test_a_count_is_tiktoken_s_own_for_every_text(
    text: str, ours: dict[str, Encode], theirs: dict[str, tiktoken.Encoding]
) -> None:
    for name in SHIPPED:
        assert ours[name](text) == len(theirs[name].encode(text, disallowed_special=()))


@given(text=MIXED, size=st.integers(2, 16))
def test_the_parts_of_a_text_have_as_many_tokens_as_the_text(text: str, size: int, ours: dict[str, Encode]) -> None:
    parts = slices_of(text, slice_chars=size).counted
    for name in SHIPPED:
        assert sum(map(ours[name], parts)) == ours[name](text)


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_the_parts_of_a_long_text_have_as_many_tokens_as_the_text(name: str, ours: dict[str, Encode]) -> None:
    text = "\n".join(SAMPLES) * 600
    parts = slices_of(text).counted
    assert len(parts) > 3
    assert max(map(len, parts)) < 2 * SLICE_CHARS
    assert sum(map(ours[name], parts)) == ours[name](text)


def test_control_a_cut_elsewhere_changes_the_count(ours: dict[str, Encode]) -> None:
    assert ours["o200k_base"]("tokeni") + ours["o200k_base"]("zation") != ours["o200k_base"]("tokenization")


@pytest.mark.parametrize("letter", [" ", "\t", "a", "\u4e2d", "\n", "!"])
def test_the_longest_stretch_is_counted_without_failing(letter: str, ours: dict[str, Encode]) -> None:
    stretch = letter * 131_072
    for name in SHIPPED:
        assert 0 < ours[name](stretch) <= len(stretch.encode())


def test_a_table_in_the_operators_folder_is_used(own: Path) -> None:
    assert load_encoding("cl100k_base", [own])("hello world") == 2


def test_the_operators_folder_comes_first(tmp_path: Path) -> None:
    assert table_folders({FOLDER_VARIABLE: str(tmp_path)}) == (tmp_path, *NOWHERE)


def test_a_missing_table_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        TokenizerUnavailable, match=r"the table of o200k_base is not on this machine\. Install .*TIKTOKEN_CACHE_DIR"
    ):
        load_encoding("o200k_base", [tmp_path, tmp_path / "nowhere"])


def test_a_damaged_table_is_passed_over_and_left_alone(own: Path, tmp_path: Path) -> None:
    file = tmp_path / ENCODINGS["cl100k_base"].table.file
    file.write_bytes((own / file.name).read_bytes()[:-1])
    damaged = file.read_bytes()
    with pytest.raises(TokenizerUnavailable, match=f"{file} is damaged"):
        load_encoding("cl100k_base", [tmp_path])
    assert load_encoding("cl100k_base", [tmp_path, own])("hello world") == 2
    assert file.read_bytes() == damaged


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("ft:gpt-4o:acme", "o200k_base"),
        ("gpt-oss-120b", "o200k_harmony"),
        ("gpt2", None),
        ("mistral-large", None),
        ("", None),
    ],
)
def test_a_model_s_encoding_is_known_or_not(model: str, encoding: str | None) -> None:
    assert encoding_of(model) == encoding


PROBE = """
import socket, sys
def refuse(*_args, **_kwargs):
    raise AssertionError("the network")
socket.socket.connect = socket.getaddrinfo = refuse
from gateway.tokens.encodings import encoding_of, load_encoding, table_folders
print(load_encoding(encoding_of("gpt-4o"), table_folders({}))("hello world"), "litellm" in sys.modules, "requests" in sys.modules)
"""


def test_neither_the_network_nor_litellm_is_touched() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["2", "False", "False"], "")
