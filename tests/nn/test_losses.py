"""Losses on their own: far logits, wrong targets. Values and gradients are compared in tests/contracts."""

from collections.abc import Callable
from typing import Any

import pytest

import pullback as pb
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError

FAR = 1e4


def truth_like(x: Any) -> Any:
    """Targets that two of the four logits −far, far, −far, far are wrong about."""
    return pb.tensor([1.0, 1.0, 0.0, 0.0], dtype=x.dtype)


# The function of the four logits, its value and its gradient.
FAR_LOSSES: dict[str, tuple[Callable[[Any], Any], float, list[float]]] = {
    "cross entropy": (
        lambda x: F.cross_entropy(x.reshape(2, 2), pb.tensor([0, 1]), reduction="sum"),
        2 * FAR,
        [-1.0, 1.0, 0.0, 0.0],
    ),
    "binary cross entropy": (
        lambda x: F.binary_cross_entropy_with_logits(x, truth_like(x), reduction="sum"),
        2 * FAR,
        [-1.0, 0.0, 0.0, 1.0],
    ),
    "soft margin": (
        lambda x: F.soft_margin_loss(x, 2 * truth_like(x) - 1, reduction="sum"),
        2 * FAR,
        [-1.0, 0.0, 0.0, 1.0],
    ),
    "log sigmoid": (lambda x: F.logsigmoid(x).sum(), -2 * FAR, [1.0, 0.0, 1.0, 0.0]),
    "softplus": (lambda x: F.softplus(x).sum(), 2 * FAR, [0.0, 1.0, 0.0, 1.0]),
}


@pytest.mark.parametrize("dtype", [pb.float32, pb.float64, pb.bfloat16], ids=lambda d: d.name)
@pytest.mark.parametrize("name", FAR_LOSSES)
def test_far_logits_have_finite_losses_and_right_gradients(name: str, dtype: pb.DType) -> None:
    function, value, gradient = FAR_LOSSES[name]
    x = pb.tensor([-FAR, FAR, -FAR, FAR], dtype=dtype, requires_grad=True)
    loss = function(x)
    loss.backward()
    assert loss.item() == pytest.approx(value, rel=4e-3)
    assert x.grad.tolist() == gradient


def test_the_second_derivative_at_logits_of_0_is_right() -> None:
    x = pb.zeros(1, dtype=pb.float64)
    truth = pb.ones(1, dtype=pb.float64)
    assert pb.hessian(lambda x: F.binary_cross_entropy_with_logits(x, truth))(x).item() == pytest.approx(0.25)
    assert pb.hessian(lambda x: F.logsigmoid(x).sum())(x).item() == pytest.approx(-0.25)


