"""The demonstration's sample exchanges: each says what it does, what it expects and what came."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
import typer

from gateway.errors import SettingsError

TIMEOUT = 60.0
OK = 200
Json = dict[str, Any]

HELLO: Json = {"model": "demo", "messages": [{"role": "user", "content": "Hello, who answers here?"}], "max_tokens": 32}
LABELS: Json = {"type": "object", "properties": {"label": {"enum": ["billing", "technical"]}}, "required": ["label"]}
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Json:
        """Return the body, or nothing where it is no JSON object."""
        try:
            return msgspec.json.decode(self.body, type=Json)
        except msgspec.MsgspecError:
            return {}

    def code(self) -> str:
        """Return the error's code, or nothing where there is none."""
        error = self.json().get("error")
        return str(error.get("code")) if isinstance(error, dict) else ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One exchange: what it shows, what is sent, and whether the reply is as it should be; `fake` needs the fake upstream."""

    shows: str
    body: Json
    holds: Callable[[Reply], bool]
    key: str | None = None
    fake: bool = False


SAMPLES = (
    Sample("a chat completion", HELLO, lambda r: r.status == OK and bool(_message(r).get("content"))),
    Sample(
        "the same, streamed with usage",
        {**HELLO, "stream": True, "stream_options": {"include_usage": True}},
        lambda r: r.status == OK and r.body.endswith(b"data: [DONE]\n\n") and b'"usage":{' in r.body,
    ),
    Sample(
        "an answer that follows a JSON schema",
        {**HELLO, "response_format": {"type": "json_schema", "json_schema": {"name": "label", "schema": LABELS, "strict": True}}},
        lambda r: _content(r).get("label") in {"billing", "technical"},
        fake=True,
    ),
    Sample(
        "a tool call",
        {**HELLO, "tools": [WEATHER], "tool_choice": "required"},
        lambda r: bool(_message(r).get("tool_calls")),
        fake=True,
    ),
    Sample(
        "a released prompt: the application sends its variables, nothing else",
        {"model": "prompt/demo/greeting", "prompt": {"variables": {"name": "Ada"}}},
        lambda r: r.status == OK and r.headers.get("x-gatehouse-prompt") == "demo/greeting@v1",
    ),
    Sample(
        "a variable that does not fit the prompt's contract: refused",
        {"model": "prompt/demo/greeting", "prompt": {"variables": {"name": None}}},
        lambda r: r.code() == "prompt_variables_invalid",
    ),
    Sample(
        "more output asked for than the route gives: shortened, and said so",
        {**HELLO, "max_tokens": 100_000},
        lambda r: r.status == OK and r.headers.get("x-gatehouse-max-tokens") == "512",
    ),
    Sample("a field that nobody knows: refused", {**HELLO, "guided_json": {}}, lambda r: r.code() == "unsupported_field"),
    Sample("a model that is not there: refused", {**HELLO, "model": "other"}, lambda r: r.code() == "model_not_found"),
    Sample("a wrong key: refused", HELLO, lambda r: r.code() == "invalid_api_key", key="gth_nobody"),
    Sample(
        "an upstream that fails: said in our words",
        {**HELLO, "messages": [{"role": "user", "content": "#fake fault=server-error"}]},
        lambda r: r.code() == "upstream_error",
        fake=True,
    ),
    Sample(
        "an upstream that breaks off in mid-stream: an error event, no [DONE]",
        {**HELLO, "messages": [{"role": "user", "content": "#fake fault=reset-mid-answer"}], "stream": True},
        lambda r: b'"upstream_error"' in r.body and b"[DONE]" not in r.body,
        fake=True,
    ),
)


class Samples:
    """Sends the samples to a running gateway and tells of each."""

    def __init__(self, address: str, key: str, *, real: bool) -> None:
        self._address = address
        self._key = key
        self._real = real

    def run(self) -> bool:
        """Return whether every sample did what it should."""
        ok = True
        for sample in SAMPLES:
            if sample.fake and self._real:
                continue
            reply = post(self._address, "/v1/chat/completions", sample.body, key=sample.key or self._key)
            holds = sample.holds(reply)
            ok = ok and holds
            typer.echo(f"  {'ok  ' if holds else 'FAIL'}  {sample.shows}")
            typer.echo(f"        {_told(reply)}  id {reply.headers.get('x-request-id', '?')}")
        return ok


def post(address: str, path: str, body: Json, *, key: str) -> Reply:
    """Send one POST; raises `SettingsError` when nobody answers."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    return _request(address, "POST", path, body=msgspec.json.encode(body), headers=headers)


def first_model(base_url: str, key: str) -> str:
    """Return the first model that an OpenAI-compatible server lists; raises `SettingsError` where it lists none."""
    parts = urlsplit(base_url)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    reply = _request(f"{parts.scheme}://{parts.netloc}", "GET", f"{parts.path}/models", headers=headers)
    models = reply.json().get("data")
    if reply.status != OK or not isinstance(models, list) or not models or not isinstance(models[0], dict):
        raise SettingsError(f"UPSTREAM: {base_url}/models answers {reply.status} and lists no model")
    return str(models[0].get("id"))


def _request(address: str, method: str, path: str, *, headers: dict[str, str], body: bytes | None = None) -> Reply:
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise SettingsError(f"{address} does not answer ({type(error).__name__})") from error
    finally:
        connection.close()


def _told(reply: Reply) -> str:
    error = reply.json().get("error")
    if isinstance(error, dict):
        return f"{reply.status} {error.get('code')}: {error.get('message')}"
    if reply.headers.get("content-type", "").startswith("text/event-stream"):
        return f"{reply.status}, {reply.body.count(b'data: ')} events"
    message = _message(reply)
    said = message.get("content") or ", ".join(_call(call) for call in message.get("tool_calls") or ())
    return f"{reply.status} {said[:100]!r}"


def _call(call: Json) -> str:
    return f"{call['function']['name']}({call['function']['arguments']})"


def _message(reply: Reply) -> Json:
    choices = reply.json().get("choices")
    message: Json = choices[0].get("message", {}) if choices else {}
    return message


def _content(reply: Reply) -> Json:
    try:
        return msgspec.json.decode(str(_message(reply).get("content")), type=Json)
    except msgspec.MsgspecError:
        return {}
