import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.prompt.file.frontmatter import Budget, TrimRule
from gateway.prompt.fit import Cut, Fitted, Trimmed, fit, plan, without
from gateway.tokens.bound import BoundCounter, bound
from gateway.tokens.contract import Count
from gateway.tokens.fake import FakeCounter
from gateway.wire.message import Message, SystemMessage, ToolMessage, UserMessage
from gateway.wire.tool import Function, FunctionTool, Tool
from tests.prompt.later import later

HISTORY = TrimRule("history", 1, keep_last=2, step=4, drop="first")
DOCUMENTS = TrimRule("documents", 2, keep_first=1)
CALL = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
ANSWER = {"role": "tool", "tool_call_id": "c", "content": "found"}


def render(values: Mapping[str, Any]) -> list[Message]:
    """Return what a template with documents in its system message and a thread would."""
    thread = [msgspec.convert(message, Message) for message in values.get("history", [])]
    return [SystemMessage(content="\n".join(["Answer.", *values.get("documents", [])])), *thread]


class Counting(FakeCounter):
    """Counts as the fake upstream does, and how often."""

    def __init__(self) -> None:
        self.times = 0

    async def messages(self, messages: Sequence[Message], *, tools: Sequence[Tool] = ()) -> Count:
        self.times += 1
        return await super().messages(messages, tools=tools)


class Rendering:
    """Renders, and keeps what came of it."""

    def __init__(self) -> None:
        self.made: list[list[Message]] = []

    def __call__(self, values: Mapping[str, Any]) -> list[Message]:
        self.made.append(render(values))
        return self.made[-1]


def tokens(values: Mapping[str, Any]) -> int:
    return asyncio.run(FakeCounter().messages(render(values)))


def turns(count: int, size: int = 40) -> list[dict[str, Any]]:
    return [{"role": "assistant" if turn % 2 else "user", "content": f"{turn:04}".ljust(size, ".")} for turn in range(count)]


def fitted(values: Mapping[str, Any], limit: int, *rules: TrimRule, counter: FakeCounter | None = None) -> Fitted:
    budget = Budget(max_input_tokens=limit, trim=rules)
    return asyncio.run(fit(later(render), values, budget=budget, room=None, counter=counter or FakeCounter()))


def kept(result: Fitted) -> list[int]:
    """Return which turns are left."""
    return [int(str(message.content)[:4]) for message in result.messages[1:]]


# What fits is left alone.


def test_what_is_not_limited_is_neither_counted_nor_trimmed() -> None:
    counter = Counting()
    values = {"history": turns(500)}
    for budget in (None, Budget(trim=(HISTORY,))):
        result = asyncio.run(fit(later(render), values, budget=budget, room=None, counter=counter))
        assert result == Fitted(render(values))
    assert counter.times == 0


def test_what_fits_by_the_bound_is_not_counted() -> None:
    counter = Counting()
    values = {"history": turns(4)}
    assert fitted(values, bound(render(values)), HISTORY, counter=counter) == Fitted(render(values))
    assert counter.times == 0


def test_what_fits_by_the_count_is_not_trimmed() -> None:
    values = {"history": turns(20)}
    assert fitted(values, tokens(values), HISTORY) == Fitted(render(values), (), tokens(values))


# The refusal.


@pytest.mark.parametrize("values", [{}, {"history": turns(50)}, {"history": turns(50), "documents": ["long" * 100] * 9}])
def test_where_the_floor_does_not_fit_limit_and_need_are_named(values: dict[str, Any]) -> None:
    cuts = plan(values, [HISTORY, DOCUMENTS])
    floor = tokens(without(values, cuts))
    with pytest.raises(InvalidRequest) as refused:
        fitted(values, floor - 1, HISTORY, DOCUMENTS)
    even = " even without all that may be left out" if cuts else ""
    assert refused.value.message == f"The messages need {floor} tokens{even}, and {floor - 1} are allowed."
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "/prompt/variables")


def test_a_need_that_was_bounded_is_called_one() -> None:
    with pytest.raises(InvalidRequest, match=r"need up to [0-9]+ tokens, and 3 are allowed"):
        asyncio.run(fit(later(render), {}, budget=Budget(max_input_tokens=3), room=None, counter=BoundCounter()))