# What is refused
SCORES, WHOLE = pb.zeros(4, 3), pb.tensor([0, 1, 2, 1])
REFUSED: list[tuple[str, type[Exception], str, Callable[[], Any]]] = [
    (
        "a column against a row",
        ShapeError,
        r"one shape; got \(4, 1\) and \(4,\). Both have as many elements: write target.reshape\(input.shape\)",
        lambda: F.mse_loss(pb.zeros(4, 1), pb.zeros(4)),
    ),
    (
        "a target to be repeated",
        ShapeError,
        r"write target.expand\(input.shape\)",
        lambda: F.l1_loss(pb.zeros(4, 3), pb.zeros(3)),
    ),
    (
        "yes or no as targets",
        DTypeError,
        r"float32; got bool: write target.to\(input.dtype\)",
        lambda: F.mse_loss(SCORES, SCORES > 0),
    ),
    ("wide targets", DTypeError, "float32; got float64", lambda: F.huber_loss(SCORES, SCORES.double())),
    ("whole inputs", DTypeError, r"floats; got int64: write input.float\(\)", lambda: F.mse_loss(WHOLE, WHOLE)),
    ("no tensor", DTypeError, "a tensor as target; got list", lambda: F.mse_loss(pb.zeros(1), [0.0])),  # type: ignore[arg-type]
    ("classes in a list", DTypeError, "a tensor as target; got list", lambda: F.cross_entropy(SCORES, [0, 1, 2, 1])),  # type: ignore[arg-type]
    (
        "weights in a list",
        DTypeError,
        "a tensor as weight; got list",
        lambda: F.nll_loss(SCORES, WHOLE, [1.0, 1.0, 1.0]),  # type: ignore[arg-type]
    ),
    (
        "no probabilities",
        ArgumentError,
        "from 0 to 1; got -2 to 1.5",
        lambda: F.binary_cross_entropy(pb.tensor([-2.0, 1.5]), pb.ones(2)),
    ),
    (
        "classes as floats",
        DTypeError,
        r"classes as integers of shape \(4,\): write target.long\(\).*got float32 of shape \(4,\)",
        lambda: F.cross_entropy(SCORES, pb.zeros(4)),
    ),
    (
        "one-hot as integers",
        ShapeError,
        r"takes classes of shape \(4,\); got \(4, 3\); a one-hot target must be floats",
        lambda: F.cross_entropy(SCORES, F.one_hot(WHOLE, 3)),
    ),
    (
        "too many classes",
        ShapeError,
        r"takes classes of shape \(4,\); got \(4, 1\)",
        lambda: F.cross_entropy(SCORES, WHOLE.unsqueeze(1)),
    ),
    (
        "a class that does not exist",
        IndexOutOfRange,
        r"3 classes takes targets from 0 to 2 \(or ignore_index=-100\); got 7 at \(2,\)",
        lambda: F.cross_entropy(SCORES, pb.tensor([0, 1, 7, 1])),
    ),
    (
        "classes from 1",
        IndexOutOfRange,
        r"got 3 at \(1,\): classes count from 0, write target - 1",
        lambda: F.nll_loss(SCORES, pb.tensor([1, 3, 2, 1])),
    ),
    ("a negative class", IndexOutOfRange, "got -1 at", lambda: F.multi_margin_loss(SCORES, pb.tensor([0, 1, -1, 1]))),
    ("a single number", ShapeError, "got a single number", lambda: F.cross_entropy(pb.tensor(1.0), pb.tensor(0))),
    (
        "a weight too few",
        ShapeError,
        r"a weight for each of 3 classes; got the shape \(2,\)",
        lambda: F.cross_entropy(SCORES, WHOLE, weight=pb.ones(2)),
    ),
    ("a reduction misspelt", ArgumentError, "got 'men'. Did you mean 'mean'", lambda: pb.nn.MSELoss(reduction="men")),
    (
        "batchmean elsewhere",
        ArgumentError,
        "'none', 'mean', 'sum'; got 'batchmean'",
        lambda: F.mse_loss(SCORES, SCORES, "batchmean"),
    ),
    (
        "too much smoothing",
        ArgumentError,
        "from 0 to 1; got 1.5",
        lambda: F.cross_entropy(SCORES, WHOLE, label_smoothing=1.5),
    ),
    (
        "ignored probabilities",
        ArgumentError,
        "names a class, but the target holds probabilities",
        lambda: F.cross_entropy(SCORES, SCORES, ignore_index=1),
    ),
    (
        "logits as probabilities",
        ArgumentError,
        "for logits use binary_cross_entropy_with_logits",
        lambda: F.binary_cross_entropy(pb.tensor([1.5]), pb.tensor([1.0])),
    ),
    ("negative beta", ArgumentError, "beta ≥ 0; got -1", lambda: F.smooth_l1_loss(SCORES, SCORES, beta=-1)),
    ("delta of 0", ArgumentError, "delta > 0; got 0", lambda: F.huber_loss(SCORES, SCORES, delta=0)),
    ("a third power", ArgumentError, "p = 1 or 2; got 3", lambda: F.multi_margin_loss(SCORES, WHOLE, p=3)),
    ("no margin", ArgumentError, "margin > 0; got 0", lambda: F.triplet_margin_loss(SCORES, SCORES, SCORES, margin=0)),
    (
        "pairs of other shapes",
        ShapeError,
        r"got \(4, 3\) and \(3,\)",
        lambda: F.cosine_embedding_loss(SCORES, SCORES, pb.ones(3)),
    ),
    (
        "scores of other dims",
        ShapeError,
        "equally many dims",
        lambda: F.margin_ranking_loss(SCORES, SCORES, pb.ones(4)),
    ),
    (
        "a negative variance",
        ArgumentError,
        "variances that are not negative",
        lambda: F.gaussian_nll_loss(SCORES, SCORES, -pb.ones(4, 3)),
    ),
    (
        "a variance of another shape",
        ShapeError,
        r"or with its last dim absent or 1; got \(3,\)",
        lambda: F.gaussian_nll_loss(SCORES, SCORES, pb.ones(3)),
    ),
]


@pytest.mark.parametrize(("error", "words", "call"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_wrong_use_is_refused_in_words(error: type[Exception], words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=words):
        call()


def test_an_ignored_class_may_lie_outside() -> None:
    loss = F.cross_entropy(pb.zeros(2, 3), pb.tensor([7, 0]), ignore_index=7)
    assert loss.item() == pytest.approx(1.0986, abs=1e-4)
