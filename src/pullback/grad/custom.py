"""Gradients written by the user: `class Square(pb.autograd.Function)`."""

from collections.abc import Sequence
from typing import Any

from pullback.base.errors import GradientError, ShapeError
from pullback.grad.backward import no_grad
from pullback.ir.node import Value, Values
from pullback.ops import as_dtype_of, attach_gradient, zeros_like
from pullback.tensor.tensor import Tensor


class Context:
    """What a function's forward pass leaves for its backward pass."""

    def __init__(self) -> None:
        self.saved_tensors: tuple[Tensor, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep tensors for the backward pass, which finds them in `saved_tensors`."""
        self.saved_tensors = tensors


class Function:
    """A function with a gradient of its own.

    `forward(ctx, *args)` computes, and may keep tensors with `ctx.save_for_backward`; `backward(ctx, *gs)` gives one
    gradient (or None) for each argument of forward. Both are static methods; call the function with `apply`.

    Raises GradientError when backward gives another number of gradients, ShapeError when one has a wrong shape.

    >>> import pullback as pb
    >>> class Straight(pb.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x.round()
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g
    >>> x = pb.tensor(1.6, requires_grad=True)
    >>> Straight.apply(x).backward()
    >>> x.grad
    tensor(1.)

    Source: torch.autograd.Function.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """Compute the result; to be overridden."""
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def backward(ctx: Any, *gs: Any) -> Any:
        """The gradients at the arguments; to be overridden."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *gradients)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Compute the result and attach the gradient."""
        ctx = Context()
        places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
        ctx.needs_input_grad = tuple(isinstance(x, Tensor) and x.requires_grad for x in args)
        with no_grad():
            result = cls.forward(ctx, *args)
        results = result if isinstance(result, tuple) else (result,)
        saved, ctx.saved_tensors = ctx.saved_tensors, ()
        kept = [x for x in saved if not any(x is y for y in results)]

        def rule(gs: Values, outputs: Values, values: Sequence[Value]) -> Values:
            plain = values[len(values) - len(results) :]
            held = iter(values[len(places) :])
            own = {id(y): a if a is not None else b for y, a, b in zip(results, outputs, plain, strict=True)}
            ctx.saved_tensors = tuple(Tensor(own[id(x)] if id(x) in own else next(held)) for x in saved)
            at_outputs = [Tensor(zeros_like(y) if g is None else g) for g, y in zip(gs, plain, strict=True)]
            found = cls.backward(ctx, *at_outputs)
            ctx.saved_tensors = ()
            return cls._checked(found, len(args), places, values)

        rule.__qualname__ = cls.__qualname__  # the name that errors and emitted code show

        values = [*(args[i].value for i in places), *(x.value for x in (*kept, *results))]
        attached = attach_gradient.apply(values, {"inputs": len(places) + len(kept), "rule": rule})
        outputs = tuple(map(Tensor, attached))
        return outputs if isinstance(result, tuple) else outputs[0]

    @classmethod
    def _checked(cls, found: Any, count: int, places: Sequence[int], inputs: Sequence[Value]) -> Values:
        """What backward gave, as one gradient for each argument that is a tensor."""
        gradients = found if isinstance(found, tuple) else (found,)
        if len(gradients) != count:
            raise GradientError(
                f"{cls.__name__}.backward must give a gradient (or None) for each of the {count} arguments of forward; "
                f"it gave {len(gradients)}"
            )
        return [cls._as_gradient(gradients[i], i, x) for i, x in zip(places, inputs, strict=False)]

    @classmethod
    def _as_gradient(cls, g: Any, argument: int, x: Value) -> Value | None:
        if g is None:
            return None
        if not isinstance(g, Tensor):
            raise GradientError(
                f"{cls.__name__}.backward gave {type(g).__name__} for argument {argument}, not a tensor"
            )
        if g.shape != x.shape:
            raise ShapeError(f"{cls.__name__}.backward gave {g.type_} for argument {argument}, which is {x.type}")
        return as_dtype_of(g.value, x.dtype)