@pytest.mark.parametrize(("budget", "room", "limit"), [(1000, 7, 7), (7, 1000, 7), (None, 7, 7), (None, -5, 0)])
def test_the_smaller_of_budget_and_room_counts(budget: int | None, room: int, limit: int) -> None:
    with pytest.raises(InvalidRequest, match=f"{limit} are allowed"):
        asyncio.run(
            fit(
                later(render),
                {"documents": ["x" * 100]},
                budget=Budget(max_input_tokens=budget) if budget else None,
                room=room,
                counter=FakeCounter(),
            )
        )


def test_tools_count_among_the_tokens() -> None:
    tools = [FunctionTool(Function(name="a" * 4000))]
    values = {"history": turns(20)}

    async def fits(given: Sequence[Tool]) -> Fitted:
        return await fit(later(render), values, budget=None, room=1000, counter=FakeCounter(), tools=given)

    assert asyncio.run(fits(())).trimmed == ()
    with pytest.raises(InvalidRequest):
        asyncio.run(fits(tools))


def test_what_the_template_refuses_is_refused() -> None:
    def failing(_values: Mapping[str, Any]) -> list[Message]:
        raise InvalidRequest("No.")

    with pytest.raises(InvalidRequest, match=r"No\."):
        asyncio.run(fit(later(failing), {}, budget=None, room=1, counter=FakeCounter()))


# What goes.


def test_of_a_thread_the_oldest_go_by_whole_steps() -> None:
    values = {"history": turns(20)}
    result = fitted(values, tokens(values) - 1, HISTORY)
    assert kept(result) == list(range(4, 20))
    assert result.trimmed == (Trimmed("history", 4, tokens(values) - tokens({"history": turns(20)[4:]})),)
    assert result.tokens == tokens({"history": turns(20)[4:]})


def test_the_first_and_the_last_stay() -> None:
    rule = TrimRule("history", 1, keep_first=2, keep_last=3, step=3, drop="first")
    values = {"history": turns(20)}
    left = [*turns(20)[:2], *turns(20)[-3:]]
    assert kept(fitted(values, tokens({"history": left}), rule)) == [0, 1, 17, 18, 19]


def test_the_last_step_may_be_shorter() -> None:
    rule = TrimRule("history", 1, keep_last=1, step=8, drop="first")
    values = {"history": turns(12)}
    assert kept(fitted(values, tokens({"history": turns(12)[-1:]}), rule)) == [11]


def test_of_documents_the_last_go_first() -> None:
    values = {"documents": [f"{number} " + "x" * 50 for number in range(10)]}
    result = fitted(values, tokens({"documents": values["documents"][:4]}), DOCUMENTS)
    assert result.messages == render({"documents": values["documents"][:4]})
    assert [(each.input, each.items) for each in result.trimmed] == [("documents", 6)]


@pytest.mark.parametrize("order", [(HISTORY, DOCUMENTS), (DOCUMENTS, HISTORY)])
def test_the_lowest_priority_goes_first_whatever_the_order_of_the_rules(order: tuple[TrimRule, ...]) -> None:
    values = {"history": turns(20), "documents": ["x" * 50] * 10}
    first = fitted(values, tokens(values) - 10, *order)
    assert [each.input for each in first.trimmed] == ["history"]
    floor_of_history = {**values, "history": turns(20)[-2:]}
    both = fitted(values, tokens(floor_of_history) - 1, *order)
    assert [(each.input, each.items) for each in both.trimmed] == [("history", 18), ("documents", 1)]
    assert sum(each.tokens for each in both.trimmed) == tokens(values) - (both.tokens or 0)


def test_a_later_rule_may_take_more_of_the_same_input() -> None:
    gently, hard = TrimRule("history", 1, keep_last=10, step=4, drop="first"), TrimRule("history", 3, keep_last=2, drop="first")
    values = {"history": turns(20), "documents": ["x" * 50] * 4}
    result = fitted(values, tokens({"history": turns(20)[15:], "documents": ["x" * 50]}), gently, hard, DOCUMENTS)
    assert kept(result) == list(range(15, 20))
    assert [(each.input, each.items) for each in result.trimmed] == [("history", 15), ("documents", 3)]


@pytest.mark.parametrize("value", [None, "text", 7, {"a": 1}, [], ()])
def test_what_is_no_list_or_empty_is_left_alone(value: Any) -> None:
    assert plan({"history": value}, [HISTORY]) == plan({}, [HISTORY]) == []


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_where_all_must_stay_nothing_goes(count: int) -> None:
    for drop in ("first", "last"):
        rule = TrimRule("history", 1, keep_first=3, keep_last=2, step=3, drop="first" if drop == "first" else "last")
        assert plan({"history": turns(count)}, [rule]) == []


