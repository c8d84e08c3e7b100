"""The figures as a picture: for each workload a bar per contender, on a logarithmic axis."""

from pathlib import Path
from typing import Any

from bench.field import title
from bench.judge import Entries, counting, median
from bench.report import duration
from bench.results import Result

OURS, OTHERS = "#c8452d", "#9aa5b1"
BAR = 0.26  # inches per contender


def draw(results: dict[str, Result], path: Path) -> None:
    """Draw all workloads one below the other."""
    from matplotlib import pyplot as plt

    heights = [len(counting(result.entries)) for result in results.values()]
    size = (9, sum(BAR * n + 0.75 for n in heights))
    figure, axes = plt.subplots(
        len(results), 1, figsize=size, height_ratios=heights, squeeze=False, layout="constrained"
    )
    for panel, result in zip(axes[:, 0], results.values(), strict=True):
        panel.set_title(f"{result.name}   {result.workload.title}", loc="left", fontsize=10, fontweight="bold")
        draw_workload(panel, result.entries)
    figure.supxlabel("time of one training step, logarithmic; lines: lowest to highest round", fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw_workload(panel: Any, entries: Entries) -> None:
    """The fastest on top, with its median at the end of its bar."""
    usable = counting(entries)
    keys = sorted(usable, key=lambda key: median(usable[key]), reverse=True)
    middles = [median(usable[key]) for key in keys]
    lowest, highest = ([pick(usable[key].seconds) for key in keys] for pick in (min, max))
    panel.set_xscale("log")
    if keys:
        panel.set_xlim(min(lowest) / 2, max(highest) * 3)
    colours = [OURS if key.startswith("pullback/") else OTHERS for key in keys]
    panel.barh(range(len(keys)), middles, color=colours, height=0.72)
    panel.hlines(range(len(keys)), lowest, highest, color="#333333", linewidth=1)
    panel.set_yticks(range(len(keys)), [title(key) for key in keys], fontsize=8.5)
    for place, (middle, end) in enumerate(zip(middles, highest, strict=True)):
        panel.text(end * 1.06, place, duration(middle), va="center", fontsize=8.5)
    panel.xaxis.set_major_formatter(lambda seconds, _: duration(seconds).replace(".00", "").replace(".0", ""))
    panel.xaxis.set_minor_formatter(lambda seconds, _: "")
    panel.tick_params(axis="x", labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
