"""Metrics against scikit-learn over random rows, and the edges that it leaves undefined."""

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from pullback.base.errors import ArgumentError, DTypeError, PullbackError, ShapeError
from pullback.train import metrics
from pullback.train.metrics import METRICS, classification_report, find_metric

SEEDS = range(4)
AVERAGES = ["micro", "macro", "weighted", None]
SHARES = [(metrics.precision, sk.precision_score), (metrics.recall, sk.recall_score), (metrics.f1_score, sk.f1_score)]


def _classes(seed, classes, rows):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    guessed = np.where(rng.random(rows) < 0.6, truth, rng.integers(0, classes, rows))
    return guessed, truth


CLASS_ROWS = [_classes(s, c, n) for s in SEEDS for c, n in [(2, 30), (3, 7), (10, 200), (5, 1)]]
CLASS_ROWS += [
    (np.array([0, 0, 0]), np.array([1, 1, 1])),  # nothing right, class 0 never true, class 1 never predicted
    (np.array([0, 0, 0]), np.array([0, 0, 0])),  # one class alone
    (np.array([0, 7, 7]), np.array([7, 7, 2])),  # numbers left out between
    (np.array([True, False, True]), np.array([True, True, False])),
    (np.array([1, 2], np.uint8), np.array([1, 0], np.int64)),
]


@pytest.mark.filterwarnings("ignore:A single label was found")  # scikit-learn's, although it is given labels
@pytest.mark.parametrize(("guessed", "truth"), CLASS_ROWS)
def test_accuracy_and_confusion_as_scikit_learn(guessed, truth):
    assert metrics.accuracy(guessed, truth) == pytest.approx(sk.accuracy_score(truth, guessed))
    matrix = metrics.confusion_matrix(guessed, truth)
    guessed, truth = np.asarray(guessed, np.int64), np.asarray(truth, np.int64)
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(truth, guessed, labels=range(len(matrix))))
    assert matrix.dtype == np.int64


@pytest.mark.parametrize(("ours", "theirs"), SHARES)
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("zero", [0.0, 1.0, np.nan])
@pytest.mark.parametrize(("guessed", "truth"), CLASS_ROWS)
def test_shares_as_scikit_learn(ours, theirs, average, zero, guessed, truth):
    got = ours(guessed, truth, average, zero_division=zero)
    guessed, truth = np.asarray(guessed, np.int64), np.asarray(truth, np.int64)
    np.testing.assert_allclose(got, theirs(truth, guessed, average=average, zero_division=zero), rtol=1e-12)
    count = max(guessed.max(), truth.max()) + 3
    got = ours(guessed, truth, average, num_classes=count, zero_division=zero)
    want = theirs(truth, guessed, average=average, labels=np.arange(count), zero_division=zero)
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), SHARES)
@pytest.mark.parametrize("seed", SEEDS)
def test_binary_shares_are_those_of_class_one(ours, theirs, seed):
    guessed, truth = _classes(seed, 2, 25)
    assert ours(guessed, truth, "binary") == pytest.approx(theirs(truth, guessed, average="binary"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 2, 6])
def test_top_k_as_scikit_learn(seed, k):
    rng = np.random.default_rng(seed)
    scores, truth = rng.normal(size=(50, 6)), rng.integers(0, 6, 50)
    want = 1.0 if k == 6 else sk.top_k_accuracy_score(truth, scores, k=k, labels=range(6))
    assert metrics.top_k_accuracy(scores, truth, k) == pytest.approx(want)


def test_of_equal_scores_the_lower_class_is_ahead():
    scores = [[1.0, 1.0, 0.0, 1.0]]
    assert [metrics.top_k_accuracy(scores, [3], k) for k in (1, 2, 3)] == [0.0, 0.0, 1.0]
    assert metrics.top_k_accuracy(scores, [0], 1) == 1.0