def test_values_that_a_caller_gave_are_not_changed() -> None:
    values: dict[str, Any] = {"history": turns(20), "other": 1}
    left = without(values, [Cut("history", 0, 4, 1)])
    assert len(values["history"]) == 20
    assert left == {"history": turns(20)[4:], "other": 1}


# Threads with tools.


def with_tools() -> list[dict[str, Any]]:
    question = {"role": "user", "content": "?" * 40}
    return [question, CALL, ANSWER, ANSWER, {"role": "assistant", "content": "!"}] * 4


@pytest.mark.parametrize("drop", ["first", "last"])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
@pytest.mark.parametrize(("keep_first", "keep_last"), [(0, 0), (2, 0), (0, 2), (3, 3), (0, 3), (7, 8)])
def test_a_tool_s_answer_is_never_parted_from_its_call(drop: Any, step: int, keep_first: int, keep_last: int) -> None:
    rule = TrimRule("history", 1, keep_first=keep_first, keep_last=keep_last, step=step, drop=drop)
    values = {"history": with_tools()}
    cuts = plan(values, [rule])
    assert cuts
    for steps in range(len(cuts) + 1):
        left = without(values, cuts[:steps])["history"]
        assert left[:keep_first] == with_tools()[:keep_first]
        assert left[len(left) - keep_last :] == with_tools()[20 - keep_last :]
        assert whole(left)


def whole(thread: list[dict[str, Any]]) -> bool:
    """Tell whether every call has both of its answers right behind it, and every answer its call."""
    roles = "".join("c" if "tool_calls" in message else message["role"][0] for message in thread)
    return "c" not in roles.replace("ctt", "") and "t" not in roles.replace("ctt", "")


def test_control_a_thread_cut_elsewhere_is_not_whole() -> None:
    assert whole(with_tools())
    assert not whole(with_tools()[2:])
    assert not whole(with_tools()[:2])


def test_a_tool_s_answer_is_known_as_a_message_too() -> None:
    answer = ToolMessage(content="x", tool_call_id="c")
    thread = [UserMessage(content="a"), UserMessage(content="b"), answer, UserMessage(content="c")]
    assert [(cut.start, cut.stop) for cut in plan({"t": thread}, [TrimRule("t", 1, drop="first")])] == [(0, 1), (1, 3), (3, 4)]


# Stability.


def test_a_growing_history_loses_the_same_until_a_whole_step_is_due() -> None:
    limit = tokens({"history": turns(16)})
    firsts = []
    for count in range(16, 120):
        left = kept(fitted({"history": turns(count)}, limit, HISTORY))
        assert left == list(range(left[0], count))
        firsts.append(left[0])
    assert all(first % 4 == 0 for first in firsts)
    assert firsts == sorted(firsts)
    # Every step makes room for as many turns as it left out.
    assert all(firsts.count(first) == 4 for first in set(firsts[:-4]) - {0})


# Few counts, and a free event loop.


@pytest.mark.parametrize("limit", [60, 500, 2000, 6900])
def test_few_counts_are_enough(limit: int) -> None:
    counter = Counting()
    result = fitted({"history": turns(500)}, limit, TrimRule("history", 1, drop="first"), counter=counter)
    assert result.tokens is not None
    assert limit - 14 < result.tokens <= limit
    assert counter.times <= 4


def test_items_of_unlike_sizes_do_not_take_many_counts() -> None:
    documents = [("x" * 10_000 if number % 7 == 3 else "short") for number in range(1000)]
    for limit in (50, 1_000, 100_000, 300_000):
        counter = Counting()
        fitted({"documents": documents}, limit, TrimRule("documents", 1), counter=counter)
        assert counter.times <= 15


def test_items_that_are_not_what_they_weigh_do_not_take_many_counts() -> None:
    # All weigh the same, and one of them is all that the template shows.
    documents = [{"shown": "x" * 40_000 if number == 400 else "", "not": "y" * 40_000} for number in range(800)]

    def titles(values: Mapping[str, Any]) -> list[Message]:
        return [UserMessage(content="".join(document["shown"] for document in values["documents"]))]

    budget = Budget(trim=(TrimRule("documents", 1, drop="first"),))
    counter = Counting()
    asyncio.run(fit(later(titles), {"documents": documents}, budget=budget, room=200, counter=counter))
    assert counter.times <= 15


