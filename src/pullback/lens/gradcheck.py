"""The gradient checker: what the reverse pass gives, held against differences of the function's own values."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pullback.base.dtypes import Array, float64
from pullback.base.errors import ArgumentError, DTypeError, GradientError
from pullback.base.trees import flatten, leaf_paths, unflatten
from pullback.grad.backward import enable_grad, grad
from pullback.grad.reverse import nodes_behind
from pullback.ir.mode import edits
from pullback.ir.node import Node, Value
from pullback.ops import attach_gradient
from pullback.tensor.tensor import Tensor, as_leaf, from_array

# An input with more elements than this is checked along random directions, not element by element.
_EACH_ELEMENT_UP_TO = 256

Function = Callable[..., Any]
Gradients = list[list[Array]]  # for each random projection, the gradient at each output


class GradcheckError(GradientError):
    """A gradient that differs from what the function's own values say; names the place and both numbers."""


@dataclass(frozen=True, slots=True)
class _Manner:
    """The step of the differences, how far a gradient may be from them, and how many projections are looked at."""

    eps: float
    atol: float
    rtol: float
    samples: int

    def excess(self, analytic: Array, numeric: Array) -> Array:
        """How far apart the two are beyond what is allowed; at most 0 where they agree, infinite beside NaN."""
        with np.errstate(all="ignore"):
            apart = np.abs(analytic - numeric) - self.atol - self.rtol * np.abs(numeric)
        return np.nan_to_num(apart, nan=np.inf)


class _Check:
    """A function at a point, with the tensors among its arguments that are varied."""

    def __init__(self, function: Function, args: Sequence[Any], manner: _Manner, varied: Sequence[Tensor] = ()) -> None:
        self.function, self.args, self.manner = function, tuple(args), manner
        self.rng = np.random.default_rng(0)
        self.names, self.variables = _named_variables(self.args, varied)
        self.points = [x.array().copy() for x in self.variables]

    def outputs(self) -> list[Tensor]:
        """The tensors of floats that the function gives."""
        with enable_grad():
            found = _floats(self.function(*self.args))
        if not found:
            raise ArgumentError("gradcheck needs a function that gives at least one tensor of floats")
        if any(y.dtype is not float64 for y in found):
            names = ", ".join(y.dtype.name for y in found)
            raise DTypeError(f"gradcheck needs float64 from end to end; the function gave {names}")
        return found

    def moved(self, place: int, direction: Array, step: float) -> list[Array]:
        """The outputs with one variable moved."""
        point = self.points[place]
        there = from_array(np.asarray(point + step * direction.reshape(point.shape)))
        with _as_variables([self.variables[place]], [there.value]):
            return [y.detach().array() for y in self.outputs()]

    def quotient(self, place: int, direction: Array, gs: Gradients, high: float, low: float) -> Array:
        """For each projection the difference of the outputs between two steps along a direction, by their distance."""
        ends = zip(self.moved(place, direction, high), self.moved(place, direction, low), strict=True)
        with np.errstate(all="ignore"):
            slopes = [(a - b) / (high - low) for a, b in ends]
            return np.array([sum(np.sum(g * s) for g, s in zip(at_outputs, slopes, strict=True)) for at_outputs in gs])

    def slopes(self, place: int, direction: Array, gs: Gradients) -> Array:
        """The derivative of each projection of the outputs along a direction.

        Central differences with two steps, of which Richardson's extrapolation takes away the error of second order.
        """
        eps = self.manner.eps
        coarse, fine = (self.quotient(place, direction, gs, step, -step) for step in (eps, eps / 2))
        with np.errstate(all="ignore"):
            return (4 * fine - coarse) / 3

    def is_kinked(self, place: int, direction: Array, gs: Gradients) -> bool:
        """Whether the differences to both sides disagree by more than curvature explains."""
        eps = self.manner.eps
        left, right = (self.quotient(place, direction, gs, step, step - eps) for step in (0.0, eps))
        return bool(np.any(np.abs(left - right) > 1e-3 * (np.abs(left) + np.abs(right)) + 100 * eps))

    def problem(self) -> str:
        """What is wrong, in words, at the first variable whose gradient is; nothing when all are right."""
        with _as_variables(self.variables):
            ys = self.outputs()
            self._require_repeatable(ys)
            gs = [[np.asarray(self.rng.standard_normal(y.shape)) for y in ys] for _ in range(self.manner.samples)]
            found = [self._analytic(ys, g) for g in gs]
            rows = [np.stack([gradients[i].reshape(-1) for gradients in found]) for i in range(len(self.variables))]
            return next(filter(None, (self._judge(i, gs, analytic) for i, analytic in enumerate(rows))), "")

    def _require_repeatable(self, ys: Sequence[Tensor]) -> None:
        if any(a.array().tobytes() != b.array().tobytes() for a, b in zip(ys, self.outputs(), strict=True)):
            raise GradcheckError(
                "the function gives other numbers when it is called again, so it has no gradient to check; "
                "seed its random draws inside, or switch dropout off with eval()"
            )

    def _analytic(self, ys: Sequence[Tensor], gs: Sequence[Array]) -> list[Array]:
        """The gradient at each variable by the reverse pass; zeros where the outputs do not depend on it."""
        found = _gradients(ys, [from_array(g) for g in gs], self.variables)
        for name, x, g in zip(self.names, self.variables, found, strict=True):
            if g is not None and g.type_ != x.type_:
                raise GradcheckError(f"the gradient at {name} is {g.type_}, but the input is {x.type_}")
        points = zip(found, self.points, strict=True)
        return [np.zeros(point.shape) if g is None else g.detach().array() for g, point in points]

    def _judge(self, place: int, gs: Gradients, analytic: Array) -> str:
        """What is wrong at the worst element of a variable; `analytic` is (samples, elements)."""
        size = analytic.shape[1]
        elements = list(range(size)) if size <= _EACH_ELEMENT_UP_TO else self._search(place, gs, analytic)
        if not elements:
            return ""
        numeric = np.stack([self.slopes(place, np.eye(1, size, element), gs) for element in elements], axis=1)
        excess = self.manner.excess(analytic[:, elements], numeric)
        largest = excess.max(axis=0)
        if not (largest > 0).any():
            return ""
        worst = int(np.flatnonzero(largest == largest.max())[-1])
        sample, element = int(np.argmax(excess[:, worst])), elements[worst]
        index = tuple(int(i) for i in np.unravel_index(element, self.points[place].shape))
        text = (
            f"the gradient at {self.names[place]} is wrong at element {index}: the backward pass gives "
            f"{analytic[sample, element]:.10g}, differences of the function's values give {numeric[sample, worst]:.10g}"
        )
        if len(elements) > 1:
            text += f" ({np.sum(largest > 0)} of {len(elements)} elements are wrong, this one the most)"
        if self.is_kinked(place, np.eye(1, size, element), gs):
            text += "; differences to the left and to the right disagree: the function has a kink or a jump there"
        return text

    def _search(self, place: int, gs: Gradients, analytic: Array) -> list[int]:
        """An element whose gradient is wrong, found by halving a random direction that shows it."""

        def excess(low: int, high: int) -> float:
            part = np.zeros_like(direction)
            part[low:high] = direction[low:high]
            return float(np.max(self.manner.excess(analytic @ part, self.slopes(place, part, gs))))

        for _ in range(self.manner.samples):
            direction = self.rng.standard_normal(analytic.shape[1])
            low, high = 0, direction.size
            if excess(low, high) > 0:
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (low, middle) if excess(low, middle) >= excess(middle, high) else (middle, high)
                return [low]
        return []

    def of_gradient(self) -> "_Check":
        """The check of the gradient, as a function of the arguments and of the gradients at the outputs."""
        with _as_variables(self.variables):
            gs = [from_array(np.asarray(self.rng.standard_normal(y.shape))) for y in self.outputs()]
        leaves, structure = flatten(self.args)

        def gradient(*flat: Any) -> list[Tensor]:
            ys = _floats(self.function(*unflatten(structure, flat[: len(leaves)])))
            found = _gradients(ys, gs, self.variables, create_graph=True)
            return [x * 0 if g is None else g for x, g in zip(self.variables, found, strict=True)]

        return _Check(gradient, [*leaves, *gs], self.manner, [*self.variables, *gs])


