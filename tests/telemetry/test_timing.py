from __future__ import annotations

import re
from typing import get_args

from gateway.exchange.exchange import Exchange, Step
from gateway.telemetry.timing import first_byte, server_timing


def test_each_step_is_told_in_milliseconds_since_the_one_before() -> None:
    exchange = Exchange("chat", started=1_000_000)
    exchange.marks = [("caller", 1_012_345), ("route", 2_012_345), ("upstream", 1_502_012_345)]
    assert server_timing(exchange) == "caller;dur=0.012, route;dur=1.000, upstream;dur=1500.000"


def test_no_step_makes_an_empty_header() -> None:
    assert server_timing(Exchange("chat")) == ""


def test_the_header_is_what_the_specification_calls_a_list_of_metrics() -> None:
    exchange = Exchange("chat")
    for step in get_args(Step):
        exchange.mark(step)
    metric = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+;dur=\d+\.\d{1,3}"
    assert re.fullmatch(rf"{metric}(, {metric})*", server_timing(exchange))


def test_the_first_byte_counts_from_the_start() -> None:
    exchange = Exchange("chat", started=100)
    assert first_byte(exchange) is None
    exchange.marks = [("upstream", 150), ("first_byte", 400), ("first_byte", 900)]
    assert first_byte(exchange) == 300