def test_the_last_rendering_is_what_is_returned() -> None:
    for limit in range(60, 400, 20):
        rendering = Rendering()
        budget = Budget(max_input_tokens=limit, trim=(HISTORY,))
        result = asyncio.run(fit(later(rendering), {"history": turns(40)}, budget=budget, room=None, counter=FakeCounter()))
        assert result.messages is rendering.made[-1]


def test_a_large_prompt_is_bounded_in_a_thread() -> None:
    seen: list[threading.Thread] = []

    def notes(values: Mapping[str, Any]) -> list[Message]:
        seen.append(threading.current_thread())
        return render(values)

    text = "\u4e2d" * 100_000
    result = asyncio.run(fit(later(notes), {"documents": [text]}, budget=None, room=1_000_000, counter=FakeCounter()))
    assert result.tokens is None
    assert seen == [threading.current_thread()]


# The law.


def droppable(count: int, rule: TrimRule) -> list[list[int]]:
    """Return the steps of a rule over plain items, said another way than the code says it."""
    free = list(range(count))[rule.keep_first : max(rule.keep_first, count - rule.keep_last)]
    if rule.drop == "last":
        free.reverse()
    return [free[at : at + rule.step] for at in range(0, len(free), rule.step)]


RULES = st.builds(
    TrimRule,
    st.sampled_from(["history", "documents"]),
    priority=st.integers(1, 3),
    keep_first=st.integers(0, 3),
    keep_last=st.integers(0, 3),
    step=st.integers(1, 5),
    drop=st.sampled_from(["first", "last"]),
)
TEXTS = st.text(st.sampled_from("ab \u00e9\u4e2d"), max_size=120)
VALUES = st.fixed_dictionaries(
    {
        "history": st.lists(st.builds(lambda text: {"role": "user", "content": text}, TEXTS), max_size=12),
        "documents": st.lists(TEXTS, max_size=12),
    }
)


def states(values: Mapping[str, Any], rules: Sequence[TrimRule]) -> list[dict[str, Any]]:
    """Return what is left after each step, beginning with none."""
    gone: dict[str, set[int]] = {"history": set(), "documents": set()}
    found = [dict(values)]
    for rule in sorted(rules, key=lambda rule: rule.priority):
        for step in droppable(len(values[rule.input]), rule):
            gone[rule.input] |= set(step)
            found.append({name: [item for at, item in enumerate(values[name]) if at not in gone[name]] for name in values})
    return found


@given(VALUES, st.lists(RULES, max_size=4), st.integers(0, 400))
def test_the_fewest_steps_that_suffice_are_taken(values: dict[str, Any], rules: list[TrimRule], limit: int) -> None:
    sizes = [tokens(state) for state in states(values, rules)]
    enough = [at for at, size in enumerate(sizes) if size <= limit]
    if bound(render(values)) <= limit:
        assert fitted(values, limit, *rules) == Fitted(render(values))
    elif not enough:
        with pytest.raises(InvalidRequest, match=f"need {min(sizes)} tokens"):
            fitted(values, limit, *rules)
    else:
        result = fitted(values, limit, *rules)
        assert result.messages == render(states(values, rules)[enough[0]])
        assert result.tokens == sizes[enough[0]] <= limit
        assert result == fitted(values, limit, *rules)


@given(VALUES, st.lists(RULES, min_size=1, max_size=4), st.integers(0, 400), st.data())
def test_what_is_left_fits_also_where_a_template_grows_when_items_go(
    values: dict[str, Any], rules: list[TrimRule], limit: int, data: st.DataObject
) -> None:
    odd = data.draw(st.dictionaries(st.integers(0, 12), st.integers(0, 600)))

    def growing(values: Mapping[str, Any]) -> list[Message]:
        return [*render(values), UserMessage(content="+" * odd.get(len(values["history"]), 0))]

    budget = Budget(max_input_tokens=limit, trim=tuple(rules))
    try:
        result = asyncio.run(fit(later(growing), values, budget=budget, room=None, counter=FakeCounter()))
    except InvalidRequest:
        return
    assert asyncio.run(FakeCounter().messages(result.messages)) <= limit
