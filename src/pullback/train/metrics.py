"""How good predictions are: for classes, for scores and for numbers.

Every function takes `(predictions, targets)` in this order, as PyTorch's losses do, as arrays or as tensors,
and computes in float64. Where a metric is about classes, predictions are either class numbers of the targets'
shape or scores with one more axis, the classes on axis 1, (n, c); of scores the class with the highest is
taken, the first one in a tie. Nothing to compare is an error. NaN among scores is one too; NaN among numbers
gives NaN.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, DTypeError, ShapeError, suggest

Average = Literal["micro", "macro", "weighted", "binary"]
_AVERAGES = ("micro", "macro", "weighted", "binary")


def accuracy(predictions: Any, targets: Any) -> float:
    """The share of rows whose class is predicted right.

    Predictions (n,) of classes or (n, c) of scores, targets (n,) of integers.

    Raises ShapeError, DTypeError or ArgumentError when they are not that.

    >>> accuracy([0, 1, 1, 2], [0, 1, 2, 2])
    0.75

    Source: scikit-learn, accuracy_score.
    """
    chosen, truth = _classes(predictions, targets)
    return float(np.mean(chosen == truth))


def top_k_accuracy(scores: Any, targets: Any, k: int = 5) -> float:
    """The share of rows whose class is among the k with the highest scores.

    Scores (n, c), targets (n,) of integers. Of equal scores the lower class number counts as higher, so a
    network that gives every class the same score gains nothing beyond the first k classes.

    Raises ArgumentError when k is not from 1 to c.

    >>> top_k_accuracy([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]], [2, 1], k=2)
    0.5

    Source: scikit-learn, top_k_accuracy_score.
    """
    scores, truth = _scores(scores, targets)
    classes = scores.shape[1]
    if not 1 <= k <= classes:
        raise ArgumentError(f"k must be from 1 to the {classes} classes; got {k}")
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    ahead = (scores > own) | ((scores == own) & (np.arange(classes) < truth[:, None]))
    return float(np.mean(ahead.sum(axis=1) < k))


def confusion_matrix(predictions: Any, targets: Any, num_classes: int | None = None) -> Array:
    """How often each class was taken for each other: entry (i, j) counts rows of class i predicted as j.

    Predictions (n,) or (n, c), targets (n,); returns (classes, classes) int64. Without `num_classes` there
    are as many classes as scores have columns, or else as the highest class number asks for.

    Raises ArgumentError for a class number that is not below num_classes.

    >>> confusion_matrix([0, 1, 1], [0, 1, 0]).tolist()
    [[1, 1], [0, 1]]

    Source: scikit-learn, confusion_matrix.
    """
    chosen, truth = _classes(predictions, targets)
    given = _array(predictions)
    columns = given.shape[1] if given.ndim == _array(targets).ndim + 1 else 0
    count = _count_classes(chosen, truth, num_classes, columns)
    return np.bincount(truth * count + chosen, minlength=count * count).reshape(count, count)


@dataclass(frozen=True)
class _Tally:
    """For each class: rows that are it and were predicted so, rows predicted as it, rows that are it."""

    hits: Array
    predicted: Array
    actual: Array


def precision(
    predictions: Any,
    targets: Any,
    average: Average | None = "macro",
    num_classes: int | None = None,
    zero_division: float = 0.0,
) -> Any:
    """Of the rows predicted as a class, the share that are it: tp / (tp + fp).

    `average`: "macro" is the plain mean over classes, "weighted" the mean weighted by the rows of each class,
    "micro" pools all rows, "binary" is class 1 alone, None gives an array with one number for each class. The
    classes are those that occur in predictions or targets, or 0 to num_classes - 1 where that is given. A
    class that is never predicted has the precision `zero_division`; with NaN it is left out of the mean.

    Raises ArgumentError for an unknown average.

    >>> precision([0, 1, 1, 1], [0, 1, 0, 1], average=None).round(3).tolist()
    [1.0, 0.667]

    Source: scikit-learn, precision_score.
    """
    tally = _tally(predictions, targets, num_classes, average)
    return _averaged(tally.hits, tally.predicted, tally.actual, average, zero_division)


def recall(
    predictions: Any,
    targets: Any,
    average: Average | None = "macro",
    num_classes: int | None = None,
    zero_division: float = 0.0,
) -> Any:
    """Of the rows of a class, the share predicted as it: tp / (tp + fn).

    Arguments as in `precision`; a class without rows has the recall `zero_division`.

    Raises ArgumentError for an unknown average.

    >>> recall([0, 1, 1, 1], [0, 1, 0, 1], average=None).tolist()
    [0.5, 1.0]

    Source: scikit-learn, recall_score.
    """
    tally = _tally(predictions, targets, num_classes, average)
    return _averaged(tally.hits, tally.actual, tally.actual, average, zero_division)


def f1_score(
    predictions: Any,
    targets: Any,
    average: Average | None = "macro",
    num_classes: int | None = None,
    zero_division: float = 0.0,
) -> Any:
    """The harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn).

    Arguments as in `precision`; a class that has no rows and is never predicted has the F1 `zero_division`.

    Raises ArgumentError for an unknown average.

    >>> f1_score([0, 1, 1, 1], [0, 1, 0, 1], average=None).round(3).tolist()
    [0.667, 0.8]

    Source: scikit-learn, f1_score.
    """
    tally = _tally(predictions, targets, num_classes, average)
    return _averaged(2 * tally.hits, tally.predicted + tally.actual, tally.actual, average, zero_division)


def roc_auc(scores: Any, targets: Any) -> float:
    """The probability that a row of the class scores above a row of another; equal scores count one half.

    AUC = (R - p (p + 1) / 2) / (p q), with p rows of the class, q others, and R the sum of the ranks of the p
    rows among all, equal scores sharing their mean rank. Scores (n,) or (n, 1) of class 1 with targets of 0
    and 1; or (n, c), where for two classes column 1 is the score of class 1, and for more the mean over the
    classes, each against all others, is taken.

    Raises ArgumentError when a class has no rows or has all of them, for then there is nothing to compare.

    >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75

    Source: scikit-learn, roc_auc_score (multi_class="ovr", average="macro"); Hanley, McNeil, Radiology 143
    (1982).
    """
    array = _array(scores).astype(np.float64)
    if array.ndim == 1 or array.shape[1:] == (1,):  # of class 1 alone: its ranks are all that counts
        array = np.stack([-array.ravel(), array.ravel()], axis=1)
    array, truth = _scores(array, targets)
    if array.shape[1] == 2:
        return _rank_auc(array[:, 1], truth == 1, 1)
    return float(np.mean([_rank_auc(array[:, c], truth == c, c) for c in range(array.shape[1])]))


def mean_absolute_error(predictions: Any, targets: Any) -> float:
    """The mean of |prediction - target| over all elements, in the targets' unit.

    Raises ShapeError when the two shapes differ, even where they would broadcast.

    >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    1.0

    Source: scikit-learn, mean_absolute_error.
    """
    predicted, truth = _numbers(predictions, targets)
    return float(np.mean(np.abs(predicted - truth)))


def mean_squared_error(predictions: Any, targets: Any) -> float:
    """The mean of (prediction - target)^2 over all elements, in the square of the targets' unit.

    Raises ShapeError when the two shapes differ, even where they would broadcast.

    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0

    Source: scikit-learn, mean_squared_error.
    """
    predicted, truth = _numbers(predictions, targets)
    return float(np.mean((predicted - truth) ** 2))


def root_mean_squared_error(predictions: Any, targets: Any) -> float:
    """The square root of the mean squared error, in the targets' unit.

    Raises ShapeError when the two shapes differ, even where they would broadcast.

    >>> root_mean_squared_error([1.0, 2.0], [1.0, 5.0]) == 4.5**0.5
    True

    Source: scikit-learn, root_mean_squared_error, for one column.
    """
    return float(np.sqrt(mean_squared_error(predictions, targets)))


def r2_score(predictions: Any, targets: Any) -> float:
    """The share of the targets' variance that is explained: 1 - sum (y - p)^2 / sum (y - mean y)^2.

    Shapes (n,) or (n, columns), where the mean over the columns is taken. 1 is perfect, 0 is what predicting
    the mean reaches, and there is no lower limit. Constant targets give 1 when met exactly, else 0.

    Raises ShapeError when the shapes differ, ArgumentError for fewer than two rows.

    >>> r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]).__round__(3)
    0.786

    Source: scikit-learn, r2_score.
    """
    predicted, truth = _numbers(predictions, targets)
    if len(truth) < 2:
        raise ArgumentError("r2_score needs at least two rows: one row has no variance")
    missed = np.sum((truth - predicted) ** 2, axis=0)
    spread = np.sum((truth - truth.mean(axis=0)) ** 2, axis=0)
    constant = np.where(missed == 0, 1.0, 0.0)
    return float(np.mean(np.where(spread == 0, constant, 1 - missed / np.where(spread == 0, 1, spread))))


@dataclass(frozen=True)
class ClassificationReport:
    """What a classifier did, class by class and in all; made by `classification_report`.

    `precision`, `recall` and `f1` hold one number for each class, `support` the rows of each class,
    `confusion` the rows of class i that were predicted as class j. `macro` and `weighted` are (precision,
    recall, f1).
    """

    class_names: tuple[str, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]
    accuracy: float
    macro: tuple[float, float, float]
    weighted: tuple[float, float, float]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain lists and numbers, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        per_class = zip(self.class_names, self.precision, self.recall, self.f1, self.support, strict=True)
        means = [("macro", *self.macro, sum(self.support)), ("weighted", *self.weighted, sum(self.support))]
        rows = [*per_class, *means]
        width = max(len(str(row[0])) for row in rows)
        lines = [f"{'':{width}}  precision  recall      f1  support"]
        lines += [f"{name:{width}}  {p:9.4f}  {r:6.4f}  {f:6.4f}  {n:7d}" for name, p, r, f, n in rows]
        return "\n".join([*lines, f"accuracy {self.accuracy:.4f}"])


def classification_report(
    predictions: Any, targets: Any, class_names: Any = None, zero_division: float = 0.0
) -> ClassificationReport:
    """Precision, recall, F1 and support of every class, their means, accuracy and the confusion matrix.

    Predictions (n,) or (n, c), targets (n,). `class_names` names the classes from 0 on; without it they are
    called by their numbers, as many as scores have columns or the highest class number asks for.

    Raises ArgumentError for a class number that has no name.

    >>> report = classification_report([0, 1, 1, 1], [0, 1, 0, 1], class_names=["cat", "dog"])
    >>> report.recall, report.accuracy
    ((0.5, 1.0), 0.75)

    Source: scikit-learn, classification_report.
    """
    wanted = None if class_names is None else len(class_names)
    matrix = confusion_matrix(predictions, targets, wanted)
    names = map(str, range(len(matrix)) if class_names is None else class_names)
    shares = (precision, recall, f1_score)
    scored = [share(predictions, targets, None, len(matrix), zero_division) for share in shares]
    support = matrix.sum(axis=1)
    return ClassificationReport(
        class_names=tuple(names),
        precision=tuple(scored[0].tolist()),
        recall=tuple(scored[1].tolist()),
        f1=tuple(scored[2].tolist()),
        support=tuple(support.tolist()),
        confusion=tuple(map(tuple, matrix.tolist())),
        accuracy=accuracy(predictions, targets),
        macro=_three_means(scored, np.ones(len(matrix))),
        weighted=_three_means(scored, support),
    )


@dataclass(frozen=True)
class Metric:
    """A metric by its name in commands and configurations.

    `task` is "classification" or "regression". `compute` takes what a network gives: scores (n, c) and
    classes (n,) for classification, numbers of one shape for regression.
    """

    name: str
    task: str
    compute: Callable[[Any, Any], float]
    higher_is_better: bool
    meaning: str


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "classification", accuracy, True, "share of rows predicted right"),
        Metric("top_5_accuracy", "classification", top_k_accuracy, True, "class is among the five best"),
        Metric("precision", "classification", precision, True, "mean over classes of tp / (tp + fp)"),
        Metric("recall", "classification", recall, True, "mean over classes of tp / (tp + fn)"),
        Metric("f1", "classification", f1_score, True, "mean over classes of 2 tp / (2 tp + fp + fn)"),
        Metric("roc_auc", "classification", roc_auc, True, "area under the curve, a class against the rest"),
        Metric("mae", "regression", mean_absolute_error, False, "mean absolute error"),
        Metric("mse", "regression", mean_squared_error, False, "mean squared error"),
        Metric("rmse", "regression", root_mean_squared_error, False, "root of the mean squared error"),
        Metric("r2", "regression", r2_score, True, "share of the variance explained"),
    )
}


def find_metric(name: str) -> Metric:
    """The metric of this name.

    Raises ArgumentError, with the nearest name, when there is none.

    >>> find_metric("mae").higher_is_better
    False
    """
    if name not in METRICS:
        known = ", ".join(METRICS)
        raise ArgumentError(f"there is no metric {name!r}.{suggest(name, METRICS)} Known are {known}")
    return METRICS[name]


def _array(data: Any) -> Array:
    """The numbers of an array, a list or a tensor; a tensor is taken without its gradient."""
    detach = getattr(data, "detach", None)
    return np.asarray(data if detach is None else detach())


def _check_rows(predictions: Array, targets: Array) -> None:
    if targets.size == 0:
        raise ArgumentError("there are no rows to compare: predictions and targets are empty")
    if len(predictions) != len(targets):
        raise ShapeError(f"predictions have {len(predictions)} rows and targets {len(targets)}")


def _whole(array: Array, what: str) -> Array:
    """Class numbers as int64; floats are refused, for they are most likely scores that were never decided."""
    if array.dtype.kind not in "iub":
        raise DTypeError(
            f"{what} must be class numbers (integers); got {array.dtype}. Decide scores first, such as "
            "scores.argmax(1) or scores > 0.5"
        )
    classes = array.astype(np.int64)
    if classes.min() < 0:
        raise ArgumentError(f"{what} must not be negative; got {classes.min()}. Leave out rows to be ignored")
    return classes


def _classes(predictions: Any, targets: Any) -> tuple[Array, Array]:
    """Predicted and true class of every row, both flat."""
    given, truth = np.atleast_1d(_array(predictions)), np.atleast_1d(_array(targets))
    _check_rows(given, truth)
    if given.ndim == truth.ndim + 1:
        _check_finite(given)
        given = given.argmax(axis=1)
    if given.shape != truth.shape:
        raise ShapeError(
            f"predictions must be classes of shape {truth.shape} or scores with the classes on axis 1; "
            f"got shape {given.shape}"
        )
    return _whole(given, "predictions").ravel(), _whole(truth, "targets").ravel()


def _scores(scores: Any, targets: Any) -> tuple[Array, Array]:
    """Scores (n, c) as float64 and classes (n,)."""
    given, truth = _array(scores), np.atleast_1d(_array(targets))
    if given.ndim != 2 or truth.ndim != 1:
        raise ShapeError(f"scores must be (n, c) and targets (n,); got {given.shape} and {truth.shape}")
    _check_rows(given, truth)
    _check_finite(given)
    truth = _whole(truth, "targets")
    if truth.max() >= given.shape[1]:
        raise ArgumentError(f"targets hold class {truth.max()}, but scores have {given.shape[1]} columns")
    return given.astype(np.float64), truth


def _check_finite(scores: Array) -> None:
    if np.isnan(scores.astype(np.float64)).any():
        raise ArgumentError("scores hold NaN, which cannot be ranked: look at the network's output first")


def _numbers(predictions: Any, targets: Any) -> tuple[Array, Array]:
    """Two float64 arrays of one shape."""
    given, truth = np.atleast_1d(_array(predictions)), np.atleast_1d(_array(targets))
    if given.shape != truth.shape:
        raise ShapeError(
            f"predictions and targets must have one shape; got {given.shape} and {truth.shape}. "
            "Reshape one of them: (n, 1) against (n,) would compare every row with every other"
        )
    _check_rows(given, truth)
    return given.astype(np.float64), truth.astype(np.float64)


def _count_classes(chosen: Array, truth: Array, num_classes: int | None, at_least: int = 0) -> int:
    highest = int(max(chosen.max(), truth.max()))
    if num_classes is None:
        return max(highest + 1, at_least)
    if highest >= num_classes:
        raise ArgumentError(f"there are {num_classes} classes, 0 to {num_classes - 1}; got class {highest}")
    return num_classes


def _tally(predictions: Any, targets: Any, num_classes: int | None, average: str | None) -> _Tally:
    if average is not None and average not in _AVERAGES:
        known = ", ".join(map(repr, _AVERAGES))
        raise ArgumentError(f"average must be {known} or None; got {average!r}.{suggest(average, _AVERAGES)}")
    chosen, truth = _classes(predictions, targets)
    if average == "binary":
        num_classes = 2
    count = _count_classes(chosen, truth, num_classes)
    right = truth[chosen == truth]
    hits, predicted, actual = (np.bincount(each, minlength=count) for each in (right, chosen, truth))
    counted = slice(None) if num_classes is not None else (predicted + actual) > 0
    return _Tally(hits[counted], predicted[counted], actual[counted])


def _averaged(above: Array, below: Array, support: Array, average: str | None, zero_division: float) -> Any:
    """The ratios above / below, pooled, meant or listed."""
    if average == "micro":
        above, below = above.sum(keepdims=True), below.sum(keepdims=True)
    ratios = np.where(below == 0, zero_division, above / np.where(below == 0, 1, below))
    if average is None:
        return ratios
    if average == "micro":
        return float(ratios[0])
    if average == "binary":
        return float(ratios[1])
    return _mean(ratios, support if average == "weighted" else np.ones(len(ratios)))


def _mean(ratios: Array, weights: Array) -> float:
    """The weighted mean of the ratios that are numbers, the plain one where all their weights are 0."""
    counted = ~np.isnan(ratios)
    ratios, weights = ratios[counted], weights[counted]
    if not ratios.size:
        return float("nan")
    return float(np.average(ratios, weights=weights if weights.any() else None))


def _three_means(scored: list[Array], weights: Array) -> tuple[float, float, float]:
    means = [_mean(each, weights) for each in scored]
    return means[0], means[1], means[2]


def _rank_auc(scores: Array, positive: Array, name: int) -> float:
    """AUC from mean ranks, in n log n."""
    wins = int(positive.sum())
    others = len(scores) - wins
    if wins == 0 or others == 0:
        found = f"{wins} of {len(scores)} are"
        raise ArgumentError(f"roc_auc needs rows of class {name} and rows that are not; {found}")
    _, place, ties = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(ties) - (ties - 1) / 2
    return float((ranks[place][positive].sum() - wins * (wins + 1) / 2) / (wins * others))
