"""Makes a prompt fit: leaves out what its trim rules say may go, item by item, and no more of it than needed.

Invariants
- What is returned fits by the counter, or `InvalidRequest` is raised: nothing is ever cut in the middle of a text.
- The order in which items go is fixed by the rules and the items alone, so that equal input is trimmed equally, and a history
  that has grown by a turn loses the same items as before until a whole step is due: a server's prefix cache goes on working.
- A `keep_first` and `keep_last` item stays. A thread is never cut before a tool's answer, which would part it from its call.
- One step less would not have fitted. (Of a template that grows when items go, this holds where the search has looked.)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from gateway.errors import InvalidRequest
from gateway.prompt.file.frontmatter import Budget, TrimRule
from gateway.tokens.bound import BoundCounter
from gateway.tokens.contract import Count, Counter
from gateway.tokens.pieces import pieces_of
from gateway.wire.message import Message, ToolMessage
from gateway.wire.tool import Tool

INTERPOLATED = 4
"""So many counts are guessed from those before; after that the rest is halved, however unlike the items are."""

Render = Callable[[Mapping[str, Any]], Awaitable[list[Message]]]


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What was left out of an input: how many `items`, and their share of the `tokens` that were saved."""

    input: str
    items: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """Messages that fit; `tokens` is None where the bound said so and nothing was counted."""

    messages: list[Message]
    trimmed: tuple[Trimmed, ...] = ()
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """One step: the items from `start` to `stop` of an input are left out; `weight` is their size in bytes."""

    input: str
    start: int
    stop: int
    weight: int


async def fit(
    render: Render,
    values: Mapping[str, Any],
    *,
    budget: Budget | None,
    room: int | None,
    counter: Counter,
    tools: Sequence[Tool] = (),
) -> Fitted:
    """Render `values`, with as many items left out by the budget's rules as it takes to fit.

    `tools` go with the messages and count among their tokens. `room` is what the route's context window leaves for both once
    the output (`Budget.reserve_output`) is taken off; None where its size is not known. What is returned was made by the last
    call of `render`. Raises `InvalidRequest` with code context_length_exceeded where even all steps together are too few, and
    what `render` raises.
    """
    messages = await render(values)
    limits = [limit for limit in (budget.max_input_tokens if budget else None, room) if limit is not None]
    if not limits or await BoundCounter().messages(messages, tools=tools) <= min(limits):
        return Fitted(messages)
    limit = max(0, min(limits))
    whole = await counter.messages(messages, tools=tools)
    if whole <= limit:
        return Fitted(messages, (), whole)
    cuts = plan(values, budget.trim if budget else ())
    size = sum(map(len, pieces_of(messages).texts))

    search = _Search(
        cuts,
        left=lambda steps: render(without(values, cuts[:steps])),
        count=lambda messages: counter.messages(messages, tools=tools),
        limit=limit,
        whole=whole,
        rate=whole / max(1, size),
    )
    return await search.least()


def plan(values: Mapping[str, Any], rules: Sequence[TrimRule]) -> list[Cut]:
    """Return every step in the order in which items go."""
    cuts: list[Cut] = []
    gone: set[tuple[str, int]] = set()
    for rule in sorted(rules, key=lambda rule: rule.priority):
        items = values.get(rule.input)
        if not isinstance(items, list | tuple):
            continue
        for start, stop in _ranges(items, rule):
            left = [(rule.input, index) for index in range(start, stop) if (rule.input, index) not in gone]
            if left:
                gone.update(left)
                cuts.append(Cut(rule.input, start, stop, sum(_weight(items[index]) for _, index in left)))
    return cuts


def _ranges(items: Sequence[Any], rule: TrimRule) -> Iterator[tuple[int, int]]:
    """Yield what each step of a rule leaves out, in their order; the last may be shorter than a step."""
    places = [0, *(place for place in range(1, len(items)) if not _is_tool(items[place])), len(items)]
    head = places[bisect_left(places, min(rule.keep_first, len(items)))]
    tail = places[bisect_right(places, max(len(items) - rule.keep_last, 0)) - 1]
    if rule.drop == "first":
        ends = [places[bisect_left(places, min(end, tail))] for end in range(head, tail + rule.step, rule.step)]
        yield from ((start, stop) for start, stop in pairwise(ends) if start < stop)
    else:
        ends = [places[bisect_right(places, max(end, head)) - 1] for end in range(tail, head - rule.step, -rule.step)]
        yield from ((start, stop) for stop, start in pairwise(ends) if start < stop)


