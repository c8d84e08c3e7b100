"""The gradient checker: what the reverse pass gives, held against differences of the function's own values."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pullback.base.dtypes import Array, float64
from pullback.base.errors import ArgumentError, DTypeError, GradientError
from pullback.base.trees import flatten, leaf_paths, unflatten
from pullback.grad.backward import enable_grad, grad
from pullback.grad.reverse import nodes_behind
from pullback.ir.node import Node, Value
from pullback.ops import attach_gradient
from pullback.tensor.tensor import Tensor, as_leaf, from_array

# An input with more elements than this is checked along random directions, not element by element.
_EACH_ELEMENT_UP_TO = 256

Gradients = list[list[Array]]  # for each random projection, the gradient at each output


class GradcheckError(GradientError):
    """A gradient that differs from what the function's own values say; names the place and both numbers."""


@dataclass(frozen=True, slots=True)
class _Tolerance:
    """The step of the differences, and how far a gradient may be from them."""

    eps: float
    atol: float
    rtol: float

    def excess(self, analytic: Array, numeric: Array) -> Array:
        """How far apart the two are beyond what is allowed; at most 0 where they agree, infinite beside NaN."""
        with np.errstate(all="ignore"):
            apart = np.abs(analytic - numeric) - self.atol - self.rtol * np.abs(numeric)
        return np.nan_to_num(apart, nan=np.inf)


@dataclass(frozen=True, slots=True)
class _Mismatch:
    """An element of an input where the two derivatives differ, the worst of `wrong` among `count` looked at."""

    name: str
    element: tuple[int, ...]
    analytic: float
    numeric: float
    wrong: int
    count: int
    kinked: bool

    def __str__(self) -> str:
        text = (
            f"the gradient at {self.name} is wrong at element {self.element}: the backward pass gives "
            f"{self.analytic:.10g}, differences of the function's values give {self.numeric:.10g}"
        )
        if self.count > 1:
            text += f" ({self.wrong} of {self.count} elements are wrong, this one the most)"
        if self.kinked:
            text += "; differences to the left and to the right disagree: the function has a kink or a jump there"
        return text


