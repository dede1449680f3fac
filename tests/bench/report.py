"""From passes to figures: medians with their spread, ratios within the run, and the tables that show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.jobs import Outcome
from tests.bench.plan import DIRECT, Step
from tests.bench.proc import Memory
from tests.bench.stats import Figure, percentile

Figures = dict[str, Figure]

CPU = ("plain", "burst", "paced")
"""Scenarios that have a CPU time per answer."""

RATIO_TO = ("floor", "litellm")
CLIENT = "floor-aiohttp"
"""The floor with the client that Gatehouse uses: what Gatehouse costs above it is its own."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A step and what it gave."""

    step: Step
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Result:
    """All of one subject; valid when no answer of any pass was incomplete. `rate` is 0 where there were several."""

    name: str
    figures: Figures
    errors: dict[str, int]
    memory: Memory
    rate: float

    @property
    def valid(self) -> bool:
        return not self.errors


def result(name: str, passes: Sequence[Pass], *, starts: Sequence[float], memory: Memory) -> Result:
    """Sum up a subject's passes; `passes` are those of all subjects."""
    own = [one for one in passes if one.step.subject == name]
    figures = {"start_s": Figure.of(starts)} if starts else {}
    for scenario in CPU:
        figures |= _cpu(scenario, own)
    figures |= _gaps(own)
    figures |= _latency(own, passes)
    errors: dict[str, int] = {}
    for one in own:
        for problem, count in one.outcome.errors.items():
            label = f"{one.step.scenario.name}: {problem}"
            errors[label] = errors.get(label, 0) + count
    rates = {one.step.rate for one in own if one.step.rate}
    rate = rates.pop() if len(rates) == 1 else 0.0
    return Result(name, figures, errors, memory, rate)


def _cpu(scenario: str, own: Sequence[Pass]) -> Figures:
    outcomes = [one.outcome for one in own if one.step.scenario.name == scenario]
    outcomes = [outcome for outcome in outcomes if outcome.answers and outcome.cpu_us]
    if not outcomes:
        return {}
    return {
        f"{scenario}_us": Figure.of([outcome.cpu_us / outcome.answers for outcome in outcomes]),
        f"{scenario}_busy": Figure.of([outcome.cpu_us / outcome.seconds / 1e6 for outcome in outcomes]),
        f"{scenario}_per_s": Figure.of([outcome.answers / outcome.seconds for outcome in outcomes]),
    }


def _gaps(own: Sequence[Pass]) -> Figures:
    gaps = [one.outcome.gaps_ms for one in own if one.outcome.gaps_ms]
    names = ("gap_p50_ms", "gap_p99_ms", "gap_worst_ms")
    return {name: Figure.of(values) for name, values in zip(names, zip(*gaps, strict=True), strict=False)}


def _latency(own: Sequence[Pass], passes: Sequence[Pass]) -> Figures:
    """Compare every pass with the direct one of the same round and rate."""
    if all(one.step.subject == DIRECT for one in own):
        return {}
    direct = {
        (one.step.number, one.step.rate): sorted(one.outcome.latencies_ms)
        for one in passes
        if one.step.subject == DIRECT and one.outcome.latencies_ms
    }
    figures: Figures = {}
    rounds = [(one.step, sorted(one.outcome.latencies_ms)) for one in own if one.outcome.latencies_ms]
    pairs = [(mine, direct[step.number, step.rate]) for step, mine in rounds if (step.number, step.rate) in direct]
    for name, at in (("p50", 0.5), ("p99", 0.99)):
        if rounds:
            figures[f"{name}_ms"] = Figure.of([percentile(mine, at) for _, mine in rounds])
        if pairs:
            figures[f"added_{name}_ms"] = Figure.of([percentile(mine, at) - percentile(base, at) for mine, base in pairs])
    return figures


