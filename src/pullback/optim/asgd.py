"""Averaged stochastic gradient descent."""

from collections.abc import Mapping
from typing import Any

from pullback.base.dtypes import float64
from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import next_step, with_penalty
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import cast_to, maximum, where
from pullback.tensor.tensor import Tensor


class ASGD(Optimizer):
    """Gradient descent with a falling rate, that also keeps the average of the parameters it has passed.

        g ← g + weight_decay · p
        p ← p − η · (lambd · p + g)
        ax ← ax + μ · (p − ax)                      (the average; read it from `state[p]["ax"]`)
        η ← lr / (1 + lambd · lr · t)^alpha,   μ ← 1 / max(1, t − t0)

    With maximize the gradient is negated first. `foreach` and `capturable` change nothing.

    Raises ArgumentError for a negative number among the arguments.

    >>> import pullback as pb
    >>> w = pb.ones(1, requires_grad=True)
    >>> optimizer = pb.optim.ASGD([w], lr=0.25, lambd=0)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()
    >>> w, optimizer.state[w]["ax"]
    (tensor([0.2500], requires_grad=True), tensor([0.2500]))

    Source: Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging"; torch.optim.ASGD.
    """

    slots = (STEP, Slot("eta", scalar=True, start="lr"), Slot("mu", scalar=True, start=1.0), Slot("ax"))

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        step, t = next_step(s)
        g = with_penalty(g, p, h)
        eta, mu = cast_to(s["eta"], float64), cast_to(s["mu"], float64)
        keep = 1 - h["lambd"] * eta
        p = keep * p - eta * g
        ax = where(mu == 1, p, s["ax"] + mu * (p - s["ax"]))  # at 1 the very parameter, not one rounded on the way
        eta = h["lr"] / (1 + h["lambd"] * h["lr"] * t) ** h["alpha"]
        return p, {"step": step, "eta": eta, "mu": 1 / maximum(t - h["t0"], 1.0), "ax": ax}
