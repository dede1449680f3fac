"""The official Python SDK (2.x and 3.x) against an OpenAI-compatible endpoint: one line a check, exit 0 when all held.

    BASE_URL=http://127.0.0.1:8080/v1 API_KEY=gth_… MODEL=chat-default python openai_python.py [CHECK …]

Without names every check runs that the environment allows. `FAKE_URL` (the root of a `gateway.upstream.fake` server behind
MODEL) adds the upstream's faults; `FAKE_URL` or `VLLM_URL` (the root of a real vLLM behind MODEL) adds the checks that a
cancellation reaches the upstream. Beside MODEL, the faults need the routes MODEL-impatient (the same server, with a
`first_byte_timeout` of a second at most) and MODEL-unreachable (a server where nobody listens). A vLLM needs
`--enable-auto-tool-choice --tool-call-parser hermes`.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import openai
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic_core import from_json

MODEL = os.environ["MODEL"]
FAKE_URL = os.environ.get("FAKE_URL", "")
VLLM_URL = os.environ.get("VLLM_URL", "")
CANCELLED_WITHIN = 1.0
"""Seconds from the client's leaving to the end at the upstream."""

LONG_STREAM = "#fake chunks=400 gap=0.05\nTell me everything."
LONG_ANSWER = "#fake delay=20\nTell me everything."
"""What makes the fake slow; a real model reads the line as text, and `LETTERS` makes it slow."""

LETTERS = {"structured_outputs": {"regex": "[qz]{1900}"}}
CALL = {
    "structured_outputs": {
        "regex": '<tool_call>\n\\{"name": "weather", "arguments": \\{"label": "(yes|no)", "score": [0-9]\\}\\}\n</tool_call>'
    }
}
"""What makes a real model say what a check needs, whatever its weights are."""

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to the gatekeeper."}]
PAUSE = threading.Event()
LABEL = {
    "type": "object",
    "properties": {"label": {"type": "string", "enum": ["yes", "no"]}, "score": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["label", "score"],
    "additionalProperties": False,
}
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather of a city", "parameters": LABEL},
}


class Failed(Exception):
    """A check does not hold; the message says what was seen."""


def expect(held: object, seen: object) -> None:
    """Fail with what was seen unless the expectation holds."""
    if not held:
        raise Failed(repr(seen))


def client(**changed: Any) -> openai.OpenAI:
    """Return an SDK client that neither retries nor waits for long."""
    given = {"base_url": os.environ["BASE_URL"], "api_key": os.environ["API_KEY"], "max_retries": 0, "timeout": 30.0}
    return openai.OpenAI(**{**given, **changed})


@contextmanager
def raises(kind: type[openai.APIError], code: str, *, status: int | None = None) -> Iterator[list[Any]]:
    """Expect exactly this class of the SDK's errors with this code; the list holds the error afterwards."""
    caught: list[Any] = []
    try:
        yield caught
    except openai.OpenAIError as raised:
        caught.append(raised)
    expect(caught, "no error")
    error = caught[0]
    expect(type(error) is kind and getattr(error, "code", None) == code, error)
    if status is not None:
        expect(error.status_code == status, error.status_code)
        expect(uuid.UUID(error.request_id).version == 7, error.request_id)
        expect(error.type and error.message, error.body)


def chat() -> None:
    """Expect that a plain answer has text, a finish reason and usage."""
    answer = client().chat.completions.create(model=MODEL, messages=HELLO, max_tokens=16)
    expect(answer.choices[0].message.content and answer.choices[0].finish_reason in {"stop", "length"}, answer)
    expect(answer.to_dict()["object"] == "chat.completion" and answer.to_dict()["model"] == MODEL, answer)
    usage = answer.usage
    expect(usage and usage.prompt_tokens > 0 and 0 < usage.completion_tokens <= 16, usage)
    expect(usage and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage)


