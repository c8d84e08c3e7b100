"""For each op a point at which its gradient can be checked: away from kinks and jumps, and inside its domain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pullback.base.dtypes import Array, float64
from pullback.grad.checkpoint import checkpoint
from pullback.grad.custom import Function
from pullback.grad.loops import scan
from pullback.ir.node import OPS, Op
from pullback.tensor.creation import from_numpy
from pullback.tensor.tensor import Tensor

_RANDOM = np.random.default_rng(20)


@dataclass(frozen=True)
class Point:
    """Arguments of an op: floats are varied, the rest stays. `function` stands for an op that needs more than these."""

    arrays: tuple[Array, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    function: Callable[..., Any] | None = None

    @property
    def inputs(self) -> list[Tensor]:
        """The arguments as tensors."""
        return [from_numpy(array) for array in self.arrays]

    def call(self, op: Op, *inputs: Tensor) -> Any:
        """The op, or what stands for it, as a function of tensors."""
        if self.function is not None:
            return self.function(*inputs)
        return Tensor(op(*(x.value for x in inputs), **self.params))


def _anywhere(*shape: int) -> Array:
    """Numbers to both sides of 0, none within 0.2 of it, all different."""
    values = np.linspace(0.2, 2.0, int(np.prod(shape)))
    return (_RANDOM.permutation(values) * _RANDOM.choice([-1.0, 1.0], values.size)).reshape(shape)


def _positive(*shape: int) -> Array:
    return np.abs(_anywhere(*shape))


def _between_integers(*shape: int) -> Array:
    """Numbers that are 0.2 or more away from every multiple of one half."""
    return np.round(_anywhere(*shape) * 3) + 0.25


_INDEX = np.array([2, 0, 2])  # an entry named twice
_TWICE = np.array([2, 0])  # scattered to, no entry may be named twice: which one counts is no function of both
_CONDITION = np.array([[True, False, True], [False, False, True]])


class _Cubed(Function):
    """y = x³, with a gradient written by hand, as users write them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """x³."""
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        """3 x² g."""
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


def _unary(names: str, make: Callable[..., Array]) -> dict[str, Point]:
    return {name: Point((make(2, 3),)) for name in names.split()}


def _binary(names: str, make: Callable[..., Array] = _anywhere) -> dict[str, Point]:
    return {name: Point((make(2, 3), make(2, 3) + 0.07)) for name in names.split()}  # apart: no ties


POINTS: dict[str, Point] = {
    **_unary("neg abs sign exp expm1 sin cos atan tanh sigmoid erf", _anywhere),
    **_unary("log log1p sqrt rsqrt", _positive),
    **_unary("floor ceil round", _between_integers),
    **_binary("add sub mul div maximum minimum"),
    **_binary("floor_divide remainder", lambda *shape: _between_integers(*shape) + 0.11),
    "pow": Point((_positive(2, 3), _anywhere(2, 3))),
    "where": Point((_CONDITION, _anywhere(2, 3), _anywhere(2, 3))),
    "cast": Point((_anywhere(2, 3),), {"dtype": float64}),
    "reshape": Point((_anywhere(2, 3),), {"shape": (3, 2)}),
    "permute": Point((_anywhere(2, 3, 4),), {"axes": (2, 0, 1)}),
    "pad": Point((_anywhere(2, 3),), {"low": (1, 0), "high": (0, 2), "inner": (0, 1), "value": 0.5}),
    "slice": Point((_anywhere(4, 7),), {"start": (1, 0), "stop": (3, 7), "step": (1, 3)}),
    "flip": Point((_anywhere(2, 3),), {"axes": (1,)}),
    "concat": Point((_anywhere(2, 3), _anywhere(1, 3)), {"axis": 0}),
    "matmul": Point((_anywhere(2, 3, 4), _anywhere(2, 4, 2))),
    "broadcast": Point((_anywhere(1, 3),), {"shape": (4, 3)}),
    "sum": Point((_anywhere(2, 3, 2),), {"axes": (0, 2), "keepdims": False}),
    "amax": Point((_anywhere(2, 3),), {"axes": (1,), "keepdims": True}),
    "amin": Point((_anywhere(2, 3),), {"axes": (0,), "keepdims": False}),
    "cumsum": Point((_anywhere(2, 3),), {"axis": 1}),
    "gather": Point((_anywhere(3, 2), _INDEX), {"axis": 0}),
    "scatter_add": Point((_anywhere(3, 2), _INDEX, _anywhere(3, 2)), {"axis": 0}),
    "scatter": Point((_anywhere(3, 2), _TWICE, _anywhere(2, 2)), {"axis": 0}),
    "call": Point((_anywhere(2, 3),), function=lambda x: checkpoint(lambda y: (y * y).sin(), x)),
    "attach_gradient": Point((_anywhere(2, 3),), function=_Cubed.apply),
    "scan": Point(
        (_anywhere(2), _anywhere(3, 2)), function=lambda carry, xs: scan(lambda c, x: (c.sin() * x, c * x), carry, xs)
    ),
    "windows": Point((_anywhere(2, 7),), {"size": (3,), "stride": (2,), "dilation": (1,)}),
    "overlap_add": Point((_anywhere(2, 3, 3),), {"length": (7,), "stride": (2,), "dilation": (1,)}),
}

# Declared to have no gradient: constants, comparisons, places, bits, and what is taken out of the gradient's way.
WITHOUT = tuple(name for name, op in OPS.items() if op.gradient is None)
