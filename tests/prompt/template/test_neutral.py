from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from gateway.errors import InvalidRequest
from gateway.prompt.template.neutral import BREAKER, find_controls, neutral_messages, neutralise
from gateway.wire.message import (
    AssistantMessage,
    CustomCall,
    CustomToolCall,
    FunctionCall,
    FunctionMessage,
    FunctionToolCall,
    ImagePart,
    ImageUrl,
    LegacyCall,
    Message,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)

BAR, LOW = "\uff5c", "\u2581"
TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|fim_prefix|>", "<|vision_start|>", "<|box_end|>"),
    *("<|begin_of_text|>", "<|start_header_id|>", "<|eot_id|>", "<|header_start|>", "<|python_tag|>"),
    *("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|tool_call|>", "<|/tool_call|>"),
    *("<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>", "<BOS_TOKEN>", "<EOS_TOKEN>"),
    *("<|start_of_role|>", "<|end_of_role|>", "<|channel|>", "<|message|>", "<|im_middle|>", "<|turn>", '<|"|>', "<|0.00|>"),
    *(
        f"<{BAR}begin{LOW}of{LOW}sentence{BAR}>",
        f"<{BAR}User{BAR}>",
        f"<{BAR}tool{LOW}calls{LOW}begin{BAR}>",
        f"<{BAR}hy_User{BAR}>",
    ),
    *("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>"),
    *("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CONTENT]"),
    *("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[MODEL_SETTINGS]", "[THINK]", "[/THINK]", "[ARGS]", "[CALL_ID]"),
    *("[gMASK]", "[sMASK]", "<sop>", "<eop>"),
    *("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<reserved_106>", "<seed:bos>"),
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
    *("]~b]", "]~!b[", "[e~["),
)

PROSE = "The order of the 3rd of May [see 1] came < 2 days late; «why?» she asked. Überraschung — 東京, 42 % | 7 <= 8.\n"
PAGE = '<p class="a">Hi <b>you</b>, <a href="/x">see</a> <code>a[i] &lt; b</code><br/></p><span>[1]</span><strong>x</strong>\n'
CODE = "let f x = x |> g <| h\nif a[i] < b[j] and x<y: z[k] = [1, 2]  # [todo] <stdio.h> Vec<T> a <|> b\n"
ORDINARY = (
    PROSE,
    PAGE,
    CODE,
    "### User: hi\n--- [INFO] <title>x</title> [ ] [x] <section> <em>",
    "<system>obey</system> <user>x</user> [A] [TODO] [Image] <input> <s3> <sup>2</sup> <span>",
    "f <| x; a <|> b; <||> <|> |> ||| <-> <|\n",
    "[SYSTEM] [TOOL] [CALL] <endpoint> <start> <tool> <thinking> <unk> <pad> ]~ ~b] ~!b",
)


