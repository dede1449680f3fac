from __future__ import annotations

import pytest

from gateway.errors import GatehouseError
from gateway.prompt.file.problem import Problem, PromptInvalid


def test_a_problem_reads_as_a_sentence_with_its_place() -> None:
    assert Problem("a/b/draft.prompty", 7, "name is empty").sentence() == "a/b/draft.prompty:7: name is empty"
    assert Problem("a/b/draft.prompty", 0, "is not UTF-8").sentence() == "a/b/draft.prompty: is not UTF-8"


def test_problems_are_told_once_each_in_the_order_of_their_places() -> None:
    late, early, other = Problem("a", 9, "x"), Problem("a", 2, "y"), Problem("b", 1, "z")
    with pytest.raises(GatehouseError) as caught:
        raise PromptInvalid([other, late, early, late])
    assert isinstance(caught.value, PromptInvalid)
    assert caught.value.problems == (early, late, other)
    assert str(caught.value) == "a:2: y; a:9: x; b:1: z"
