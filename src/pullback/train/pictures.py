"""The pictures of a run: its curves, its confusion matrix, its worst mistakes."""

import io
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pullback.base.atomic import atomic_write
from pullback.base.dtypes import Array
from pullback.train.metrics import ClassificationReport
from pullback.train.report import probabilities, worst_mistakes
from pullback.train.session import Outcome
from pullback.train.study import Measured

BLUE, ORANGE, INK, PALE = "#2563a8", "#d9762b", "#222222", "#e3e3e3"
SHEET = (5, 8)  # rows and columns of the sheet of mistakes
MOST_CLASSES = 30


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw_pictures(outcome: Outcome) -> list[Path]:
    """Draw what the run has to show into its folder; the files made.

    curves.png always; for classes confusion.png; for images mistakes.png; for numbers predictions.png.
    """
    folder, problem = outcome.folder.path, outcome.run.problem
    progress, baseline = outcome.run.progress, outcome.baseline
    beside = (f"{baseline.best.order}-grams", baseline.best.validation_bits) if baseline else None
    made = [keep(curves(progress.history, progress.best_epoch, beside), folder / "curves.png")]
    if outcome.outputs is None or outcome.targets is None:
        return made
    if isinstance(outcome.report, ClassificationReport):
        if is_readable(outcome.report):
            made.append(keep(confusion(outcome.report), folder / "confusion.png"))
        if problem.encoder is None:
            images = problem.test.arrays[0]  # (n, 1, h, w)
            sheet = mistakes(images, outcome.outputs, outcome.targets, problem.class_names)
            made.append(keep(sheet, folder / "mistakes.png"))
    elif problem.encoder is not None:
        decode = problem.encoder.target.decode
        found, truth = np.asarray(decode(outcome.outputs)), np.asarray(decode(outcome.targets))
        made.append(keep(predictions(found, truth, problem.encoder.target.name), folder / "predictions.png"))
    return made


def keep(figure: Any, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all, with the same bytes for the same numbers."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    with atomic_write(path) as file:
        file.write(buffer.getvalue())
    return path


def _figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Any:
    from matplotlib.figure import Figure  # without pyplot: no window, no state that outlives the picture

    return Figure(figsize=(width, height), layout=layout, facecolor="white")


def _plain(axes: Any) -> None:
    """Axes without a frame, with a pale grid behind the lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)


def curves(history: Sequence[Mapping[str, float]], best_epoch: int, beside: tuple[str, float] | None = None) -> Any:
    """The loss and the watched metric over the epochs, the best epoch marked; and what something else reaches."""
    epochs = [record["epoch"] for record in history]
    metric, title = _watched(history[0])
    figure = _figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [record["train_loss"] for record in history], color=BLUE, label="training")
    left.plot(epochs, [record["validation_loss"] for record in history], color=ORANGE, label="validation")
    left.set(title="Loss", xlabel="epoch", ylim=(0, None))
    left.legend(frameon=False)
    values = [record[metric] for record in history]
    best = values[best_epoch - 1]
    right.plot(epochs, values, color=ORANGE)
    right.plot([best_epoch], [best], "o", color=ORANGE)
    if beside:
        right.axhline(beside[1], color=INK, linestyle="--", linewidth=1)
        right.annotate(f"{beside[0]} {beside[1]:.4f}", (epochs[0], beside[1]), (0, 4), textcoords="offset points")
    right.set(title=f"Validation {title}: best {best:.4f}, epoch {best_epoch}", xlabel="epoch")
    for axes in (left, right):
        _plain(axes)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _watched(record: Mapping[str, float]) -> tuple[str, str]:
    if "validation_accuracy" in record:
        return "validation_accuracy", "accuracy"
    if "validation_bits" in record:
        return "validation_bits", "bits a character"
    return "validation_r2", "R²"


def is_readable(report: ClassificationReport) -> bool:
    """Whether the confusion matrix is small enough to be read as a picture."""
    return len(report.class_names) <= MOST_CLASSES


def confusion(report: ClassificationReport) -> Any:
    """The confusion matrix: mistakes shaded by their number, the right ones left white."""
    matrix = np.array(report.confusion)
    wrong = np.ma.masked_where(np.eye(len(matrix), dtype=bool) | (matrix == 0), matrix)
    size = 2.2 + 0.42 * len(matrix)
    figure = _figure(size, size)
    axes = figure.subplots()
    axes.imshow(wrong, cmap="Oranges", vmin=0, vmax=2 * max(1, matrix[~wrong.mask].max(initial=0)))
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            axes.text(j, i, str(count), ha="center", va="center", color=BLUE if i == j else INK, fontsize=9)
    places = range(len(matrix))
    long = max(map(len, report.class_names)) > 3
    axes.set_xticks(places, report.class_names, rotation=90 if long else 0)
    axes.set_yticks(places, report.class_names)
    axes.tick_params(length=0)
    axes.spines[:].set_color(PALE)
    axes.set(xlabel="predicted", ylabel="true", title=f"Test accuracy {report.accuracy:.4f}")
    return figure


def mistakes(images: Array, scores: Array, targets: Array, names: Sequence[str]) -> Any:
    """The worst mistakes as a sheet: images (n, 1, h, w), what each was read as and how surely, and what it is."""
    worst, chances = worst_mistakes(scores, targets, SHEET[0] * SHEET[1]), probabilities(scores)
    rows, columns = max(1, -(-len(worst) // SHEET[1])), SHEET[1]
    wrong = int((scores.argmax(axis=1) != targets).sum())
    figure = _figure(1.25 * columns, height := 1.62 * rows + 0.45, layout=None)
    # By hand: the automatic layout looks at every text of the sheet, which takes seconds.
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.005, top=1 - 0.78 / height, hspace=0.3, wspace=0.06)
    shown = f"the {len(worst)} worst of {wrong}" if wrong > len(worst) else f"all {wrong}"
    figure.suptitle(f"Mistakes on the {len(targets):,} test rows: {shown}", fontsize=12, y=1 - 0.12 / height)
    for axes in (cells := figure.subplots(rows, columns).ravel()):
        axes.set_axis_off()
    for axes, i in zip(cells, worst, strict=False):
        read = int(scores[i].argmax())
        axes.imshow(images[i, 0], cmap="gray_r", vmin=0, vmax=1)
        surely = f"{chances[i, read]:.3f} against {chances[i, targets[i]]:.3f}"
        told = f"a {names[targets[i]]} read as {names[read]}\n{surely}"
        axes.set_title(told, fontsize=7.5, color=INK)
    return figure


def predictions(found: Array, truth: Array, name: str) -> Any:
    """Predicted against true numbers (n,): a perfect network's points lie on the line."""
    figure = _figure(4.8, 4.8)
    axes = figure.subplots()
    low, high = float(min(found.min(), truth.min())), float(max(found.max(), truth.max()))
    axes.plot([low, high], [low, high], color=ORANGE, linewidth=1.2)
    axes.scatter(truth, found, s=14, color=BLUE, alpha=0.6, linewidths=0)
    axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}", title=f"Predictions on the {len(truth):,} test rows")
    _plain(axes)
    return figure


