"""Adam with the infinity norm."""

from collections.abc import Mapping
from typing import Any

from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import average, next_step, with_penalty
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import abs as absolute
from pullback.tensor.pointwise import maximum
from pullback.tensor.tensor import Tensor


class Adamax(Optimizer):
    """Adam with the largest recent gradient in the place of the root of the average square.

        g ← g + weight_decay · p
        m ← β₁ · m + (1 − β₁) · g
        u ← max(β₂ · u, |g| + eps)
        p ← p − lr / (1 − β₁ᵗ) · m / u

    With maximize the gradient is negated first. `foreach` and `capturable` change nothing.

    Raises ArgumentError for a negative lr, eps or weight_decay and for betas outside [0, 1).

    >>> import pullback as pb
    >>> w = pb.ones(1, requires_grad=True)
    >>> optimizer = pb.optim.Adamax([w], lr=0.25)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.7500], requires_grad=True)

    Source: Kingma and Ba 2015, "Adam: A method for stochastic optimization", algorithm 2; torch.optim.Adamax.
    """

    slots = (STEP, Slot("exp_avg"), Slot("exp_inf"))

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        beta1, beta2 = h.pair("betas")
        step, t = next_step(s)
        g = with_penalty(g, p, h)
        m = average(s["exp_avg"], g, beta1)
        u = maximum(beta2 * s["exp_inf"], absolute(g) + h["eps"])
        rate = h["lr"] / (1 - beta1**t)
        return p - rate * (m / u), {"step": step, "exp_avg": m, "exp_inf": u}
