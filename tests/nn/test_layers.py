"""Layers on their own: what they refuse, and what PyTorch warns of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import pullback as pb
import pullback.nn.functional as F
from pullback import nn
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError

X = pb.zeros(4, 3)
REFUSED: list[tuple[str, type[Exception], str, Callable[[], Any]]] = [
    (
        "too wide",
        ShapeError,
        r"a weight of shape \(2, 5\) takes inputs \(..., 5\); got \(4, 3\)",
        lambda: nn.Linear(5, 2)(X),
    ),
    ("no dims", ShapeError, r"takes inputs \(..., 5\); got \(\)", lambda: nn.Linear(5, 2)(pb.tensor(1.0))),
    (
        "a list",
        DTypeError,
        r"linear needs a tensor as input; got list: write pb.tensor",
        lambda: nn.Linear(2, 1)([1.0, 2.0]),
    ),
    *(
        (
            f"{name} of {type(x).__name__}",
            DTypeError,
            f"{name} needs a tensor as input1?; got {type(x).__name__}",
            partial(f, x),
        )
        for x in ([1.0, 2.0], np.ones(2))
        for name, f in {
            "softmax": lambda x: F.softmax(x, dim=0),
            "softmin": lambda x: F.softmin(x, dim=0),
            "log_softmax": lambda x: F.log_softmax(x, dim=0),
            "dropout": F.dropout,
            "alpha_dropout": F.alpha_dropout,
            "bilinear": lambda x: F.bilinear(x, X, pb.ones(1, 2, 3)),
            "Flatten": nn.Flatten(0),
            "Unflatten": nn.Unflatten(0, (1, 2)),
        }.items()
    ),
    ("another dtype", DTypeError, "float64 and float32", lambda: nn.Linear(3, 2)(X.double())),
    ("a weight with three dims", ShapeError, r"takes a weight \(out, in\)", lambda: F.linear(X, pb.zeros(1, 2, 3))),
    ("a pair too wide", ShapeError, r"got \(4, 3\), \(4, 2\)", lambda: nn.Bilinear(3, 4, 2)(X, pb.zeros(4, 2))),
    ("pairs of other batches", ShapeError, "bilinear takes", lambda: nn.Bilinear(3, 3, 2)(X, pb.zeros(5, 3))),
    ("slopes too few", ShapeError, r"needs a weight \(1,\) or \(3,\); got \(2,\)", lambda: nn.PReLU(2)(X)),
    ("an odd dim", ShapeError, r"must be even; got the shape \(4, 3\)", lambda: nn.GLU()(X)),
    ("an approximation", ArgumentError, "got 'tan'. Did you mean 'tanh'", lambda: nn.GELU("tan")(X)),
    ("bounds crossed", ArgumentError, "min_val ≤ max_val; got 2 and 1", lambda: nn.Hardtanh(2, 1)(X)),
    ("a negative lambd", ArgumentError, "softshrink needs lambd ≥ 0; got -1", lambda: nn.Softshrink(-1)(X)),
    ("a negative lambd, hard", ArgumentError, "hardshrink needs lambd ≥ 0; got -1", lambda: nn.Hardshrink(-1)(X)),
    ("an alpha of 0", ArgumentError, "must not be 0", lambda: nn.CELU(0.0)(X)),
    ("a beta of 0", ArgumentError, "must not be 0", lambda: nn.Softplus(0.0)(X)),
    ("a dim that is not there", ShapeError, "dim 5 does not exist", lambda: nn.Softmax(5)(X)),
    ("dims crossed", ArgumentError, "start_dim before end_dim", lambda: nn.Flatten(1, 0)(X)),
    ("sizes that do not fit", ShapeError, "do not fill", lambda: nn.Unflatten(1, (2, 2))(X)),
    ("odd widths", ArgumentError, "a pair of widths", lambda: F.pad(X, (1,))),
    ("an unknown mode", ArgumentError, "got 'reflct'. Did you mean 'reflect'", lambda: F.pad(X, (1, 1), "reflct")),
    (
        "a mirror too wide",
        ShapeError,
        "widths up to 2, and cuts off no more than there is; got 3, 0",
        lambda: F.pad(X, (3, 0), "reflect"),
    ),
    ("a cut too deep", ShapeError, "cannot cut", lambda: F.pad(X, (-2, -2))),
    ("a value with a mirror", ArgumentError, "with mode 'constant' alone", lambda: F.pad(X, (1, 1), "reflect", 2.0)),
    ("classes too few", IndexOutOfRange, "integers from 0 to 1; got 0 to 2", lambda: F.one_hot(pb.tensor([0, 2]), 2)),
    ("negative classes", IndexOutOfRange, "not negative; got -2", lambda: F.one_hot(pb.tensor([-1, -2]))),
    ("negative, counted", IndexOutOfRange, "not negative; got -1", lambda: F.one_hot(pb.tensor([-1, 2]), 3)),
    ("no classes", ArgumentError, "give num_classes", lambda: F.one_hot(pb.zeros(0, dtype=pb.int64))),
    (
        "a vector too short",
        ShapeError,
        r"a vector of 8 numbers; got the shape \(7,\)",
        lambda: nn.utils.vector_to_parameters(pb.zeros(7), nn.Linear(3, 2).parameters()),
    ),
]


@pytest.mark.parametrize(("error", "words", "call"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_wrong_use_is_refused_in_words(error: type[Exception], words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize(("shape", "dim"), [((3,), 0), ((2, 3), 1), ((2, 3, 2), 0), ((2, 3, 2, 2), 1)])
def test_a_softmax_without_dim_warns_and_takes_pytorch_s(name: str, shape: tuple[int, ...], dim: int) -> None:
    x, function = pb.randn(*shape), getattr(F, name)
    with pytest.warns(UserWarning, match=f"{name} without dim takes dim {dim} here; say which is meant"):
        found = function(x)
    assert pb.equal(found, function(x, dim))


def test_in_place_activations_leave_their_input() -> None:
    x = pb.tensor([-1.0, 2.0])
    assert nn.ReLU(inplace=True)(x).tolist() == [0.0, 2.0]
    assert F.leaky_relu(x, 0.5, inplace=True).tolist() == [-0.5, 2.0]
    assert x.tolist() == [-1.0, 2.0]


def test_layers_take_a_dtype_and_a_device() -> None:
    assert nn.Linear(2, 1, dtype=pb.float64, device="cpu").bias.dtype is pb.float64
    assert nn.PReLU(dtype=pb.float64).weight.dtype is pb.float64
    with pytest.raises(ArgumentError, match="device 'cuda' does not exist"):
        nn.Linear(2, 1, device="cuda")
