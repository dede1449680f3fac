from __future__ import annotations

from gateway.prompt.template.scope import Scope


def test_an_input_stands_in_itself_once_and_is_noted_when_it_is_read() -> None:
    scope = Scope(["ticket", "note"])
    assert scope.read("ticket") == 1
    assert scope.used == {"ticket"}


def test_what_nobody_set_does_not_exist() -> None:
    assert Scope(["ticket"]).read("tiket") is None


def test_a_variable_of_a_loop_is_gone_behind_it() -> None:
    scope = Scope([])
    scope.open()
    scope.bind("item", 2)
    assert scope.read("item") == 2
    scope.close()
    assert scope.read("item") is None


def test_a_loop_sees_what_was_set_before_it() -> None:
    scope = Scope([])
    scope.bind("a", 3)
    scope.open()
    assert scope.read("a") == 3


def test_of_two_settings_the_larger_counts() -> None:
    scope = Scope([])
    scope.bind("a", 3)
    scope.bind("a", 1)
    assert scope.read("a") == 3


def test_a_loop_may_set_a_name_of_its_own() -> None:
    scope = Scope([])
    scope.bind("a", 3)
    scope.open()
    scope.bind("a", 1)
    assert scope.read("a") == 1


def test_all_names_are_known_for_hints() -> None:
    scope = Scope(["ticket"])
    scope.bind("a", 1)
    scope.open()
    scope.bind("b", 1)
    assert scope.names() == ["a", "b", "ticket"]
    assert scope.is_input("ticket")
    assert not scope.is_input("a")
