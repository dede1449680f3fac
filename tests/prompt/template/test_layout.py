from __future__ import annotations

import pytest

from gateway.prompt.file.problem import PromptInvalid
from gateway.prompt.template.findings import Findings
from gateway.prompt.template.flow import UNSURE, Place
from gateway.prompt.template.layout import NUMBER_CHARS, Layout, Marker, number
from gateway.prompt.template.roles import Voice

USER, SYSTEM = Voice("user"), Voice("system")
NONCE = "<nonce>"


@pytest.fixture
def findings() -> Findings:
    return Findings(lambda line: ("f", line))


@pytest.fixture
def layout(findings: Findings) -> Layout:
    return Layout(NONCE, findings)


def test_a_number_has_the_same_length_for_every_marker() -> None:
    assert {len(number(marker)) for marker in (0, 15, 4096)} == {NUMBER_CHARS}


def test_messages_and_threads_are_marked_in_their_order(layout: Layout) -> None:
    layout.message(SYSTEM, 1, block=-1)
    layout.text("a", 2, in_loop=False)
    layout.thread("history", 3, block=-1)
    layout.message(USER, 4, block=-1)
    program = layout.finish()
    assert program.markers == (Marker(SYSTEM), Marker(thread="history"), Marker(USER))
    assert program.source == f"{NONCE}0000a{NONCE}0001{NONCE}0002"


def test_a_role_line_that_says_nothing_before_a_thread_goes(layout: Layout) -> None:
    layout.message(USER, 1, block=-1)
    layout.text("\n \n", 1, in_loop=False)
    layout.thread("history", 3, block=-1)
    assert layout.finish().markers == (Marker(thread="history"),)


def test_a_role_line_of_another_block_stays_because_the_thread_may_not_come(layout: Layout) -> None:
    layout.message(USER, 1, block=-1)
    layout.thread("history", 3, block=7)
    assert layout.finish().markers == (Marker(USER), Marker(thread="history"))


def test_text_behind_a_thread_goes_on_in_the_role_before_it(layout: Layout) -> None:
    layout.message(USER, 1, block=-1)
    layout.text("a", 2, in_loop=False)
    layout.thread("history", 3, block=-1)
    layout.text("\n", 4, in_loop=False)
    layout.text("b", 5, in_loop=False)
    layout.output("c", 5, in_loop=False)
    assert layout.finish().markers == (Marker(USER), Marker(thread="history"), Marker(USER))


def test_text_behind_a_thread_before_any_role_line_is_the_systems(layout: Layout) -> None:
    layout.thread("history", 1, block=-1)
    layout.output("c", 5, in_loop=False)
    assert layout.finish().markers == (Marker(thread="history"), Marker(SYSTEM))


@pytest.mark.parametrize(
    ("place", "in_loop"), [(UNSURE, False), (Place("thread"), False), (Place("thread", USER), True), (Place("nowhere"), False)]
)
def test_text_of_which_nobody_can_say_where_it_stands_is_refused(
    *, layout: Layout, findings: Findings, place: Place, in_loop: bool
) -> None:
    layout.place = place
    layout.text("\n\n a", 3, in_loop=in_loop)
    layout.text("b", 5, in_loop=in_loop)
    with pytest.raises(PromptInvalid) as caught:
        findings.settle()
    assert [problem.line for problem in caught.value.problems] == [5]


@pytest.mark.parametrize("place", [UNSURE, Place("thread"), Place("thread", USER), Place("nowhere")])
def test_whitespace_may_stand_anywhere(layout: Layout, findings: Findings, place: Place) -> None:
    layout.place = place
    layout.text(" \n\t", 3, in_loop=False)
    assert findings.settle() == ()
    assert layout.place == place


@pytest.mark.parametrize("text", ["{{ x }}", "{% y %}", "{# z #}", "ends with {"])
def test_text_that_looks_like_a_tag_is_marked_as_text(layout: Layout, text: str) -> None:
    layout.message(USER, 1, block=-1)
    layout.text(text, 1, in_loop=False)
    assert layout.finish().source.endswith(f"{{% raw %}}{text}{{% endraw %}}")


@pytest.mark.parametrize(("length", "in_loop", "paid"), [(64, True, False), (65, True, True), (65, False, False)])
def test_longer_text_in_a_loop_is_written_as_an_output(*, layout: Layout, length: int, in_loop: bool, paid: bool) -> None:
    text = ("{{ '\"\\\n" * 20)[:length]
    layout.message(USER, 1, block=-1)
    layout.text(text, 1, in_loop=in_loop)
    assert layout.finish().source.removeprefix(f"{NONCE}0000").startswith("{{\n" if paid else "{% raw %}")


def test_every_line_of_source_knows_its_line_of_the_body(layout: Layout) -> None:
    layout.message(USER, 4, block=-1)
    layout.text("\na\n", 4, in_loop=False)
    layout.output("x", 20, in_loop=False)
    position = layout.tag("if y", 30)
    layout.follow(position, "{{ '' }}")
    program = layout.finish()
    assert program.source.split("\n")[3:] == ["x }}{%", "if y %}{{ '' }}"]
    assert program.lines[1:] == (5, 6, 20, 30)