def _is_tool(item: Any) -> bool:
    """Tell whether an item is a tool's answer, as a message or as a caller wrote one."""
    return isinstance(item, ToolMessage) or (isinstance(item, Mapping) and item.get("role") == "tool")


def _weight(item: Any) -> int:
    return len(repr(item))


def without(values: Mapping[str, Any], cuts: Sequence[Cut]) -> dict[str, Any]:
    """Return the values less what the cuts leave out."""
    gone: dict[str, set[int]] = {}
    for cut in cuts:
        gone.setdefault(cut.input, set()).update(range(cut.start, cut.stop))
    kept = {name: [item for index, item in enumerate(values[name]) if index not in left] for name, left in gone.items()}
    return {**values, **kept}


class _Search:
    """Finds the fewest steps that suffice, with few counts: a count may be a question to a server.

    `left` returns the messages that so many steps leave, `count` their tokens. `low` steps are known to be too few, `high` to
    suffice; they begin with none, which leaves `whole` tokens, and with one more than there are. `rate` is how many tokens a
    character that was left out has saved.
    """

    def __init__(
        self,
        cuts: list[Cut],
        *,
        left: Callable[[int], Awaitable[list[Message]]],
        count: Callable[[list[Message]], Awaitable[Count]],
        limit: int,
        whole: Count,
        rate: float,
    ) -> None:
        self._cuts = cuts
        self._left = left
        self._count = count
        self._limit = limit
        self._whole = whole
        self._rate = rate
        self._weights = [0, *accumulate(cut.weight for cut in cuts)]
        self._low, self._low_tokens = 0, whole
        self._high = len(cuts) + 1

    async def least(self) -> Fitted:
        """Return what the fewest steps leave."""
        tried = counts = 0
        messages: list[Message] = []
        high_tokens: int = self._whole
        while self._low + 1 < self._high:
            guessed = self._guess() if counts < INTERPOLATED else (self._low + self._high) // 2
            tried = min(max(guessed, self._low + 1), self._high - 1)
            messages = await self._left(tried)
            tokens = await self._count(messages)
            counts += 1
            self._learn(tried, tokens)
            if tokens <= self._limit:
                self._high, high_tokens = tried, tokens
            else:
                self._low, self._low_tokens = tried, tokens
        if self._high > len(self._cuts):
            raise self._refusal()
        if tried != self._high:
            messages = await self._left(self._high)
        return Fitted(messages, _shares(self._cuts[: self._high], self._whole - high_tokens), high_tokens)

    def _learn(self, steps: int, tokens: int) -> None:
        saved, weight = self._low_tokens - tokens, self._weights[steps] - self._weights[self._low]
        if saved > 0 and weight > 0:
            self._rate = saved / weight

    def _guess(self) -> int:
        """Return the steps that suffice if every character left out saves as many tokens as it did last time."""
        missing = self._low_tokens - self._limit
        return bisect_left(self._weights, self._weights[self._low] + missing / self._rate)

    def _refusal(self) -> InvalidRequest:
        need = f"{self._low_tokens} tokens" if self._low_tokens.exact else f"up to {self._low_tokens} tokens"
        even = " even without all that may be left out" if self._cuts else ""
        return InvalidRequest(
            f"The messages need {need}{even}, and {self._limit} are allowed.",
            code="context_length_exceeded",
            param="/prompt/variables",
        )


def _shares(cuts: Sequence[Cut], saved: int) -> tuple[Trimmed, ...]:
    """Return what was left out by input; the tokens saved are shared out by size."""
    weights: dict[str, int] = {}
    items: dict[str, set[int]] = {}
    for cut in cuts:
        weights[cut.input] = weights.get(cut.input, 0) + cut.weight
        items.setdefault(cut.input, set()).update(range(cut.start, cut.stop))
    total = max(1, sum(weights.values()))
    return tuple(Trimmed(name, len(items[name]), max(0, round(saved * weight / total))) for name, weight in weights.items())
