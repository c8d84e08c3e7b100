"""Lion."""

from collections.abc import Mapping
from typing import Any

from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import average, shrunk
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import Slot
from pullback.tensor.pointwise import sign
from pullback.tensor.tensor import Tensor


class Lion(Optimizer):
    """Steps of exactly lr in each element, in the direction of a momentum that counts the present gradient more.

        p ← p − lr · weight_decay · p
        p ← p − lr · sign(β₁ · m + (1 − β₁) · g)
        m ← β₂ · m + (1 − β₂) · g

    It wants an lr three to ten times smaller than AdamW's, and a weight_decay as many times larger. PyTorch has no
    Lion; names and defaults are the paper's.

    Raises ArgumentError for a negative lr or weight_decay and for betas outside [0, 1).

    >>> import pullback as pb
    >>> w = pb.tensor([1.0, -8.0], requires_grad=True)
    >>> optimizer = pb.optim.Lion([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.5000, -7.5000], requires_grad=True)

    Source: Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2.
    """

    slots = (Slot("exp_avg"),)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        beta1, beta2 = h.pair("betas")
        direction = sign(average(s["exp_avg"], g, beta1))
        return shrunk(p, h) - h["lr"] * direction, {"exp_avg": average(s["exp_avg"], g, beta2)}
