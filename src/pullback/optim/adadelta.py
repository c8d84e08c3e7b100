"""Adadelta."""

from collections.abc import Mapping
from typing import Any

from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import average_square, next_step, with_penalty
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import sqrt
from pullback.tensor.tensor import Tensor


class Adadelta(Optimizer):
    """Steps in the parameter's own units: the recent gradients' size divides, that of the recent steps multiplies.

        g ← g + weight_decay · p
        v ← rho · v + (1 − rho) · g²
        Δ = √(u + eps) / √(v + eps) · g
        u ← rho · u + (1 − rho) · Δ²
        p ← p − lr · Δ

    With maximize the gradient is negated first. `foreach` and `capturable` change nothing.

    Raises ArgumentError for a negative lr, eps or weight_decay and for rho outside [0, 1].

    >>> import pullback as pb
    >>> w = pb.ones(1, requires_grad=True)
    >>> optimizer = pb.optim.Adadelta([w])
    >>> (3 * w).sum().backward()
    >>> optimizer.step()
    >>> bool(w < 1)
    True

    Source: Zeiler 2012, "ADADELTA: An adaptive learning rate method", algorithm 1; torch.optim.Adadelta.
    """

    slots = (STEP, Slot("square_avg"), Slot("acc_delta"))

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        step, _ = next_step(s)
        g = with_penalty(g, p, h)
        v = average_square(s["square_avg"], g, h["rho"])
        delta = sqrt(s["acc_delta"] + h["eps"]) / sqrt(v + h["eps"]) * g
        u = average_square(s["acc_delta"], delta, h["rho"])
        return p - h["lr"] * delta, {"step": step, "square_avg": v, "acc_delta": u}
