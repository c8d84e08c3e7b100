"""Adam and AdamW."""

from collections.abc import Mapping
from typing import Any

from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Group, Hyperparameters
from pullback.optim.moments import average, average_square, decayed, next_step
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import maximum, sqrt
from pullback.tensor.tensor import Tensor


class Adam(Optimizer):
    """Steps of about lr in each element: the average gradient over the root of the average squared gradient.

        g ← g + weight_decay · p                    (p ← p − lr · weight_decay · p with decoupled_weight_decay)
        m ← β₁ · m + (1 − β₁) · g
        v ← β₂ · v + (1 − β₂) · g²                  (with amsgrad the largest v so far is used below)
        p ← p − lr · m̂ / (√v̂ + eps),   m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)

    With maximize the gradient is negated first. `foreach`, `capturable` and `fused` change nothing.

    Raises ArgumentError for a negative lr, eps or weight_decay and for betas outside [0, 1).

    >>> import pullback as pb
    >>> w = pb.tensor([1.0, -8.0], requires_grad=True)
    >>> optimizer = pb.optim.Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.5000, -7.5000], requires_grad=True)

    Source: Kingma and Ba 2015, "Adam: A method for stochastic optimization", algorithm 1; Reddi et al. 2018, "On the
    convergence of Adam and beyond" (amsgrad); torch.optim.Adam.
    """

    slots = (STEP, Slot("exp_avg"), Slot("exp_avg_sq"), Slot("max_exp_avg_sq", when=("amsgrad",)))

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        beta1, beta2 = h.pair("betas")
        step, t = next_step(s)
        p, g = decayed(p, g, h)
        m = average(s["exp_avg"], g, beta1)
        v = average_square(s["exp_avg_sq"], g, beta2)
        kept = {"step": step, "exp_avg": m, "exp_avg_sq": v}
        if h.on("amsgrad"):
            v = kept["max_exp_avg_sq"] = maximum(s["max_exp_avg_sq"], v)
        rate = h["lr"] / (1 - beta1**t)
        scale = sqrt(1 - beta2**t)
        root = sqrt(v) / scale + h["eps"]
        return p - rate * (m / root), kept


class AdamW(Adam):
    """Adam with decoupled weight decay: p shrinks by lr · weight_decay · p at each step, whatever its gradient is.

        p ← p − lr · weight_decay · p
        m ← β₁ · m + (1 − β₁) · g
        v ← β₂ · v + (1 − β₂) · g²
        p ← p − lr · m̂ / (√v̂ + eps),   m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)

    Arguments and errors are Adam's.

    >>> import pullback as pb
    >>> w = pb.tensor([2.0], requires_grad=True)
    >>> optimizer = pb.optim.AdamW([w], lr=0.5, weight_decay=0.5)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()  # 2 · (1 − 0.25) − 0.5
    >>> w
    tensor([1.], requires_grad=True)

    Source: Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2; torch.optim.AdamW.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def prepare_group(self, group: Group) -> None:
        """Decay stays decoupled, also in a group that was saved by Adam."""
        group["decoupled_weight_decay"] = True
        super().prepare_group(group)
