from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsError
from gateway.exchange.caller import Caller
from gateway.exchange.exchange import Exchange
from gateway.exchange.prompt import PromptUse
from gateway.exchange.usage import Usage
from gateway.settings.secret import resolve
from gateway.telemetry.events import DRAINING, READY, UPSTREAM_FAILED
from gateway.telemetry.log import Field, Log, open_log, raw_stderr

SENTINEL = "hunter2-sentinel"


class Silent(io.BytesIO):
    """What was written stays readable after close."""


def lines(write: Any, **options: Any) -> list[dict[str, Any]]:
    stream = Silent()
    with open_log(stream, **options) as log:
        write(log)
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def line(write: Any) -> dict[str, Any]:
    [found] = lines(write)
    return found


def finished(**values: Any) -> Exchange:
    exchange = Exchange("chat", started=1_000_000, caller=Caller("acme", "billing", "gth_abc", "app"), model=SENTINEL)
    exchange.route, exchange.upstream, exchange.result, exchange.finish = "chat-default", "vllm-a", "complete", "stop"
    exchange.usage = Usage(800, 150)
    exchange.prompt = PromptUse("support/triage", "v7", "production", 1, "0" * 64)
    for name, value in values.items():
        setattr(exchange, name, value)
    return exchange


def test_an_event_is_one_line_with_its_time_level_and_fields() -> None:
    found = line(lambda log: log.info(READY, address="127.0.0.1:8080", workers=2))
    at = datetime.fromisoformat(found.pop("time"))
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert found == {"level": "info", "event": "ready", "address": "127.0.0.1:8080", "workers": 2}


def test_each_method_writes_its_level() -> None:
    def write(log: Log) -> None:
        log.info(READY)
        log.warning(DRAINING)
        log.error(UPSTREAM_FAILED)

    assert [found["level"] for found in lines(write)] == ["info", "warning", "error"]
    assert [found["level"] for found in lines(write, level="warning")] == ["warning", "error"]
    assert [found["level"] for found in lines(write, level="critical")] == []


VALUES = st.one_of(
    st.text(st.characters(codec=None, categories=None)),
    st.sampled_from(["a\nb", "\r\n", "\x00\x1b[2J", "\u2028\u2029", "\ud800", '"}\n{"event":"forged"']),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.text(st.characters(codec=None, categories=None))),
)


@given(st.dictionaries(st.sampled_from(["id", "route", "reason", "place", "x"]), VALUES))
def test_whatever_its_fields_hold_an_event_is_one_line_of_json(fields: dict[str, Field]) -> None:
    stream = Silent()
    with open_log(stream) as log:
        log.info(READY, **fields)
        log.info(DRAINING)
    raw = stream.getvalue()
    assert raw.count(b"\n") == 2
    first, second = (orjson.loads(each) for each in raw.splitlines())
    assert set(first) == {"time", "level", "event", *fields}
    assert (first["event"], second["event"]) == ("ready", "draining")


def test_only_what_cannot_be_written_is_changed() -> None:
    found = line(lambda log: log.info(READY, id="kept", place="\ud800", count=2**70))
    assert (found["id"], found["place"], found["count"]) == ("kept", "'\\ud800'", str(2**70))


def test_the_end_of_an_exchange_is_one_line_without_content() -> None:
    exchange = finished(stream=True, marks=[("caller", 1_100_000), ("first_byte", 31_000_000)])
    found = line(lambda log: log.ended(exchange, 501_000_000))
    found.pop("time")
    assert found == {
        "level": "info",
        "event": "exchange_ended",
        "id": exchange.id,
        "operation": "chat",
        "tenant": "acme",
        "app": "billing",
        "key": "gth_abc",
        "route": "chat-default",
        "prompt": "support/triage@v7",
        "upstream": "vllm-a",
        "stream": True,
        "result": "complete",
        "error": "",
        "reason": "",
        "finish": "stop",
        "replayed": False,
        "input_tokens": 800,
        "output_tokens": 150,
        "duration_ms": 500.0,
        "first_byte_ms": 30.0,
    }
    assert SENTINEL not in str(found)


def test_an_exchange_that_was_refused_early_leaves_out_what_is_not_known() -> None:
    exchange = finished(
        caller=None, prompt=None, usage=None, route="", upstream="", result="refused", error="invalid_api_key", finish=""
    )
    found = line(lambda log: log.ended(exchange, 2_000_000))
    empty = {name for name, value in found.items() if value is None}
    assert empty == {"tenant", "app", "key", "prompt", "input_tokens", "output_tokens", "first_byte_ms"}
    assert found["error"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("finish", "shown"),
    [(SENTINEL, "other"), (f"stop,{SENTINEL}", "stop,other"), ("stop,length", "stop,length"), ("tool_calls", "tool_calls")],
)
def test_a_finish_reason_of_the_upstreams_own_is_not_repeated(finish: str, shown: str) -> None:
    assert line(lambda log: log.ended(finished(finish=finish), 2_000_000))["finish"] == shown


def test_tokens_beyond_all_counting_do_not_lose_the_line() -> None:
    found = line(lambda log: log.ended(finished(usage=Usage(10**400, 1)), 2_000_000))
    assert found["input_tokens"] == str(10**400)
    assert found["output_tokens"] == 1


def test_a_fault_of_ours_is_told_by_class_and_place_only() -> None:
    secret = SENTINEL
    with pytest.raises(SettingsError) as caught:
        resolve("env:NOT_THERE", Path(secret), {}, key=secret)
    assert secret in str(caught.value)
    found = line(lambda log: log.internal_error(caught.value, "an-id"))
    assert found["level"] == "error"
    assert found["id"] == "an-id"
    assert found["classes"] == ["gateway.errors.SettingsError"]
    assert [frame.partition(":")[0] for frame in found["frames"]] == ["gateway.settings.secret"]
    assert secret not in str(found)


def test_lines_that_were_dropped_are_told_as_an_event() -> None:
    with open_log(Silent()) as log:
        told = orjson.loads(log._lines._told(7))
    assert (told["event"], told["level"], told["count"]) == ("log_lines_dropped", "warning", 7)


def test_a_log_leaves_structlog_as_it_found_it() -> None:
    code = (
        "import io, structlog\n"
        "from gateway.telemetry.log import open_log\n"
        "open_log(io.BytesIO()).info('ready')\n"
        "print(structlog.is_configured())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_stderr_is_written_without_a_buffer_of_pythons() -> None:
    code = "import os\nfrom gateway.telemetry.log import raw_stderr\nraw_stderr().write(b'now')\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr == b"now"
    assert raw_stderr().write(b"") == 0
