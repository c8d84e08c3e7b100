"""How an op is declared: a decorator that turns its NumPy meaning into its record."""

import inspect
from collections.abc import Callable
from typing import Any

from pullback.ir.node import OPS, InputGradient, JointGradient, Op

Gradient = tuple[InputGradient | None, ...] | JointGradient | None


def op(rule: Callable[..., Any], gradient: Gradient, flops: int | Callable[..., int] = 1) -> Callable[..., Op]:
    """Declare an op. The decorated function is its meaning and gives its name.

    The last paragraph of the function's docstring holds the formulas: the op's own, then a line for the gradient of
    each input that has one. What stands before it documents the op.
    """

    def declare(meaning: Callable[..., Any]) -> Op:
        name = meaning.__name__.rstrip("_")
        if name in OPS:
            raise ValueError(f"an op named {name} exists already")
        doc, _, formulas = inspect.cleandoc(meaning.__doc__ or "").rpartition("\n\n")
        formula, *lines = formulas.split("\n")
        if isinstance(gradient, tuple):
            lines = [lines.pop(0) if lines and rule is not None else "" for rule in gradient]
        OPS[name] = Op(name, rule, meaning, gradient, formula, tuple(lines), flops, doc)
        return OPS[name]

    return declare
