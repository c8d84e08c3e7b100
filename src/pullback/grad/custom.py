"""Gradients written by the user: `class Square(pb.autograd.Function)`."""

from collections.abc import Sequence
from typing import Any

from pullback.base.errors import GradientError, ShapeError
from pullback.grad.backward import no_grad
from pullback.ir.node import Value
from pullback.ops import attach_gradient
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

        def rule(gs: Sequence[Value | None], inputs: Sequence[Value]) -> list[Value | None]:
            return cls._input_gradients(ctx, gs, results, places, inputs, len(args))

        rule.__qualname__ = cls.__qualname__  # the name that errors and emitted code show

        values = [*(args[i].value for i in places), *(y.value for y in results)]
        attached = attach_gradient.apply(values, {"inputs": len(places), "rule": rule})
        outputs = tuple(Tensor(value) for value in attached)
        known = {id(before): after for before, after in zip(results, outputs, strict=True)}
        ctx.saved_tensors = tuple(known.get(id(x), x) for x in ctx.saved_tensors)
        return outputs if isinstance(result, tuple) else outputs[0]

    @classmethod
    def _input_gradients(
        cls, ctx: Context, gs: Sequence[Value | None], results: Sequence[Tensor], places: list[int],
        inputs: Sequence[Value], count: int,
    ) -> list[Value | None]:  # fmt: skip
        from_outputs = [Tensor(g) if g is not None else y.detach() * 0 for g, y in zip(gs, results, strict=True)]
        found = cls.backward(ctx, *from_outputs)
        gradients = found if isinstance(found, tuple) else (found,)
        if len(gradients) != count:
            raise GradientError(
                f"{cls.__name__}.backward must give a gradient (or None) for each of the {count} arguments of forward; "
                f"it gave {len(gradients)}"
            )
        picked = [gradients[i] for i in places]
        for i, g, x in zip(places, picked, inputs, strict=True):
            if g is not None and g.shape != x.shape:
                raise ShapeError(f"{cls.__name__}.backward gave {g.type_} for argument {i}, which is {x.type}")
        return [None if g is None else g.value for g in picked]
