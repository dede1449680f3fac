"""Every fault is documented, and meets every request as the table says, in process."""

from __future__ import annotations

import re

import pytest

from gateway.upstream.fake import faults
from gateway.upstream.fake.faults import FAULTS
from tests.upstream.fake.asking import HASTY, PATIENT, ask, asked

ERRORS = {"-": "", "late": "HttpTimeout", "broken": "HttpBroken", "unreachable": "HttpUnreachable"}
TABLE = dict(re.findall(r"^    ([a-z0-9-]+) +(-|late|broken|unreachable) +\S", faults.__doc__ or "", re.MULTILINE))


def test_the_table_in_the_docstring_names_every_fault() -> None:
    assert sorted(TABLE) == sorted(FAULTS)
    assert len(FAULTS) >= 30


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_as_the_table_says(fault: str, stream: bool) -> None:  # a case, not an option
    limits = HASTY if TABLE[fault] == "late" else PATIENT
    size = 600_000 if fault == "long-line" else 3_000_000
    reply, served = asked(f"#fake fault={fault} gap=0.0001 size={size}\nhi", stream=stream, limits=limits)
    assert reply.error == ERRORS[TABLE[fault]]
    assert served.fault == fault
    outcomes = {"": {"complete"}, "HttpTimeout": {"aborted"}, "HttpUnreachable": {"cut"}, "HttpBroken": {"cut", "aborted"}}
    assert served.outcome in outcomes[reply.error]


@pytest.mark.parametrize("stream", [False, True])
def test_control_without_a_fault_all_is_well(stream: bool) -> None:  # a case, not an option
    assert ask("hi", stream=stream).text == "echo: hi"