def stream() -> None:
    """Expect a stream's pieces to make the plain answer's text, and the same usage once, last, without choices."""
    asked: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 16, "temperature": 0, "seed": 7}
    plain = client().chat.completions.create(**asked)
    chunks = list(client().chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    expect(text and text == plain.choices[0].message.content, (text, plain))
    expect(len({chunk.id for chunk in chunks}) == 1 and chunks[0].id.startswith("chatcmpl-"), chunks[0])
    expect(all(chunk.model == MODEL and chunk.object == "chat.completion.chunk" for chunk in chunks), chunks)
    expect(not chunks[-1].choices and all(chunk.choices and chunk.usage is None for chunk in chunks[:-1]), chunks)
    expect(counts(chunks[-1].usage) == counts(plain.usage), (chunks[-1].usage, plain.usage))
    finished = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    expect(finished == [plain.choices[0].finish_reason], finished)


def counts(usage: Any) -> tuple[int, int, int]:
    """Return the three figures that every usage has."""
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens


def stream_without_usage() -> None:
    """Expect no usage where none was asked for, though the gateway counts it."""
    chunks = list(client().chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, stream=True))
    expect(chunks and all(chunk.choices and chunk.usage is None for chunk in chunks), chunks)


def tools() -> None:
    """Expect that a tool that must be called is called, with arguments that are JSON of its schema."""
    answer = client().chat.completions.create(**with_tool())
    expect(answer.choices[0].finish_reason in {"tool_calls", "stop"}, answer)
    called(answer)


def tools_streamed() -> None:
    """Expect a tool call's streamed pieces to make one call with whole arguments."""
    with client().chat.completions.stream(**with_tool()) as events:
        called(events.get_final_completion())


def with_tool() -> dict[str, Any]:
    """Return a request that ends in a tool call: the fake is forced by the request, a real model by what it may say."""
    asked: dict[str, Any] = {"model": MODEL, "messages": HELLO, "tools": [WEATHER], "max_tokens": 128}
    if VLLM_URL:
        return {**asked, "extra_body": CALL}
    return {**asked, "tool_choice": {"type": "function", "function": {"name": "weather"}}}


def called(answer: Any) -> None:
    """Expect one call of the tool."""
    calls = answer.choices[0].message.tool_calls
    expect(calls and len(calls) == 1 and calls[0].id and calls[0].function.name == "weather", answer)
    labelled(calls[0].function.arguments)


def structured_output() -> None:
    """Expect that a JSON schema is held, streamed and not."""
    schema: Any = {"type": "json_schema", "json_schema": {"name": "label", "schema": LABEL, "strict": True}}
    asked: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 64, "response_format": schema}
    labelled(client().chat.completions.create(**asked).choices[0].message.content)
    chunks = client().chat.completions.create(**asked, stream=True)
    labelled("".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices))


def labelled(text: str | None) -> None:
    """Expect a JSON text of the schema LABEL."""
    value = from_json(text or "")
    expect(set(value) == {"label", "score"} and value["label"] in {"yes", "no"} and 0 <= value["score"] <= 9, value)


def models() -> None:
    """Expect the caller's model in the list, and that it can be retrieved by itself."""
    listed = client().models.list().data
    expect(MODEL in [model.id for model in listed] and all(model.object == "model" for model in listed), listed)
    expect(client().models.retrieve(MODEL).id == MODEL, MODEL)
    with raises(openai.NotFoundError, "model_not_found", status=404):
        client().models.retrieve("no-such-model")


def headers() -> None:
    """Expect a UUIDv7 in x-request-id and in the completion's id, and the model's name as it was asked for."""
    raw = client().chat.completions.with_raw_response.create(model=MODEL, messages=HELLO, max_tokens=8)
    answer = raw.parse()
    exchange = uuid.UUID(raw.headers["x-request-id"])
    expect(exchange.version == 7 and str(exchange) == raw.headers["x-request-id"], raw.headers)
    expect(answer.id == f"chatcmpl-{exchange}" and answer.model == MODEL, answer)
    expect(raw.headers.get("x-gatehouse-route") == MODEL and raw.headers.get("x-gatehouse-upstream"), raw.headers)
    with client().chat.completions.with_streaming_response.create(
        model=MODEL, messages=HELLO, max_tokens=8, stream=True
    ) as streamed:
        first = re.search(r'"id":\s*"chatcmpl-([^"]+)"', "".join(streamed.iter_text()))
        expect(first and first[1] == streamed.headers["x-request-id"], streamed.headers)


