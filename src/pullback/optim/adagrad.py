"""Adagrad."""

from collections.abc import Mapping
from typing import Any

from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import next_step, with_penalty
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import sqrt
from pullback.tensor.tensor import Tensor


class Adagrad(Optimizer):
    """Gradient descent whose rate falls, for each element, with the gradients that it has had.

        g ← g + weight_decay · p
        s ← s + g²                                  (s begins at initial_accumulator_value)
        p ← p − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps)

    With maximize the gradient is negated first. `foreach` and `fused` change nothing.

    Raises ArgumentError for a negative number among the arguments.

    >>> import pullback as pb
    >>> w = pb.ones(1, requires_grad=True)
    >>> optimizer = pb.optim.Adagrad([w], lr=0.25)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.7500], requires_grad=True)

    Source: Duchi, Hazan and Singer 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization"; torch.optim.Adagrad.
    """

    slots = (STEP, Slot("sum", start="initial_accumulator_value"))

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adagrad's state is there from the beginning, as in PyTorch."""
        super().add_param_group(param_group)
        for p, name, place in self._named():
            self._state_of(p, self.slots, name, self._hyperparameters(place))

    def leaves_rows_alone(self, h: Hyperparameters) -> bool:
        """Without weight decay."""
        return not h.on("weight_decay")

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        step, t = next_step(s)
        g = with_penalty(g, p, h)
        total = s["sum"] + g * g
        rate = h["lr"] / (1 + (t - 1) * h["lr_decay"])
        return p - rate * (g / (sqrt(total) + h["eps"])), {"step": step, "sum": total}