def test_top_k_of_equal_scores_gains_nothing():
    assert metrics.top_k_accuracy(np.zeros((5, 5)), np.arange(5), k=2) == 0.4
    assert metrics.top_k_accuracy(np.zeros((5, 5)), np.arange(5), k=1) == metrics.accuracy(
        np.zeros((5, 5)), np.arange(5)
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("levels", [2, 5, 1000], ids=["many ties", "ties", "hardly any ties"])
def test_binary_auc_as_scikit_learn(seed, levels):
    rng = np.random.default_rng(seed)
    truth = np.r_[0, 1, rng.integers(0, 2, 60)]
    scores = rng.integers(0, levels, 62) / 1024 + truth * (levels > 2) / 1024  # exact in float32
    want = sk.roc_auc_score(truth, scores)
    for form in (scores, scores[:, None], np.stack([1 - scores, scores], 1), scores.astype(np.float32)):
        assert metrics.roc_auc(form, truth) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_multi_class_auc_as_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth = np.r_[0:4, rng.integers(0, 4, 60)]
    scores = rng.dirichlet(np.ones(4), 64).round(1) + 0.3 * np.eye(4)[truth]
    scores /= scores.sum(axis=1, keepdims=True)
    want = sk.roc_auc_score(truth, scores, multi_class="ovr", average="macro")
    assert metrics.roc_auc(scores, truth) == pytest.approx(want, abs=1e-12)


AUC_EDGES = [
    ([0.1, 0.2, 0.9], [0, 0, 1], 1.0),
    ([0.9, 0.2, 0.1], [0, 0, 1], 0.0),
    ([0.5, 0.5, 0.5], [0, 0, 1], 0.5),
    ([-np.inf, 0.0, np.inf], [0, 0, 1], 1.0),
]


@pytest.mark.parametrize(("scores", "truth", "want"), AUC_EDGES)
def test_auc_at_the_edges(scores, truth, want):
    assert metrics.roc_auc(scores, truth) == want


NUMBER_PAIRS = [
    (metrics.mean_absolute_error, sk.mean_absolute_error),
    (metrics.mean_squared_error, sk.mean_squared_error),
    (metrics.root_mean_squared_error, lambda t, p: sk.mean_squared_error(t, p) ** 0.5),
    (metrics.r2_score, sk.r2_score),
]


def _numbers(seed, shape):
    rng = np.random.default_rng(seed)
    truth = rng.normal(100, 3, shape)
    return truth + rng.normal(size=shape), truth


NUMBER_ROWS = [_numbers(s, shape) for s in SEEDS for shape in [(20,), (2,), (15, 3), (4, 1)]]
NUMBER_ROWS += [
    (np.array([1.0, 2.0]), np.array([5.0, 5.0])),  # constant targets, missed
    (np.array([5.0, 5.0]), np.array([5.0, 5.0])),  # constant targets, met
    (np.array([[1.0, 2.0], [1.0, 3.0]]), np.array([[1.0, 2.0], [1.0, 4.0]])),  # one constant column
    (np.array([200, 10], np.uint8), np.array([10, 200], np.uint8)),  # would wrap around as uint8
]


@pytest.mark.parametrize(("ours", "theirs"), NUMBER_PAIRS)
@pytest.mark.parametrize(("guessed", "truth"), NUMBER_ROWS)
def test_number_metrics_as_scikit_learn(ours, theirs, guessed, truth):
    wide = np.asarray(guessed, np.float64), np.asarray(truth, np.float64)
    assert ours(guessed, truth) == pytest.approx(theirs(wide[1], wide[0]), rel=1e-12)


@pytest.mark.parametrize("zero", [0.0, 1.0])
@pytest.mark.parametrize(("guessed", "truth"), CLASS_ROWS)
def test_the_report_as_scikit_learn(guessed, truth, zero):
    report = classification_report(guessed, truth, zero_division=zero)
    guessed, truth = np.asarray(guessed, np.int64), np.asarray(truth, np.int64)
    labels = range(len(report.class_names))
    want = sk.classification_report(truth, guessed, labels=labels, output_dict=True, zero_division=zero)
    for c in labels:
        row = report.precision[c], report.recall[c], report.f1[c], report.support[c]
        assert row == pytest.approx(tuple(want[str(c)].values()))
    assert (*report.macro, len(truth)) == pytest.approx(tuple(want["macro avg"].values()))
    assert (*report.weighted, len(truth)) == pytest.approx(tuple(want["weighted avg"].values()))
    assert report.accuracy == pytest.approx(sk.accuracy_score(truth, guessed))


def test_the_report_is_readable_and_goes_to_json():
    report = classification_report([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]], [0, 2], ["cat", "dog", "éléphant"])
    assert report.confusion == ((1, 0, 0), (0, 0, 0), (0, 1, 0))
    assert json.loads(json.dumps(report.to_dict()))["class_names"] == ["cat", "dog", "éléphant"]
    lines = str(report).splitlines()
    first = [line.split()[0] for line in lines[1:]]
    assert first == ["cat", "dog", "éléphant", "macro", "weighted", "accuracy"]
    assert len({len(line) for line in lines[:-1]}) == 1, "columns must line up"


def test_scores_and_their_best_class_give_the_same():
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(40, 4)), rng.integers(0, 4, 40)
    for name in ("accuracy", "precision", "recall", "f1"):
        assert METRICS[name].compute(scores, truth) == METRICS[name].compute(scores.argmax(1), truth)
    images = rng.normal(size=(2, 4, 3, 5)), rng.integers(0, 4, (2, 3, 5))
    assert metrics.accuracy(*images) == np.mean(images[0].argmax(1) == images[1])