def wrong_key() -> None:
    """Expect an AuthenticationError for a key that does not exist; the key is not told back."""
    with raises(openai.AuthenticationError, "invalid_api_key", status=401) as caught:
        client(api_key="gth_no-such-key").chat.completions.create(model=MODEL, messages=HELLO)
    expect("no-such-key" not in str(caught[0].body), caught[0].body)


def unknown_model() -> None:
    """Expect a NotFoundError for a model that does not exist, streamed or not."""
    for streamed in (False, True):
        with raises(openai.NotFoundError, "model_not_found", status=404):
            client().chat.completions.create(model="no-such-model", messages=HELLO, stream=streamed)


def unsupported_field() -> None:
    """Expect a BadRequestError that names a field that nobody knows."""
    with raises(openai.BadRequestError, "unsupported_field", status=400) as caught:
        client().chat.completions.create(model=MODEL, messages=HELLO, extra_body={"guided_json": LABEL})
    expect(caught[0].param == "guided_json", caught[0].param)


def invalid_field() -> None:
    """Expect a BadRequestError that names a field of the wrong type and never tells the value back."""
    with raises(openai.BadRequestError, "invalid_field", status=400) as caught:
        client().chat.completions.create(model=MODEL, messages=HELLO, extra_body={"temperature": "tepid"})
    expect(caught[0].param == "temperature" and "tepid" not in str(caught[0].body), caught[0].body)


def rate_limited() -> None:
    """Expect a RateLimitError with the upstream's retry-after when the upstream is asked too much."""
    with raises(openai.RateLimitError, "rate_limit_exceeded", status=429) as caught:
        faulty("fault=rate-limit retry-after=7")
    expect(caught[0].response.headers.get("retry-after") == "7", caught[0].response.headers)


def upstream_failed() -> None:
    """Expect an InternalServerError without the upstream's text when the upstream answers 500."""
    with raises(openai.InternalServerError, "upstream_error", status=502):
        faulty("fault=server-error")


def upstream_unreachable() -> None:
    """Expect an InternalServerError with retry-after when nobody listens at the upstream's address."""
    with raises(openai.InternalServerError, "upstream_unavailable", status=503) as caught:
        client().chat.completions.create(model=f"{MODEL}-unreachable", messages=HELLO)
    expect(int(caught[0].response.headers["retry-after"]) >= 1, caught[0].response.headers)


def upstream_timeout() -> None:
    """Expect an InternalServerError when the upstream says nothing within its deadline, streamed or not."""
    for streamed in (False, True):
        with raises(openai.InternalServerError, "upstream_timeout", status=504):
            faulty("fault=hang-before-head", model=f"{MODEL}-impatient", stream=streamed)


def retried() -> None:
    """Expect that the SDK's own retries work: a 429 with retry-after is asked again and then answered."""
    text = f"once-{time.time_ns()}"
    answer = faulty(f"fault=rate-limit times=1 text={text}", using=client(max_retries=1))
    expect(answer.choices[0].message.content == text, answer)


def broken_stream() -> None:
    """Expect an APIError with the gateway's code in mid-stream, after the text that did arrive."""
    for fault in ("reset-mid-answer", "close-mid-answer", "error-event", "no-finish-done"):
        chunks: list[Any] = []
        with raises(openai.APIError, "upstream_error"):
            for chunk in faulty(f"fault={fault} after=3 chunks=8", stream=True):
                chunks.append(chunk)  # noqa: PERF402  # what came before the error is kept
        expect([choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content], chunks)


def faulty(line: str, *, model: str = MODEL, using: openai.OpenAI | None = None, **fields: Any) -> Any:
    """Ask the fake for a fault."""
    message: ChatCompletionMessageParam = {"role": "user", "content": f"#fake {line}\nHello."}
    return (using or client()).chat.completions.create(model=model, messages=[message], **fields)


