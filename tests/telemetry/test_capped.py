from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from gateway.telemetry.capped import Capped, Remembered


def counter() -> Counter:
    return Counter("c", "A count.", ("route", "result"), registry=CollectorRegistry())


def test_what_comes_after_the_last_set_of_labels_counts_as_other() -> None:
    metric = counter()
    capped = Capped(metric, 2, most=3)
    for route in ("a", "b", "c", "d", "a"):
        capped.child(route, "ok").inc()
    [family] = metric.collect()
    counts = {tuple(sample.labels.values()): sample.value for sample in family.samples if sample.name == "c_total"}
    assert counts == {("a", "ok"): 2, ("b", "ok"): 1, ("other", "other"): 2}


def test_a_child_is_the_same_each_time() -> None:
    capped = Capped(counter(), 2, most=3)
    assert capped.child("a", "ok") is capped.child("a", "ok")


def test_what_is_remembered_is_made_once() -> None:
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    remembered = Remembered(make, most=2)
    assert [remembered["a"], remembered["a"], remembered["b"]] == ["A", "A", "B"]
    assert made == ["a", "b"]


def test_what_is_remembered_does_not_grow_without_bound() -> None:
    remembered = Remembered(str.upper, most=2)
    assert [remembered[key] for key in "abcabc"] == list("ABCABC")
    assert len(remembered) == 2
