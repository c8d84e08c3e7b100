"""What a network reaches on rows that it has not seen."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.data.encoder import TableEncoder
from pullback.data.targets import NumberTarget
from pullback.train import metrics
from pullback.train.metrics import ClassificationReport


@dataclass(frozen=True)
class RegressionReport:
    """Errors in the target's own unit: mean absolute, root of the mean square; and the share of variance explained."""

    mean_absolute_error: float
    root_mean_squared_error: float
    r2: float
    rows: int

    def to_dict(self) -> dict[str, Any]:
        """The report as plain numbers, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class TextReport:
    """How well the characters of a text are told, each from those before it.

    loss: the mean of −ln p of the character that came; bits: the same with the logarithm to base 2, so many bits a
    coder would need for it. accuracy: how often the likeliest came. characters: how many were told.
    """

    loss: float
    bits: float
    accuracy: float
    characters: int

    def to_dict(self) -> dict[str, Any]:
        """The report as plain numbers, ready for JSON."""
        return asdict(self)


Report = ClassificationReport | RegressionReport | TextReport


def make_report(outputs: Array, targets: Array, names: tuple[str, ...], encoder: TableEncoder | None) -> Report:
    """The report on outputs (n, outputs) and targets as the network sees them; numbers in their own unit.

    With names, for classes: accuracy, precision, recall, F1 and the confusion matrix. Without, for numbers.
    """
    if names or encoder is None or not isinstance(encoder.target, NumberTarget):
        return metrics.classification_report(outputs, targets, names)
    # Measured as the network sees them, then scaled: the squares of numbers such as 1e200 would be infinite.
    found, truth, scale = outputs.astype(np.float64).ravel(), targets.astype(np.float64).ravel(), encoder.target.scale
    return RegressionReport(
        metrics.mean_absolute_error(found, truth) * scale,
        metrics.root_mean_squared_error(found, truth) * scale,
        metrics.r2_score(found, truth),
        len(truth),
    )


def probabilities(scores: Array) -> Array:
    """The softmax of scores (n, classes), (n, classes) float64: what the network holds likely."""
    wide = scores.astype(np.float64)
    grown = np.exp(wide - wide.max(axis=1, keepdims=True))
    shares: Array = grown / grown.sum(axis=1, keepdims=True)
    return shares


def worst_mistakes(scores: Array, targets: Array, count: int) -> Array:
    """The rows that were taken for another class with the greatest conviction, the worst first, (at most count,).

    >>> worst_mistakes(np.array([[0.0, 5.0], [0.0, 1.0], [3.0, 0.0]]), np.array([0, 0, 0]), 5).tolist()
    [0, 1]
    """
    chances = probabilities(scores)
    chosen = chances.argmax(axis=1)
    wrong = np.flatnonzero(chosen != targets)
    margin = chances[wrong, chosen[wrong]] - chances[wrong, targets[wrong]]
    worst: Array = wrong[np.argsort(-margin, kind="stable")][:count]
    return worst