class Upstream:
    """What the server behind the gateway is doing, in its own words."""

    def running(self) -> int:
        """Return how many requests it works on."""
        return int(self._totals()["running"]) if FAKE_URL else self._sum("vllm:num_requests_running{")

    def completed(self) -> int:
        """Return how many requests it has answered to the end: those that were cancelled are not among them."""
        if FAKE_URL:
            return int(self._totals()["outcomes"].get("complete", 0))
        reasons = ("stop", "length", "repetition")
        return sum(self._sum(f'vllm:request_success_total{{engine="0",finished_reason="{reason}"') for reason in reasons)

    def works(self) -> bool:
        """Wait until it works on something, ten seconds at most."""
        return self._soon(lambda: self.running() > 0, within=10)

    def stops(self) -> bool:
        """Wait until it works on nothing, for as long as a cancellation may take."""
        return self._soon(lambda: self.running() == 0, within=CANCELLED_WITHIN)

    def _soon(self, held: Callable[[], bool], *, within: float) -> bool:
        deadline = time.monotonic() + within
        while not held():
            if time.monotonic() > deadline:
                return False
            # A page of vLLM's metrics costs its server milliseconds: asked without a pause it would answer nobody else.
            PAUSE.wait(0.05)
        return True

    def _sum(self, start: str) -> int:
        lines = [line for line in self._get("/metrics").splitlines() if line.startswith(start)]
        return round(sum(float(line.rsplit(" ", 1)[1]) for line in lines))

    def _totals(self) -> dict[str, Any]:
        totals: dict[str, Any] = from_json(self._get("/fake/requests"))["totals"]
        return totals

    def _get(self, path: str) -> str:
        parts = urlsplit(FAKE_URL or VLLM_URL)
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read().decode()


def endless(text: str) -> dict[str, Any]:
    """Return a request that takes many seconds, by the fake's or by a real model's means."""
    fields: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 1900}
    return fields if FAKE_URL else {**fields, "extra_body": LETTERS}


def closed_stream() -> None:
    """Expect that closing a stream early ends the upstream's work within a second."""
    upstream = Upstream()
    before = upstream.completed()
    with client().chat.completions.create(**endless(LONG_STREAM), stream=True) as chunks:
        expect(next(iter(chunks)).choices and upstream.works(), "no chunk, or nothing runs")
    expect(upstream.stops(), f"the upstream still works {CANCELLED_WITHIN:g} s after the stream was closed")
    expect(upstream.completed() == before, "the upstream worked to the end")


def cancelled_request() -> None:
    """Expect that cancelling a plain request ends the upstream's work within a second."""
    upstream = Upstream()
    before = upstream.completed()
    asyncio.run(_cancelled(upstream))
    expect(upstream.completed() == before, "the upstream worked to the end")


async def _cancelled(upstream: Upstream) -> None:
    given = {"base_url": os.environ["BASE_URL"], "api_key": os.environ["API_KEY"], "max_retries": 0}
    async with openai.AsyncOpenAI(**given) as asynchronous, asyncio.TaskGroup() as group:  # type: ignore[arg-type]
        request = group.create_task(asynchronous.chat.completions.create(**endless(LONG_ANSWER)))
        expect(await asyncio.to_thread(upstream.works), "nothing runs")
        request.cancel()
        stopped = await asyncio.to_thread(upstream.stops)
    expect(stopped, f"the upstream still works {CANCELLED_WITHIN:g} s after the request was cancelled")


ALWAYS = (
    *(chat, stream, stream_without_usage, tools, tools_streamed, structured_output, models, headers),
    *(wrong_key, unknown_model, unsupported_field, invalid_field),
)
WITH_A_FAKE = (rate_limited, retried, upstream_failed, upstream_unreachable, upstream_timeout, broken_stream)
WITH_AN_UPSTREAM = (closed_stream, cancelled_request)


def checks() -> tuple[Callable[[], None], ...]:
    """Return what the environment allows, or what of it was named on the command line."""
    allowed = ALWAYS + (WITH_A_FAKE if FAKE_URL else ()) + (WITH_AN_UPSTREAM if FAKE_URL or VLLM_URL else ())
    return tuple(check for check in allowed if len(sys.argv) == 1 or check.__name__ in sys.argv)


def main() -> int:
    """Run the checks; one line each."""
    failed = 0
    sys.stdout.write(f"openai {openai.__version__}\n")
    with ThreadPoolExecutor(max_workers=1) as one:
        for check in checks():
            # Whatever a check raises, also the SDK's own transport's errors, the next check is still wanted.
            error = one.submit(check).exception()
            failed += error is not None
            told = "ok" if error is None else "FAILED"
            sys.stdout.write(f"{told} {check.__name__}{f': {type(error).__name__}: {error}' if error else ''}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
