"""What stands around the texts."""

import dataclasses

from gateway.tokens.frame import BOUND_FRAME, OPENAI_FRAME, Frame
from gateway.tokens.pieces import Pieces


def test_every_part_of_a_prompt_has_its_price() -> None:
    pieces = Pieces(messages=2, names=1, calls=1, tools=2, media=7)
    assert Frame(1_000_000, 10_000, 100, call=1000, tools=50).around(pieces) == 1_000_000 + 20_000 + 100 + 3000 + 50 + 7


def test_without_tools_their_instructions_cost_nothing() -> None:
    assert BOUND_FRAME.around(Pieces()) == BOUND_FRAME.request


def test_the_bound_is_nowhere_below_openai_s_figures() -> None:
    for field in dataclasses.fields(Frame):
        assert getattr(BOUND_FRAME, field.name) >= getattr(OPENAI_FRAME, field.name) or field.name == "exact"
    assert not BOUND_FRAME.exact
