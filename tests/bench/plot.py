"""A run as a picture: CPU, latency, memory and start of every subject, on log scales, with their values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tests.bench.plan import DIRECT
from tests.bench.report import Result
from tests.bench.stats import Figure

Bars = tuple[str, str]
"""Label and figure."""

_PANELS: tuple[tuple[str, str, tuple[Bars, ...]], ...] = (
    (
        "CPU per answer",
        "µs of CPU (user + system)",
        (
            ("plain request", "plain_us"),
            ("stream of 50 chunks, burst", "burst_us"),
            ("stream of 50 chunks, one per 20 ms", "paced_us"),
        ),
    ),
    (
        "Added latency at a fixed rate",
        "ms",
        (("p50", "added_p50_ms"), ("p99", "added_p99_ms")),
    ),
    ("Memory after load, start", "MB; seconds", (("PSS, MB", "pss"), ("start, s", "start_s"))),
)
_COLOURS = ("#33658a", "#f6ae2d", "#86bbd8")


def draw(results: Sequence[Result], path: Path, *, machine: dict[str, object], noise: Figure) -> None:
    """Write the picture of a run as PNG; `noise` is how many cores other programs kept busy."""
    shown = [one for one in results if one.name != DIRECT]
    figure, panels = plt.subplots(len(_PANELS), 1, figsize=(11, 13), layout="constrained")
    for panel, (title, unit, bars) in zip(panels, _PANELS, strict=True):
        _panel(panel, shown, bars)
        panel.set_title(title, loc="left", fontweight="bold")
        panel.set_ylabel(f"{unit}, log scale")
    rates = ", ".join(f"{one.name} {one.rate:.0f}/s" for one in shown)
    panels[1].set_xlabel(f"requests per second: {rates}", fontsize=8)
    build = f"Python {machine['python']} ({machine['python_build']})"
    figure.suptitle(
        f"One machine, one run: {machine['processor']}, {machine['cores']} cores, {build}\n"
        "1.7 kB request, 1.0 kB answer; subject on a core of its own; bars are medians, whiskers the lowest and highest pass\n"
        f"{datetime.now(UTC):%Y-%m-%d}, commit {machine['commit']}; other programs kept {noise.median:.2f} cores busy",
        fontsize=10,
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(panel: Axes, shown: Sequence[Result], bars: Sequence[Bars]) -> None:
    width = 0.8 / len(bars)
    panel.set_yscale("log")
    for place, (label, name) in enumerate(bars):
        at = [position + (place - (len(bars) - 1) / 2) * width for position in range(len(shown))]
        heights, below, above = [], [], []
        for one in shown:
            middle, low, high = (max(value, 0.01) for value in _values(one, name))
            heights.append(middle)
            below.append(middle - low)
            above.append(high - middle)
        style: dict[str, Any] = {"color": _COLOURS[place], "label": label, "error_kw": {"elinewidth": 0.8, "capsize": 2}}
        drawn = panel.bar(at, heights, width, yerr=[below, above], **style)
        panel.bar_label(drawn, labels=[f"{height:,.3g}" if height < 1000 else f"{height:,.0f}" for height in heights], fontsize=8)
    panel.set_xticks(range(len(shown)), [one.name if one.valid else f"{one.name}\nINVALID" for one in shown])
    panel.margins(y=0.15)
    panel.grid(axis="y", linewidth=0.3)
    panel.legend(fontsize=8, loc="upper left")


def _values(one: Result, name: str) -> tuple[float, float, float]:
    """Return median, lowest and highest; a figure that there is not is drawn as nothing."""
    if name == "pss":
        return (one.memory.pss / 1e6,) * 3
    figure = one.figures.get(name)
    return (figure.median, figure.low, figure.high) if figure is not None else (0.0, 0.0, 0.0)
