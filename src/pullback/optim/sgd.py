"""Stochastic gradient descent."""

from collections.abc import Mapping
from typing import Any

from pullback.base.errors import ArgumentError
from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Group, Hyperparameters
from pullback.optim.moments import with_penalty
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import Slot
from pullback.tensor.tensor import Tensor


class SGD(Optimizer):
    """Gradient descent with momentum, plain or Nesterov's.

        g ← g + weight_decay · p
        b ← momentum · b + (1 − dampening) · g      (b ← g at the first step)
        p ← p − lr · b                              (lr · (g + momentum · b) with nesterov)

    Without momentum p ← p − lr · g. With maximize the gradient is negated first. `foreach` and `fused` change nothing.

    Raises ArgumentError for a negative lr, momentum or weight_decay, and for nesterov with dampening or no momentum.

    >>> import pullback as pb
    >>> w = pb.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = pb.optim.SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.5000, -0.5000], requires_grad=True)

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning";
    torch.optim.SGD.
    """

    slots = (Slot("momentum_buffer", when=("momentum",)), Slot("_first", scalar=True, when=("momentum", "dampening")))

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def prepare_group(self, group: Group) -> None:
        """Nesterov's momentum needs momentum and no dampening."""
        super().prepare_group(group)
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ArgumentError(
                "SGD: nesterov needs momentum above 0 and dampening 0; "
                f"got momentum={group['momentum']}, dampening={group['dampening']}"
            )

    def leaves_rows_alone(self, h: Hyperparameters) -> bool:
        """Without momentum and weight decay."""
        return not h.on("momentum") and not h.on("weight_decay")

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        g = with_penalty(g, p, h)
        if not h.on("momentum"):
            return p - h["lr"] * g, {}
        kept: State = {}
        if h.on("dampening"):
            part = 1 - h["dampening"] * (1 - s["_first"])
            kept["_first"] = 0 * s["_first"]
            b = h["momentum"] * s["momentum_buffer"] + part * g
        else:
            b = h["momentum"] * s["momentum_buffer"] + g
        direction = g + h["momentum"] * b if h.on("nesterov") else b
        return p - h["lr"] * direction, {"momentum_buffer": b, **kept}
