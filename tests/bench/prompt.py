"""What a prompt costs in place: `python -m tests.bench.prompt` prints the median of each step beside what it may cost.

A prompt over eight documents of 200 characters is rendered and parted into messages, and the control tokens of chat templates
are looked for: in those messages, and in 2 kB of prose, of a page in HTML, and of code. Times are CPU time of one thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.prompt.template.neutral import find_controls, neutral_messages
from gateway.prompt.template.template import Template, compile_template
from tests.bench.stats import Figure

BODY = """\
system:
You answer from the documents only, and say so where they do not tell.

user:
{% for d in documents %}
[{{ loop.index }}] {{ d.title }}: {{ d.text }}
{% endfor %}

Question: {{ question }}
"""
INPUTS = {"documents": "array", "question": "string"}
VALUES = {
    "documents": [{"title": f"Chapter {number}", "text": "It takes two days, in any country here. " * 5} for number in range(8)],
    "question": "How long does delivery take, and what does it cost to send a parcel back?",
}
PROSE = "The parcel of the third of May came two days late, and nobody at the counter could say why. "
PAGE = '<p class="a">Good <b>morning</b>, <a href="/x">see</a> page [1] of <i>two</i></p>\n'
CODE = "for i in range(n):\n    if a[i] < b[j] and x<y: z[k] = [1, 2]\n"
CHARS = 2000
PASSES = 25


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is measured; `most` is what it may cost in µs, 0 where nothing is promised."""

    name: str
    run: Callable[[], object]
    most: float = 0.0


def template() -> Template:
    """Return the prompt that is measured."""
    return compile_template(BODY, inputs=INPUTS, where=lambda line: ("bench.prompty", line))


def steps() -> list[Step]:
    """Return all steps."""
    prompt = template()
    messages = prompt.render(VALUES)
    prose, page, code = ((text * CHARS)[:CHARS] for text in (PROSE, PAGE, CODE))
    return [
        Step("render and part, 8 documents", lambda: prompt.render(VALUES), 25),
        Step("control tokens, its messages", lambda: neutral_messages(messages, "neutralise")),
        Step("control tokens, 2 kB of prose", lambda: find_controls(prose), 2),
        Step("control tokens, 2 kB of a page", lambda: find_controls(page)),
        Step("control tokens, 2 kB of code", lambda: find_controls(code)),
        Step("compile", template),
    ]


def measure(step: Step, *, rounds: int) -> Figure:
    """Return µs of CPU time a run: the median of the passes, each of `rounds` runs."""
    step.run()
    passes = []
    for _ in range(PASSES):
        began = time.thread_time_ns()
        for _ in range(rounds):
            step.run()
        passes.append((time.thread_time_ns() - began) / rounds / 1000)
    return Figure.of(passes)


def table(figures: list[tuple[Step, Figure]]) -> str:
    """Return the figures as a table."""
    rows = [f"{'µs':32}{'median':>9}{'min..max':>18}{'may cost':>10}"]
    for step, figure in figures:
        spread = f"{figure.low:.2f}..{figure.high:.2f}"
        most = f"{step.most:g}" if step.most else "-"
        over = "  OVER" if step.most and figure.median > step.most else ""
        rows.append(f"{step.name:32}{figure.median:9.2f}{spread:>18}{most:>10}{over}")
    return "\n".join(rows)


def main(rounds: int = 400) -> int:
    """Measure and print; returns 1 where a step costs more than it may."""
    figures = [(step, measure(step, rounds=rounds)) for step in steps()]
    print(table(figures))
    return int(any(step.most and figure.median > step.most for step, figure in figures))


if __name__ == "__main__":
    sys.exit(main())