class _Check:
    """A function at a point, with the tensors among its arguments that are varied."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        samples: int,
        tolerance: _Tolerance,
        varied: Sequence[Tensor] | None = None,
    ) -> None:
        self.function, self.args, self.samples, self.tolerance = function, tuple(args), samples, tolerance
        self.rng = np.random.default_rng(0)
        self.named = _named_variables(self.args, varied)
        self.points = [x.array().copy() for _, x in self.named]

    @contextmanager
    def as_variables(self) -> Iterator[None]:
        """Inside, the varied tensors are leaves that require gradients."""
        before = [x._value for _, x in self.named]
        try:
            for _, x in self.named:
                x._value = as_leaf(x._value, x, True)
            yield
        finally:
            for (_, x), value in zip(self.named, before, strict=True):
                x._value = value

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
        _, x = self.named[place]
        before = x._value
        x._value = as_leaf(from_array(np.asarray(self.points[place] + step * direction)).value, x, True)
        try:
            return [y.detach().array() for y in self.outputs()]
        finally:
            x._value = before

    def slopes(self, place: int, direction: Array, gs: Gradients) -> Array:
        """The derivative of each projection of the outputs along a direction.

        Central differences with two steps, of which Richardson's extrapolation takes away the error of second order.
        """
        eps = self.tolerance.eps
        ends = [self.moved(place, direction, step) for step in (eps, -eps, eps / 2, -eps / 2)]
        with np.errstate(all="ignore"):
            coarse = _projected(gs, ends[0], ends[1], 2 * eps)
            fine = _projected(gs, ends[2], ends[3], eps)
            return (4 * fine - coarse) / 3

    def is_kinked(self, place: int, direction: Array, gs: Gradients) -> bool:
        """Whether the differences to both sides disagree by more than curvature explains."""
        eps = self.tolerance.eps
        low, middle, high = (self.moved(place, direction, step) for step in (-eps, 0.0, eps))
        with np.errstate(all="ignore"):
            left, right = _projected(gs, middle, low, eps), _projected(gs, high, middle, eps)
        return bool(np.any(np.abs(left - right) > 1e-3 * (np.abs(left) + np.abs(right)) + 100 * eps))

    def mismatch(self) -> _Mismatch | None:
        """The worst mismatch at the first variable that has one."""
        with self.as_variables():
            ys = self.outputs()
            self._require_repeatable(ys)
            gs = [[np.asarray(self.rng.standard_normal(y.shape)) for y in ys] for _ in range(self.samples)]
            found = [self._analytic(ys, g) for g in gs]
            tries = (self._judge(i, gs, np.stack([a[i].reshape(-1) for a in found])) for i in range(len(self.named)))
            return next((mismatch for mismatch in tries if mismatch is not None), None)

    def _require_repeatable(self, ys: Sequence[Tensor]) -> None:
        if any(a.array().tobytes() != b.array().tobytes() for a, b in zip(ys, self.outputs(), strict=True)):
            raise GradcheckError(
                "the function gives other numbers when it is called again, so it has no gradient to check; "
                "seed its random draws inside, or switch dropout off with eval()"
            )

    def _analytic(self, ys: Sequence[Tensor], gs: Sequence[Array]) -> list[Array]:
        """The gradient at each variable by the reverse pass; zeros where the outputs do not depend on it."""
        pairs = [(y, from_array(g)) for y, g in zip(ys, gs, strict=True) if y.requires_grad]
        variables = [x for _, x in self.named]
        found = _gradients(pairs, variables, False) if pairs else [None] * len(variables)
        for (name, x), g in zip(self.named, found, strict=True):
            if g is not None and g.type_ != x.type_:
                raise GradcheckError(f"the gradient at {name} is {g.type_}, but the input is {x.type_}")
        return [np.zeros(x.shape) if g is None else g.detach().array() for x, g in zip(variables, found, strict=True)]

    def _judge(self, place: int, gs: Gradients, analytic: Array) -> _Mismatch | None:
        """The worst element of a variable, when one is wrong; `analytic` is (samples, elements)."""
        size = analytic.shape[1]
        elements = range(size) if size <= _EACH_ELEMENT_UP_TO else self._search(place, gs, analytic)
        worst, wrong = (0.0, -1, 0, 0.0), 0
        for element in elements:
            numeric = self.slopes(place, self._part(place, np.ones(size), element, element + 1), gs)
            excess = self.tolerance.excess(analytic[:, element], numeric)
            sample = int(np.argmax(excess))
            wrong += bool(excess[sample] > 0)
            worst = max(worst, (float(excess[sample]), element, sample, float(numeric[sample])))
        return self._named_mismatch(place, gs, analytic, worst, wrong, len(elements)) if wrong else None

    def _named_mismatch(
        self, place: int, gs: Gradients, analytic: Array, worst: tuple[float, int, int, float], wrong: int, count: int
    ) -> _Mismatch:
        _, element, sample, numeric = worst
        index = tuple(int(i) for i in np.unravel_index(element, self.points[place].shape))
        direction = self._part(place, np.ones(analytic.shape[1]), element, element + 1)
        kinked = self.is_kinked(place, direction, gs)
        name = self.named[place][0]
        return _Mismatch(name, index, float(analytic[sample, element]), numeric, wrong, count, kinked)

    def _part(self, place: int, direction: Array, low: int, high: int) -> Array:
        """The direction from one element to another, 0 elsewhere."""
        part = np.zeros_like(direction)
        part[low:high] = direction[low:high]
        return part.reshape(self.points[place].shape)

    def _search(self, place: int, gs: Gradients, analytic: Array) -> list[int]:
        """An element whose gradient is wrong, found by halving a random direction that shows it."""

        def excess(low: int, high: int) -> float:
            part = self._part(place, direction, low, high)
            numeric = self.slopes(place, part, gs)
            return float(np.max(self.tolerance.excess(analytic @ part.reshape(-1), numeric)))

        for _ in range(self.samples):
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
        variables = [x for _, x in self.named]
        with self.as_variables():
            gs = [from_array(np.asarray(self.rng.standard_normal(y.shape))) for y in self.outputs()]
        leaves, structure = flatten(self.args)

        def gradient(*flat: Any) -> list[Tensor]:
            results = self.function(*unflatten(structure, flat[: len(leaves)]))
            pairs = [(y, g) for y, g in zip(_floats(results), gs, strict=True) if y.requires_grad]
            found = _gradients(pairs, variables, True) if pairs else [None] * len(variables)
            return [x * 0 if g is None else g for x, g in zip(variables, found, strict=True)]

        return _Check(gradient, [*leaves, *gs], self.samples, self.tolerance, [*variables, *gs])


def _floats(results: Any) -> list[Tensor]:
    return [y for y in flatten(results)[0] if isinstance(y, Tensor) and y.dtype.is_floating_point]


def _gradients(
    pairs: Sequence[tuple[Tensor, Tensor]], variables: Sequence[Tensor], create_graph: bool
) -> Sequence[Tensor | None]:
    ys, gs = zip(*pairs, strict=True)
    return grad(ys, variables, gs, retain_graph=True, create_graph=create_graph, allow_unused=True)


def _projected(gs: Gradients, high: Sequence[Array], low: Sequence[Array], width: float) -> Array:
    """For each projection the difference of the outputs, over the width."""
    slopes = [(a - b) / width for a, b in zip(high, low, strict=True)]
    return np.array([sum(np.sum(g * s) for g, s in zip(at_outputs, slopes, strict=True)) for at_outputs in gs])


def _named_variables(args: tuple[Any, ...], varied: Sequence[Tensor] | None) -> list[tuple[str, Tensor]]:
    """The tensors to vary, with their paths: those given, else those that require gradients, else all of floats."""
    leaves, structure = flatten(args)
    pairs = zip(leaf_paths(structure), leaves, strict=True)
    named = [(f"input {path}", x) for path, x in pairs if isinstance(x, Tensor) and x.dtype.is_floating_point]
    if varied is not None:
        named = [(name, x) for name, x in named if any(x is v for v in varied)]
    elif any(x.requires_grad for _, x in named):
        named = [(name, x) for name, x in named if x.requires_grad]
    if not named:
        raise ArgumentError("gradcheck needs at least one tensor of floats among its inputs")
    for name, x in named:
        if x.dtype is not float64:
            raise DTypeError(
                f"gradcheck needs float64, for differences of {x.dtype.name} are too coarse to judge a gradient; "
                f"{name} is {x.type_}: write x.double(), and model.double() for a model"
            )
    return named


# Who is to blame
def _suspects(check: _Check, second_order: bool) -> list[str]:
    """The ops whose own gradient, at the very numbers that they met, is wrong; else the gradients written by hand."""
    with check.as_variables():
        nodes, _ = nodes_behind([y.value for y in check.outputs()])
    wrong = [f"{n.op.name} ({n.origin})" for n in nodes if _is_wrong(n, check.tolerance, second_order)]
    by_hand = [f"{n.params['rule'].__qualname__} ({n.origin})" for n in nodes if n.op is attach_gradient]
    return list(dict.fromkeys(wrong or by_hand))


def _is_wrong(node: Node, tolerance: _Tolerance, second_order: bool) -> bool:
    """Whether the gradient rule of this node's op fails the check at this node's inputs."""
    if node.op is attach_gradient:  # gives results that were computed elsewhere: it has no values of its own to vary
        return False

    def alone(*xs: Tensor) -> list[Tensor]:
        return [Tensor(y) for y in node.op.apply([x.value for x in xs], node.params)]

    inputs = [Tensor(Value(x.type, x.data, x.requires_grad)) for x in node.inputs]
    try:
        check = _Check(alone, inputs, 1, tolerance)
        return (check.of_gradient() if second_order else check).mismatch() is not None
    except (ArgumentError, DTypeError):  # nothing to vary, or another precision: nothing that could be judged
        return False


def _problem(check: _Check, second_order: bool) -> str:
    """What is wrong, in words; nothing when all is right."""
    mismatch = (check.of_gradient() if second_order else check).mismatch()
    if mismatch is None:
        return ""
    suspects = ", ".join(_suspects(check, second_order))
    order = "second" if second_order else "first"
    return f"{order} derivative: {mismatch}" + (f". Wrong by itself: the gradient of {suspects}" if suspects else "")


def _checked(
    function: Callable[..., Any], inputs: Any, samples: int, tolerance: _Tolerance, orders: Sequence[bool], raises: bool
) -> bool:
    if samples < 1 or tolerance.eps <= 0:
        raise ArgumentError(f"gradcheck needs eps > 0 and samples ≥ 1; got eps={tolerance.eps}, samples={samples}")
    args = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    check = _Check(function, args, samples, tolerance)
    problem = next((text for second in orders if (text := _problem(check, second))), "")
    if problem and raises:
        raise GradcheckError(problem)
    return not problem


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
    orders = (False, True) if second_order else (False,)
    return _checked(function, inputs, samples, _Tolerance(eps, atol, rtol), orders, raise_exception)


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
    return _checked(function, inputs, samples, _Tolerance(eps, atol, rtol), (True,), raise_exception)