def ratios(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Return for every subject its CPU time as a multiple of the floor's and of LiteLLM's: {subject: {"plain/floor": …}}."""
    by_name = {one.name: one for one in results}
    found: dict[str, dict[str, float]] = {}
    for one in results:
        found[one.name] = {}
        for scenario in CPU:
            for base in RATIO_TO:
                if base in by_name:
                    share = _divide(one, by_name[base], f"{scenario}_us")
                    if share is not None:
                        found[one.name][f"{scenario}/{base}"] = share
    return found


def _divide(one: Result, base: Result, figure: str) -> float | None:
    if figure not in one.figures or figure not in base.figures:
        return None
    return one.figures[figure].median / base.figures[figure].median


def above_client(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Return what each Gatehouse costs above the floor with its client, in µs: {subject: {"plain": …}}."""
    client = next((one for one in results if one.name == CLIENT), None)
    found: dict[str, dict[str, float]] = {}
    if client is not None:
        for one in results:
            if one.name.startswith("gatehouse"):
                names = [name for name in CPU if f"{name}_us" in one.figures and f"{name}_us" in client.figures]
                found[one.name] = {name: one.figures[f"{name}_us"].median - client.figures[f"{name}_us"].median for name in names}
    return found


def foreign(passes: Sequence[Pass]) -> Figure:
    """Return how many cores other programs kept busy during the passes."""
    return Figure.of([one.outcome.foreign_us / one.outcome.seconds / 1e6 for one in passes])


def tables(results: Sequence[Result]) -> str:
    """Return the two tables of a run: CPU time, then latency, memory and start."""
    shares = ratios(results)
    parts = [_table(_cpu_rows(results, shares)), "", _table(_other_rows(results))]
    own = above_client(results)
    for name, costs in own.items():
        listed = ", ".join(f"{scenario} {cost:.0f}" for scenario, cost in costs.items())
        parts += ["", f"{name} above {CLIENT}, µs: {listed}"]
    for one in results:
        if not one.valid:
            listed = ", ".join(f"{count} x {problem}" for problem, count in one.errors.items())
            parts += ["", f"{one.name}: INVALID, {listed}"]
    return "\n".join(parts)


def _cpu_rows(results: Sequence[Result], shares: dict[str, dict[str, float]]) -> list[list[str]]:
    bases = [base for base in RATIO_TO if any(one.name == base for one in results)]
    head = ["CPU µs per answer"]
    for scenario in CPU:
        head += [scenario, "min..max", "core", *(f"x {base}" for base in bases)]
    rows = [head]
    for one in results:
        if one.name == DIRECT:
            continue
        row = [one.name if one.valid else f"{one.name} (!)"]
        for scenario in CPU:
            row += [
                _value(one, f"{scenario}_us", _round),
                _range(one, f"{scenario}_us"),
                _value(one, f"{scenario}_busy", lambda share: f"{share:.0%}"),
                *(_share(shares[one.name].get(f"{scenario}/{base}")) for base in bases),
            ]
        rows.append(row)
    return rows


def _other_rows(results: Sequence[Result]) -> list[list[str]]:
    columns = (
        ("added p50 ms", "added_p50_ms"),
        ("added p99 ms", "added_p99_ms"),
        ("gap p99 ms", "gap_p99_ms"),
        ("worst gap ms", "gap_worst_ms"),
        ("start s", "start_s"),
    )
    rows = [["", "req/s", *(part for title, _ in columns for part in (title, "min..max")), "PSS MB", "RSS MB"]]
    for one in results:
        row = [one.name, f"{one.rate:.0f}" if one.rate else "-"]
        for _, name in columns:
            row += [_value(one, name, _round), _range(one, name)]
        rows.append([*row, *(f"{size / 1e6:.0f}" if size else "-" for size in (one.memory.pss, one.memory.rss))])
    return rows


def _value(one: Result, name: str, show: Callable[[float], str]) -> str:
    figure = one.figures.get(name)
    return "-" if figure is None else show(figure.median)


def _range(one: Result, name: str) -> str:
    figure = one.figures.get(name)
    return "" if figure is None else f"{_round(figure.low)}..{_round(figure.high)}"


def _share(share: float | None) -> str:
    if share is None:
        return "-"
    return f"{share:.2f}" if share >= 0.1 else f"1/{1 / share:.0f}"


def _round(value: float) -> str:
    """Show three significant digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
