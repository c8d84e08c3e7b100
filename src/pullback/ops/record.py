"""How an op is declared: a decorator that turns its NumPy meaning into its record."""

from collections.abc import Callable
from typing import Any

from pullback.ir.node import OPS, InputGradient, JointGradient, Op

Gradient = tuple[InputGradient | None, ...] | JointGradient | None


def op(
    rule: Callable[..., Any],
    gradient: Gradient,
    formula: str,
    backward: tuple[str, ...] = (),
    flops: int | Callable[..., int] = 1,
) -> Callable[[Callable[..., Any]], Op]:
    """Declare an op. The decorated function is its meaning, gives its name, and its docstring documents it."""

    def declare(meaning: Callable[..., Any]) -> Op:
        name = meaning.__name__.rstrip("_")
        if name in OPS:
            raise ValueError(f"an op named {name} exists already")
        OPS[name] = Op(name, rule, meaning, gradient, formula, backward, flops, meaning.__doc__ or "")
        return OPS[name]

    return declare
