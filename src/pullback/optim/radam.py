"""Adam with a rectified variance."""

from collections.abc import Mapping
from typing import Any

from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import average, average_square, decayed, next_step
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import sqrt, where
from pullback.tensor.tensor import Tensor


class RAdam(Optimizer):
    """Adam that divides by the root of the average squared gradient only once that average can be trusted.

        m ← β₁ · m + (1 − β₁) · g,   m̂ = m / (1 − β₁ᵗ)
        v ← β₂ · v + (1 − β₂) · g²
        ρ∞ = 2 / (1 − β₂) − 1,   ρ = ρ∞ − 2 · t · β₂ᵗ / (1 − β₂ᵗ)
        r = √((ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ))
        p ← p − lr · m̂ · r · √(1 − β₂ᵗ) / (√v + eps)   where ρ > 5,   p ← p − lr · m̂ before

    Weight decay adds weight_decay · p to g, or shrinks p itself with decoupled_weight_decay. `foreach` and
    `capturable` change nothing.

    Raises ArgumentError for a negative lr, eps or weight_decay and for betas outside [0, 1).

    >>> import pullback as pb
    >>> w = pb.ones(1, requires_grad=True)
    >>> optimizer = pb.optim.RAdam([w], lr=0.25)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()  # 1 − 0.25 · 3
    >>> w
    tensor([0.2500], requires_grad=True)

    Source: Liu et al. 2020, "On the variance of the adaptive learning rate and beyond", algorithm 2; torch.optim.RAdam.
    """

    slots = (STEP, Slot("exp_avg"), Slot("exp_avg_sq"))

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        beta1, beta2 = h.pair("betas")
        step, t = next_step(s)
        p, g = decayed(p, g, h)
        m = average(s["exp_avg"], g, beta1)
        v = average_square(s["exp_avg_sq"], g, beta2)
        correction = 1 - beta2**t
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / correction
        ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        trusted = length > 5  # below 4 the ratio is negative; its root is NaN and not used
        scale = where(trusted, sqrt(ratio) * sqrt(correction), 1.0)
        rate = h["lr"] / (1 - beta1**t) * scale
        root = where(trusted, sqrt(v) + h["eps"], 1.0)
        return p - rate * (m / root), {"step": step, "exp_avg": m, "exp_avg_sq": v}