@contextmanager
def _as_variables(tensors: Sequence[Tensor], values: Sequence[Value] = ()) -> Iterator[None]:
    """Inside, the tensors are leaves that require gradients and hold these values, or their own."""
    before = [x._value for x in tensors]
    try:
        for x, value in zip(tensors, values or before, strict=True):
            x._value = as_leaf(value, x, True)
            edits.count += 1
        yield
    finally:
        for x, value in zip(tensors, before, strict=True):
            x._value = value
            edits.count += 1


def _floats(results: Any) -> list[Tensor]:
    return [y for y in flatten(results)[0] if isinstance(y, Tensor) and y.dtype.is_floating_point]


def _gradients(
    ys: Sequence[Tensor], gs: Sequence[Tensor], variables: Sequence[Tensor], create_graph: bool = False
) -> Sequence[Tensor | None]:
    """The gradient at each variable; None where the outputs do not depend on it."""
    reached = [(y, g) for y, g in zip(ys, gs, strict=True) if y.requires_grad]
    if not reached:
        return [None] * len(variables)
    outputs, at_outputs = zip(*reached, strict=True)
    return grad(outputs, variables, at_outputs, retain_graph=True, create_graph=create_graph, allow_unused=True)


def _named_variables(args: tuple[Any, ...], varied: Sequence[Tensor]) -> tuple[list[str], list[Tensor]]:
    """Paths and tensors to vary: those given, else those that require gradients, else all of floats."""
    leaves, structure = flatten(args)
    pairs = zip(leaf_paths(structure), leaves, strict=True)
    named = [(f"input {path}", x) for path, x in pairs if isinstance(x, Tensor) and x.dtype.is_floating_point]
    wanted = varied or [x for _, x in named if x.requires_grad]
    chosen = [(name, x) for name, x in named if not wanted or any(x is w for w in wanted)]
    if not chosen:
        raise ArgumentError("gradcheck needs at least one tensor of floats among its inputs")
    for name, x in chosen:
        if x.dtype is not float64:
            raise DTypeError(
                f"gradcheck needs float64, for differences of {x.dtype.name} are too coarse to judge a gradient; "
                f"{name} is {x.type_}: write x.double(), and model.double() for a model"
            )
    return [name for name, _ in chosen], [x for _, x in chosen]


