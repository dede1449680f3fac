"""A tokenizer.json counts a text's tokens, or says why it cannot."""

from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from gateway.tokens.tokenizer import TokenizerUnavailable
from gateway.tokens.tokenizer_json import load_tokenizer_json

CORPUS = ["the quick brown fox jumps over the lazy dog", "it's the end of the world as we know it"] * 20


def trained() -> Tokenizer:
    """Return a small byte-level tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<|im_start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return trained()


def saved(tokenizer: Tokenizer, folder: Path) -> Path:
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_it_counts_as_the_tokenizer_does(tokenizer: Tokenizer, tmp_path: Path) -> None:
    count = load_tokenizer_json(saved(tokenizer, tmp_path))
    for text in ["", "the quick dog", "Gr\u00fc\u00dfe \u4e2d\u6587 \U0001f600", "\x00", *CORPUS]:
        assert count(text) == len(tokenizer.encode(text))


def test_a_control_token_in_a_text_is_text(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert load_tokenizer_json(saved(tokenizer, tmp_path))("<|im_start|>") > len(tokenizer.encode("<|im_start|>")) == 1


def test_what_a_whole_prompt_begins_with_is_not_counted_with_every_text(tmp_path: Path) -> None:
    tokenizer = trained()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    assert len(tokenizer.encode("the dog")) == load_tokenizer_json(saved(tokenizer, tmp_path))("the dog") + 1


def test_cutting_and_filling_up_are_left_out(tmp_path: Path) -> None:
    tokenizer = trained()
    plain = len(tokenizer.encode(CORPUS[0]))
    tokenizer.enable_truncation(max_length=2)
    tokenizer.enable_padding(length=512)
    assert load_tokenizer_json(saved(tokenizer, tmp_path))(CORPUS[0]) == plain


def test_an_added_token_that_is_no_control_token_stays_one(tmp_path: Path) -> None:
    tokenizer = trained()
    tokenizer.add_tokens([AddedToken("<tool_call>", special=False)])
    assert load_tokenizer_json(saved(tokenizer, tmp_path))("<tool_call>") == 1


def test_a_file_without_a_token_for_what_it_does_not_know_is_refused_before_it_counts(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="[UNK]"))
    with pytest.raises(Exception, match="UNK"):
        load_tokenizer_json(saved(tokenizer, tmp_path))


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"model": {"type": "Nonsense"}}'])
def test_a_file_that_is_none_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(TokenizerUnavailable, match=f"{path} is not a tokenizer.json"):
        load_tokenizer_json(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenizerUnavailable, match=r"tokenizer\.json cannot be read \(No such file or directory\)"):
        load_tokenizer_json(tmp_path / "tokenizer.json")


def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenizerUnavailable, match="Install the extra `tokenizers`"):
        load_tokenizer_json(tmp_path / "tokenizer.json", package="a_package_that_is_not_here")