class _TensorLike:
    """What a tensor that requires a gradient does: it becomes an array only when detached."""

    def __init__(self, array, attached=True):
        self._array, self._attached = np.asarray(array), attached

    def detach(self):
        return _TensorLike(self._array, attached=False)

    def __array__(self, dtype=None, copy=None):
        assert not self._attached, "detach first"
        return self._array


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_takes_arrays_tensors_and_lists_and_gives_a_float(name):
    rng = np.random.default_rng(1)
    given, truth = rng.normal(size=(30, 6)), np.r_[0:6, rng.integers(0, 6, 24)]
    if METRICS[name].task == "regression":
        truth = rng.normal(size=(30, 6))
    value = METRICS[name].compute(given, truth)
    assert type(value) is float
    assert METRICS[name].compute(_TensorLike(given), _TensorLike(truth)) == value
    assert METRICS[name].compute(given.tolist(), truth.tolist()) == value
    assert METRICS[name].name == name


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_prediction_is_best_and_noise_is_worse(name):
    metric, truth = METRICS[name], np.arange(60) % 6
    perfect = np.eye(6)[truth] if metric.task == "classification" else truth.astype(float)
    noise = np.random.default_rng(2).normal(size=perfect.shape)
    best, worse = metric.compute(perfect, truth), metric.compute(noise, truth)
    assert best == (1.0 if metric.higher_is_better else 0.0)
    assert (worse < best) == metric.higher_is_better


@pytest.mark.parametrize("name", METRICS)
def test_nothing_to_compare_is_an_error(name):
    empty = (np.zeros((0, 3)), np.zeros(0, int))
    if METRICS[name].task == "regression":
        empty = (np.zeros(0), np.zeros(0))
    with pytest.raises(ArgumentError, match="no rows"):
        METRICS[name].compute(*empty)


ERRORS = [
    (metrics.accuracy, ([0.2, 0.9], [0, 1]), {}, DTypeError, "scores > 0.5"),
    (metrics.accuracy, ([0, 1], [0.0, 1.0]), {}, DTypeError, "targets must be class numbers"),
    (metrics.accuracy, ([0, 1, 2], [0, 1]), {}, ShapeError, "3 rows and targets 2"),
    (metrics.accuracy, ([[0, 1]], [[[0]]]), {}, ShapeError, "classes on axis 1"),
    (metrics.accuracy, ([0, 1], [0, -100]), {}, ArgumentError, "-100"),
    (metrics.accuracy, ([[np.nan, 1.0]], [1]), {}, ArgumentError, "NaN"),
    (metrics.top_k_accuracy, ([[1.0, 2.0]], [1]), {"k": 3}, ArgumentError, "from 1 to the 2 classes"),
    (metrics.top_k_accuracy, ([[1.0, 2.0]], [1]), {"k": 0}, ArgumentError, "got 0"),
    (metrics.top_k_accuracy, ([[1.0, 2.0]], [2]), {"k": 1}, ArgumentError, "2 columns"),
    (metrics.confusion_matrix, ([0, 3], [0, 1]), {"num_classes": 3}, ArgumentError, "got class 3"),
    (metrics.precision, ([0, 1], [0, 1]), {"average": "marco"}, ArgumentError, "'macro'"),
    (metrics.recall, ([0, 2], [0, 1]), {"average": "binary"}, ArgumentError, "2 classes"),
    (metrics.roc_auc, ([0.1, 0.2], [1, 1]), {}, ArgumentError, "2 of 2"),
    (metrics.roc_auc, ([[0.1, 0.2, 0.7]] * 2, [0, 1]), {}, ArgumentError, "class 2"),
    (metrics.roc_auc, ([0.1, np.nan], [0, 1]), {}, ArgumentError, "NaN"),
    (metrics.mean_squared_error, (np.zeros((3, 1)), np.zeros(3)), {}, ShapeError, r"\(3, 1\) and \(3,\)"),
    (metrics.r2_score, ([1.0], [1.0]), {}, ArgumentError, "two rows"),
    (classification_report, ([0, 2], [0, 1], ["a", "b"]), {}, ArgumentError, "got class 2"),
    (find_metric, ("acuracy",), {}, ArgumentError, "'accuracy'"),
]


@pytest.mark.parametrize(("function", "arguments", "options", "error", "words"), ERRORS)
def test_wrong_input_is_named(function, arguments, options, error, words):
    with pytest.raises(error, match=words) as caught:
        function(*arguments, **options)
    assert isinstance(caught.value, PullbackError)