# Who is to blame
def _suspects(check: _Check, second_order: bool) -> list[str]:
    """The ops whose own gradient, at the very numbers that they met, is wrong; else the gradients written by hand."""
    with _as_variables(check.variables):
        nodes, _ = nodes_behind([y.value for y in check.outputs()])
    wrong = [f"{n.op.name} ({n.origin})" for n in nodes if _is_wrong(n, check.manner, second_order)]
    by_hand = [f"{n.params['rule'].__qualname__} ({n.origin})" for n in nodes if n.op is attach_gradient]
    return list(dict.fromkeys(wrong or by_hand))


def _is_wrong(node: Node, manner: _Manner, second_order: bool) -> bool:
    """Whether the gradient rule of this node's op fails the check at this node's inputs."""
    if node.op is attach_gradient:  # gives results that were computed elsewhere: it has no values of its own to vary
        return False

    def alone(*xs: Tensor) -> list[Tensor]:
        return [Tensor(y) for y in node.op.apply([x.value for x in xs], node.params)]

    inputs = [Tensor(Value(x.type, x.data, x.requires_grad)) for x in node.inputs]
    try:
        check = _Check(alone, inputs, replace(manner, samples=1))
        return bool((check.of_gradient() if second_order else check).problem())
    except (ArgumentError, DTypeError):  # nothing to vary, or another precision: nothing that could be judged
        return False


def _checked(function: Function, inputs: Any, manner: _Manner, orders: Sequence[str], raises: bool) -> bool:
    if manner.samples < 1 or manner.eps <= 0:
        raise ArgumentError(f"gradcheck needs eps > 0 and samples ≥ 1; got eps={manner.eps}, samples={manner.samples}")
    check = _Check(function, inputs if isinstance(inputs, (tuple, list)) else (inputs,), manner)
    for order in orders:
        second_order = order == "second"
        problem = (check.of_gradient() if second_order else check).problem()
        if problem and raises:
            suspects = ", ".join(_suspects(check, second_order))
            blame = f". Wrong by itself: the gradient of {suspects}" if suspects else ""
            raise GradcheckError(f"{order} derivative: {problem}{blame}")
        if problem:
            return False
    return True


def gradcheck(
    function: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    second_order: bool = False,
    samples: int = 2,
    raise_exception: bool = True,
) -> bool:
    """Whether the gradients of `function(*inputs)` by the reverse pass are those that its values show.

    A random projection of the outputs, u·f(x), is differentiated once by the reverse pass, and once by central
    differences (u·f(x + h) − u·f(x − h)) / 2h with h = eps and eps/2, joined by Richardson's extrapolation. The two
    must agree within atol + rtol · |difference|, at every element of an input of up to 256 elements, and along random
    directions of a larger one. The tensors of float64 that require gradients are varied, or all when none does.

    inputs: one tensor, or a tuple of arguments, which may be trees (lists, tuples, dicts) of tensors and anything else.
    second_order: check the gradient of the gradient, too.
    samples: how many random projections.
    raise_exception: with False a wrong gradient gives False instead of an error.

    Raises GradcheckError naming the input, the element, both numbers and, where it can be found, the op and line
    whose gradient is wrong; DTypeError for inputs or outputs that are not float64.

    >>> import pullback as pb
    >>> x = pb.tensor([0.5, 2.0], dtype=pb.float64, requires_grad=True)
    >>> pb.gradcheck(lambda x: (x.log() * x).sum(), x, second_order=True)
    True

    Source: torch.autograd.gradcheck.
    """
    orders = ("first", "second") if second_order else ("first",)
    return _checked(function, inputs, _Manner(eps, atol, rtol, samples), orders, raise_exception)


def gradgradcheck(
    function: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    samples: int = 2,
    raise_exception: bool = True,
) -> bool:
    """Whether the second derivatives of `function(*inputs)` are those that its gradient shows; see `gradcheck`.

    The gradient, as a function of the inputs and of the gradient at the outputs, is checked in turn.

    >>> import pullback as pb
    >>> pb.gradgradcheck(pb.sin, pb.tensor([0.5, 2.0], dtype=pb.float64))
    True

    Source: torch.autograd.gradgradcheck.
    """
    return _checked(function, inputs, _Manner(eps, atol, rtol, samples), ("second",), raise_exception)
