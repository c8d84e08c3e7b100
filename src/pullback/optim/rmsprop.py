"""RMSprop."""

from collections.abc import Mapping
from typing import Any

from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import average, average_square, next_step, with_penalty
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import sqrt
from pullback.tensor.tensor import Tensor


class RMSprop(Optimizer):
    """The gradient over the root of its recent average square.

        g ← g + weight_decay · p
        v ← alpha · v + (1 − alpha) · g²
        d = √v + eps                                (√(v − a²) + eps with centered, a the average of g)
        b ← momentum · b + g / d
        p ← p − lr · b                              (p ← p − lr · g / d without momentum)

    With maximize the gradient is negated first. `foreach` and `capturable` change nothing.

    Raises ArgumentError for a negative number among the arguments.

    >>> import pullback as pb
    >>> w = pb.ones(1, requires_grad=True)
    >>> optimizer = pb.optim.RMSprop([w], lr=0.05)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()  # 1 − 0.05 / √0.01
    >>> w
    tensor([0.5000], requires_grad=True)

    Source: Hinton 2012, "Neural networks for machine learning", lecture 6e; Graves 2013, "Generating sequences with
    recurrent neural networks" (centered); torch.optim.RMSprop.
    """

    slots = (
        STEP,
        Slot("square_avg"),
        Slot("momentum_buffer", when=("momentum",)),
        Slot("grad_avg", when=("centered",)),
    )

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        step, _ = next_step(s)
        g = with_penalty(g, p, h)
        v = average_square(s["square_avg"], g, h["alpha"])
        kept = {"step": step, "square_avg": v}
        if h.on("centered"):
            a = kept["grad_avg"] = average(s["grad_avg"], g, h["alpha"])
            v = v - a * a
        direction = g / (sqrt(v) + h["eps"])
        if h.on("momentum"):
            direction = kept["momentum_buffer"] = h["momentum"] * s["momentum_buffer"] + direction
        return p - h["lr"] * direction, kept
