"""Adam with Nesterov's momentum."""

from collections.abc import Mapping
from typing import Any

from pullback.base.dtypes import float64
from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import average, average_square, decayed, next_step
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import cast_to, sqrt
from pullback.tensor.tensor import Tensor


class NAdam(Optimizer):
    """Adam that looks one step ahead, as Nesterov's momentum does.

        μₜ = β₁ · (1 − ½ · 0.96^(t · momentum_decay)),   Πₜ = μ₁ · … · μₜ
        m ← β₁ · m + (1 − β₁) · g
        v ← β₂ · v + (1 − β₂) · g²
        p ← p − lr · (μₜ₊₁ · m / (1 − Πₜ · μₜ₊₁) + (1 − μₜ) · g / (1 − Πₜ)) / (√(v / (1 − β₂ᵗ)) + eps)

    Weight decay adds weight_decay · p to g, or shrinks p itself with decoupled_weight_decay. `foreach` and
    `capturable` change nothing.

    Raises ArgumentError for a negative lr, eps, weight_decay or momentum_decay and for betas outside [0, 1).

    >>> import pullback as pb
    >>> w = pb.ones(1, requires_grad=True)
    >>> optimizer = pb.optim.NAdam([w], lr=0.5)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()
    >>> bool(w < 1)
    True

    Source: Dozat 2016, "Incorporating Nesterov momentum into Adam"; torch.optim.NAdam.
    """

    slots = (STEP, Slot("mu_product", scalar=True, start=1.0), Slot("exp_avg"), Slot("exp_avg_sq"))

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
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
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * h["momentum_decay"]))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * h["momentum_decay"]))
        product = s["mu_product"] * cast_to(mu, s["mu_product"].dtype)  # kept in float32, as PyTorch does
        so_far = cast_to(product, float64)
        correction = 1 - beta2**t
        root = sqrt(v / correction) + h["eps"]
        rate_here = h["lr"] * (1 - mu) / (1 - so_far)
        rate_ahead = h["lr"] * mu_next / (1 - so_far * mu_next)
        return p - rate_here * (g / root) - rate_ahead * (m / root), {
            "step": step,
            "mu_product": product,
            "exp_avg": m,
            "exp_avg_sq": v,
        }
