"""OpenAI's encodings, built from their published tables where those lie on this machine; nothing is ever downloaded or deleted.

tiktoken's own loader downloads a table at first use and deletes a file whose hash differs, so it is not used: an encoding is a
table of byte sequences with their ranks and a pattern that cuts text into pieces, and both are given to tiktoken here. A table's
file has the name that tiktoken's cache gives it, the SHA-1 of its address.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.tokens.tokenizer import Encode, TokenizerUnavailable

FOLDER_VARIABLE = "TIKTOKEN_CACHE_DIR"
"""An operator's own folder with tables; tiktoken reads the same variable."""


@dataclass(frozen=True, slots=True)
class Table:
    """A published table: its file's name and the SHA-256 of its bytes."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Encoding:
    """A table and the pattern that cuts a text into the pieces that the table's merges work on."""

    table: Table
    pattern: str


_R50K = Table("0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4", "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930")
_P50K = Table("ec7223a39ce59f226a68acc30dc1af2788490e15", "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069")
_CL100K = Table("9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7")
_O200K = Table("fb374d419588a4632f3f557e76b4b70aebbca790", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d")

_WORDS_R50K = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_WORDS_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SHORT_FORM = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_WORDS_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_SHORT_FORM}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_SHORT_FORM}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

ENCODINGS: Mapping[str, Encoding] = {
    "r50k_base": Encoding(_R50K, _WORDS_R50K),
    "p50k_base": Encoding(_P50K, _WORDS_R50K),
    "p50k_edit": Encoding(_P50K, _WORDS_R50K),
    "cl100k_base": Encoding(_CL100K, _WORDS_CL100K),
    "o200k_base": Encoding(_O200K, _WORDS_O200K),
    "o200k_harmony": Encoding(_O200K, _WORDS_O200K),
}
"""By tiktoken's names. Those that differ in control tokens alone are equal here: a control token in a text is text."""


def table_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders where tables may lie: the operator's own, and that of litellm's package, which is not imported."""
    own = environ.get(FOLDER_VARIABLE, "")
    spec = importlib.util.find_spec("litellm")
    shipped = spec.submodule_search_locations if spec and spec.submodule_search_locations else ()
    return (*((Path(own),) if own else ()), *(Path(place) / "litellm_core_utils" / "tokenizers" for place in shipped))


def load_encoding(name: str, folders: Sequence[Path]) -> Encode:
    """Return the function that counts a text's tokens; raises `TokenizerUnavailable` where no folder holds the right table."""
    import tiktoken  # noqa: PLC0415  # what does not count by it need not load it

    encoding = ENCODINGS[name]
    ranks = _ranks(_read(name, encoding.table, folders))
    encode = tiktoken.Encoding(name, pat_str=encoding.pattern, mergeable_ranks=ranks, special_tokens={}).encode_ordinary
    return lambda text: len(encode(text))


def encoding_of(model: str) -> str | None:
    """Return the name of the encoding that one of OpenAI's models counts by, None for a model that is not known."""
    from tiktoken.model import encoding_name_for_model  # noqa: PLC0415  # as in `load_encoding`

    try:
        name = encoding_name_for_model(model)
    except KeyError:
        return None
    return name if name in ENCODINGS else None


def _read(name: str, table: Table, folders: Sequence[Path]) -> bytes:
    damaged = ""
    for folder in folders:
        file = folder / table.file
        try:
            data = file.read_bytes()
        except OSError:
            continue
        if hashlib.sha256(data).hexdigest() == table.sha256:
            return data
        damaged = f"; {file} is damaged: its SHA-256 differs"
    raise TokenizerUnavailable(
        f"the table of {name} is not on this machine{damaged}. Install the extra `managed`, whose litellm ships it, or put the "
        f"file {table.file} of tiktoken's cache into a folder and name that in {FOLDER_VARIABLE}"
    )


def _ranks(data: bytes) -> dict[bytes, int]:
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines() if line)}
