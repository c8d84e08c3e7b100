"""`tensor.backward()` and `pb.autograd.grad`: the reverse pass from tensors to tensors."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pullback.base.errors import ArgumentError, GradientError, ShapeError
from pullback.base.shapes import size_of
from pullback.grad.reverse import nodes_behind, reverse
from pullback.ir.mode import mode
from pullback.ir.node import Value
from pullback.ir.origin import phase
from pullback.ops import as_dtype_of, ones_like
from pullback.tensor.tensor import Tensor, without_gradient
from pullback.tensor.tracing import Trace


class _GradMode:
    """A context manager and decorator that switches the recording of gradients on or off."""

    wanted = True

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(mode.grad)
        mode.grad = self.wanted

    def __exit__(self, *error: object) -> None:
        mode.grad = self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        return wrapped


class no_grad(_GradMode):
    """Inside, results do not remember how they were made, and leaves may be written to in place.

    >>> import pullback as pb
    >>> w = pb.ones(2, requires_grad=True)
    >>> with pb.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5000, 0.5000], requires_grad=True)

    Source: torch.no_grad.
    """

    wanted = False


class enable_grad(_GradMode):
    """Inside, results remember how they were made, even within `no_grad`.

    Source: torch.enable_grad.
    """

    wanted = True


inference_mode = no_grad


class set_grad_enabled(_GradMode):
    """Switch the recording of gradients on or off, at once or for a `with` block.

    Source: torch.set_grad_enabled.
    """

    def __init__(self, mode_wanted: bool) -> None:
        super().__init__()
        self._before.append(mode.grad)
        self.wanted = mode_wanted
        mode.grad = mode_wanted

    def __enter__(self) -> None:
        mode.grad = self.wanted


def is_grad_enabled() -> bool:
    """Whether results remember how they were made.

    Source: torch.is_grad_enabled.
    """
    return mode.grad


def _seed(output: Tensor, gradient: Tensor | None) -> Value:
    if gradient is None:
        if size_of(output.shape) != 1:
            raise GradientError(
                f"backward() starts from one number, such as a loss; this tensor has the shape {output.shape}. "
                "Reduce it with .sum() or .mean(), or give the gradient at it"
            )
        return ones_like(output.value)
    if gradient.shape != output.shape:
        raise ShapeError(f"the gradient at a tensor of shape {output.shape} has that shape too; got {gradient.shape}")
    return as_dtype_of(gradient.value, output.dtype)


def _check_differentiable(output: Tensor) -> None:
    if not output.value.requires_grad:
        raise GradientError(
            "nothing that this tensor was made from requires a gradient, so there is none to compute; was it made "
            "inside no_grad(), detached, or are the parameters frozen?"
        )


def backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of this tensor to `.grad` of each leaf that it depends on.

    gradient: the gradient at this tensor, of its shape; may be left out when it has one element (then 1).
    retain_graph: keep what a second backward pass needs; by default only with create_graph.
    create_graph: make the gradients differentiable themselves.
    inputs: the tensors that collect gradients; all leaves by default.

    Raises GradientError when there is nothing to differentiate, ShapeError for a gradient of another shape.

    >>> import pullback as pb
    >>> x = pb.tensor(3.0, requires_grad=True)
    >>> (x ** 2).backward()
    >>> x.grad
    tensor(6.)

    Source: torch.Tensor.backward.
    """
    _check_differentiable(self)
    with mode.holding(grad=create_graph):
        owned = _owned_values(self.value) if inputs is None else {x.value: x for x in inputs}
        keep = create_graph if retain_graph is None else retain_graph
        release = not keep and mode.recorder is None
        if isinstance(mode.recorder, Trace):
            mode.recorder.went_backward = True
        found = reverse([self.value], [_seed(self, gradient)], owned, release)
        for value, tensor in owned.items():
            if value in found:
                _collect(tensor, found[value], create_graph)


def _owned_values(output: Value) -> dict[Value, Tensor]:
    """The values whose gradients tensors collect: leaves, and results that asked for it."""
    nodes, leaves = nodes_behind([output])
    candidates = [*leaves, *(y for node in nodes for y in node.outputs if y is not None)]
    found = {value: value.owner() for value in candidates if value.owner is not None}
    return {value: tensor for value, tensor in found.items() if tensor is not None}


def _collect(tensor: Tensor, g: Value, create_graph: bool) -> None:
    fresh = Tensor(g if create_graph else without_gradient(g) if g.requires_grad else g)
    before = tensor.grad
    if before is None:
        tensor.grad = fresh
        return
    with phase("backward"):
        total = before + fresh
    total.value.gradient_of = g.gradient_of
    if create_graph:
        tensor.grad = total
    else:
        before.assign(total.value)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the outputs' sum at the inputs, as a tuple; `.grad` stays untouched.

    Raises GradientError when an input was not used, unless allow_unused (then its gradient is None).

    Source: torch.autograd.grad.
    """
    ys = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    xs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    given = [grad_outputs] * len(ys) if grad_outputs is None or isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(given) != len(ys):
        raise ArgumentError(f"{len(ys)} outputs need as many grad_outputs; got {len(given)}")
    for y in ys:
        _check_differentiable(y)
    with mode.holding(grad=create_graph):
        seeds = [_seed(y, g) for y, g in zip(ys, given, strict=True)]
        keep = create_graph if retain_graph is None else retain_graph
        found = reverse([y.value for y in ys], seeds, [x.value for x in xs], not keep and mode.recorder is None)
    return tuple(_gradient_of(x, i, found, allow_unused) for i, x in enumerate(xs))


def _gradient_of(x: Tensor, place: int, found: dict[Value, Value], allow_unused: bool) -> Tensor | None:
    g = found.get(x.value)
    if g is None and not allow_unused:
        raise GradientError(
            f"the outputs do not depend on input {place}, or it does not require a gradient; "
            "pass allow_unused=True to get None for it"
        )
    return None if g is None else Tensor(g)