def _tokenizer(normalizer: normalizers.Normalizer | None) -> Tokenizer:
    """Return a tokenizer of bytes that knows the control tokens, as chat models have it."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(sorted(alphabet))}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in TOKENS])
    return tokenizer


def _tokenizers() -> Sequence[Tokenizer]:
    kinds = (None, normalizers.NFC(), normalizers.NFKC(), normalizers.Nmt())
    return [_tokenizer(kind) for kind in kinds]


def _controls(tokenizer: Tokenizer, text: str) -> list[str]:
    return [token for token in tokenizer.encode(text).tokens if token in TOKENS]


@pytest.mark.parametrize("token", TOKENS)
def test_every_control_token_is_found(token: str) -> None:
    assert find_controls(token)
    assert find_controls(f"a{token}b")


@pytest.mark.parametrize("token", TOKENS)
def test_a_broken_opener_is_no_control_token_to_any_tokenizer(token: str) -> None:
    text, count = neutralise(f"a {token} b")
    assert count
    for tokenizer in _tokenizers():
        assert _controls(tokenizer, f"a {token} b") == [token]
        assert _controls(tokenizer, text) == []


def test_a_broken_opener_is_no_special_token_to_tiktoken() -> None:
    encoding = tiktoken.Encoding(
        "bytes",
        pat_str=r"[\s\S]",
        mergeable_ranks={bytes([number]): number for number in range(256)},
        special_tokens={token: 256 + number for number, token in enumerate(TOKENS)},
    )
    text = " ".join(TOKENS)
    assert any(number > 255 for number in encoding.encode(text, allowed_special="all"))
    assert not any(number > 255 for number in encoding.encode(neutralise(text)[0], allowed_special="all"))


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_and_code_is_left_alone(text: str) -> None:
    assert not find_controls(text)
    assert neutralise(text) == (text, 0)


def test_nothing_but_the_breaker_is_put_in() -> None:
    text = "a" + "b".join(TOKENS)
    broken, count = neutralise(text)
    assert broken.replace(BREAKER, "") == text
    assert broken.count(BREAKER) == count == len(TOKENS)


@pytest.mark.parametrize("text", ["<<|im_start|>", "<|<|im_start|>", "[[INST]", "<s><s>", "<|a<|b", "]~b]~b]", "<<<SYS>>"])
def test_openers_in_openers_are_broken(text: str) -> None:
    assert not find_controls(neutralise(text)[0])


@given(
    st.lists(st.sampled_from([*TOKENS, *(part for token in TOKENS for part in (token[:1], token[:3], token[2:])), BREAKER, "a"]))
)
def test_what_is_neutralised_holds_no_control_token_and_stays_as_it_is(parts: list[str]) -> None:
    text = "".join(parts)
    broken, count = neutralise(text)
    assert find_controls(text) is (count > 0)
    assert not find_controls(broken)
    assert neutralise(broken) == (broken, 0)
    assert broken.replace(BREAKER, "") == text.replace(BREAKER, "")
    assert _controls(_tokenizer(None), broken) == []


def test_two_parts_that_join_into_a_token_are_found() -> None:
    assert neutral_messages([UserMessage(content="<|im_" + "start|>")], "neutralise")[1] == 1


EVIL = "<|im_start|>"
BROKEN = f"<{BREAKER}|im_start|>"


def _call(arguments: str, name: str = "f") -> FunctionToolCall:
    return FunctionToolCall(id="1", function=FunctionCall(arguments=arguments, name=name))


@pytest.mark.parametrize(
    ("message", "clean"),
    [
        (SystemMessage(content=EVIL), SystemMessage(content=BROKEN)),
        (UserMessage(content=EVIL, name="a"), UserMessage(content=BROKEN, name="a")),
        (UserMessage(content="x", name=EVIL), UserMessage(content="x", name=BROKEN)),
        (UserMessage(content=[TextPart("x"), TextPart(EVIL)]), UserMessage(content=[TextPart("x"), TextPart(BROKEN)])),
        (AssistantMessage(content=EVIL), AssistantMessage(content=BROKEN)),
        (AssistantMessage(refusal=EVIL), AssistantMessage(refusal=BROKEN)),
        (AssistantMessage(reasoning_content=EVIL), AssistantMessage(reasoning_content=BROKEN)),
        (AssistantMessage(tool_calls=[_call("{}", EVIL)]), AssistantMessage(tool_calls=[_call("{}", BROKEN)])),
        (AssistantMessage(tool_calls=[_call(EVIL)]), AssistantMessage(tool_calls=[_call(BROKEN)])),
        (
            AssistantMessage(tool_calls=[_call(r'{"a": ["\u003c|im_start|>"], "n": 1}')]),
            AssistantMessage(tool_calls=[_call(f'{{"a":["{BROKEN}"],"n":1}}')]),
        ),
        (AssistantMessage(tool_calls=[_call(r'{"<\/s>": 1}')]), AssistantMessage(tool_calls=[_call(f'{{"<{BREAKER}/s>":1}}')])),
        (AssistantMessage(tool_calls=[_call("\\" + EVIL)]), AssistantMessage(tool_calls=[_call("\\" + BROKEN)])),
        (
            AssistantMessage(tool_calls=[CustomToolCall(id="1", custom=CustomCall(input=EVIL, name="f"))]),
            AssistantMessage(tool_calls=[CustomToolCall(id="1", custom=CustomCall(input=BROKEN, name="f"))]),
        ),
        (
            AssistantMessage(function_call=LegacyCall(arguments=r'{"a":"\u003cs>"}', name="f")),
            AssistantMessage(function_call=LegacyCall(arguments=f'{{"a":"<{BREAKER}s>"}}', name="f")),
        ),
        (ToolMessage(content=EVIL, tool_call_id="1"), ToolMessage(content=BROKEN, tool_call_id="1")),
        (FunctionMessage(content=EVIL, name="f"), FunctionMessage(content=BROKEN, name="f")),
    ],
)
def test_all_text_of_a_message_is_cleaned(message: Message, clean: Message) -> None:
    before = repr(message)
    assert neutral_messages([message], "neutralise") == ([clean], 1)
    assert repr(message) == before


@pytest.mark.parametrize(
    "message",
    [
        SystemMessage(content="x"),
        UserMessage(content=[TextPart(PAGE), ImagePart(image_url=ImageUrl(url="data:image/png;base64,<s>"))]),
        AssistantMessage(content=None, tool_calls=[_call(r'{ "a": "\u00e9\n", "b": [null, 1.0] }')]),
        AssistantMessage(tool_calls=[_call("not \\ json")]),
        AssistantMessage(tool_calls=[_call('"\\n' + "[" * 100_000)]),
        ToolMessage(content=CODE, tool_call_id="1"),
    ],
)
def test_a_clean_message_is_passed_on_as_it_is(message: Message) -> None:
    messages = [message]
    passed, count = neutral_messages(messages, "reject")
    assert passed is messages
    assert (passed[0] is message, count) == (True, 0)


def test_only_the_message_at_fault_is_made_anew() -> None:
    messages: list[Message] = [SystemMessage(content="x"), UserMessage(content=EVIL + EVIL), UserMessage(content="y")]
    passed, count = neutral_messages(messages, "neutralise")
    assert count == 2
    assert [one is other for one, other in zip(passed, messages, strict=True)] == [True, False, True]
    assert messages[1] == UserMessage(content=EVIL + EVIL)


def test_a_route_may_reject_and_names_the_message_and_no_word_of_it() -> None:
    with pytest.raises(InvalidRequest) as caught:
        neutral_messages([SystemMessage(content="x"), UserMessage(content=EVIL)], "reject", at="prompt")
    assert (caught.value.code, caught.value.param) == ("invalid_field", "prompt[1]")
    assert "im_start" not in caught.value.message


def test_only_messages_of_some_kinds_may_be_looked_at() -> None:
    messages: list[Message] = [SystemMessage(content=EVIL), UserMessage(content=EVIL)]
    passed, count = neutral_messages(messages, "neutralise", only=(UserMessage,))
    assert (passed, count) == ([messages[0], UserMessage(content=BROKEN)], 1)


def test_a_route_may_only_count() -> None:
    messages: list[Message] = [UserMessage(content=EVIL), ToolMessage(content=f"{EVIL} {EVIL}", tool_call_id="1")]
    passed, count = neutral_messages(messages, "log")
    assert passed is messages
    assert count == 3


@pytest.mark.parametrize("text", [PROSE, PAGE, CODE, "<" * 100, "[" * 100, "]~" * 50, "</" * 50, "<|" * 50, "[TOOL_" * 20])
def test_a_megabyte_takes_milliseconds_whatever_it_holds(text: str) -> None:
    large = (text * (1_000_000 // len(text) + 1))[:1_000_000]
    began = time.thread_time()
    neutralise(large)
    assert time.thread_time() - began < 0.5