COLORS = (INK, BLUE, "#3a8f4d", "#8a4fa3", "#9a9a9a", "#5fb4d9", ORANGE, "#b8405e")
_ALIVE = (1e-4, 1e3)  # norms between which a gradient teaches something
_SMALLEST = float(np.finfo(np.float32).tiny)


def gradients_by_layer(results: Sequence[Measured], question: str) -> Any:
    """The norm of the gradient at each layer's weights of the runs of a study: before the first step, as a whole and
    where it is neither lost nor without bounds, and after the last; and how well each run knew the validation rows."""
    figure = _figure(14, 4.8)
    whole, start, end, right = figure.subplots(1, 4, width_ratios=(3, 3, 3, 2.8))
    for axes, when, title in (
        (whole, "start", "Before the first step"),
        (start, "start", "The same, from near"),
        (end, "end", "After the last step, from near"),
    ):
        for i, result in enumerate(results):
            same = any(result.start == other.start for other in results[:i])
            style = {"linestyle": (0, (4, 3)) if same else "-", "linewidth": 1.6 if same else 2.2}
            norms = np.array(getattr(result, when))
            axes.plot(np.arange(1, len(norms) + 1), np.maximum(norms, 1e-46), color=COLORS[i % len(COLORS)], **style)
        axes.set_yscale("log")
        axes.set(title=title, xlabel="layer, from the inputs to the outputs", ylim=_ALIVE)
        _plain(axes)
    lowest = min(norm for result in results for norm in result.start if not math.isnan(norm))
    whole.set(ylabel="norm of the gradient at the layer's weights", ylim=(max(lowest, 1e-46) / 30, _ALIVE[1]))
    if lowest < _SMALLEST:
        whole.axhline(_SMALLEST, color=INK, linewidth=0.8, linestyle=":")
        told = "below this line float32 runs out of digits"
        whole.annotate(
            told, (0.98, _SMALLEST), (0, 3), whole.get_yaxis_transform(), "offset points", ha="right", fontsize=8
        )
    _bars_of_accuracy(right, results)
    figure.suptitle(question, fontsize=12)
    return figure


def _bars_of_accuracy(axes: Any, results: Sequence[Measured]) -> None:
    places = np.arange(len(results))[::-1]
    shares = [0.0 if math.isnan(result.validation_accuracy) else result.validation_accuracy for result in results]
    axes.barh(places, shares, color=[COLORS[i % len(COLORS)] for i in range(len(results))], height=0.45)
    for place, share, result in zip(places, shares, results, strict=True):
        figure = "diverged" if result.ended == "diverged" else f"{100 * share:.1f} %"
        axes.annotate(figure, (share, place), (4, 0), textcoords="offset points", va="center", fontsize=9)
        axes.annotate(result.title, (0, place), (2, 11), textcoords="offset points", fontsize=9, color=INK)
    axes.set(
        title="Validation accuracy", xlim=(0, 1.18), xticks=(0, 0.5, 1), yticks=(), ylim=(-0.5, len(results) - 0.2)
    )
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    _plain(axes)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
