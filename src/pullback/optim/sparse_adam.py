"""Adam for tables of which each step looks up a few rows."""

from collections.abc import Mapping

from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Hyperparameters
from pullback.optim.moments import average, average_square, next_step
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import STEP, Slot
from pullback.tensor.pointwise import ne, sqrt, where
from pullback.tensor.reduction import any as any_of
from pullback.tensor.tensor import Tensor


class SparseAdam(Optimizer):
    """Adam that leaves a row alone, and what is kept for it, while the row's gradient is zero.

        for each row i with gᵢ ≠ 0, in step t:
        m ← β₁ · m + (1 − β₁) · g
        v ← β₂ · v + (1 − β₂) · g²
        p ← p − lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + eps)

    A row is all that lies at one place of the first dim. The words of `Embedding(sparse=True)` that a compiled step
    does not look up cost nothing, when the step ends with `zero_grad()`; any other gradient will do, too.
    With maximize the gradient is negated first.

    Raises ArgumentError for a negative lr or eps, and for betas outside [0, 1).

    >>> import pullback as pb
    >>> words = pb.nn.Embedding.from_pretrained(pb.ones(3, 1), freeze=False, sparse=True)
    >>> optimizer = pb.optim.SparseAdam(words.parameters(), lr=0.5)
    >>> words(pb.tensor([1, 1])).sum().backward()
    >>> optimizer.step()
    >>> words.weight.detach().reshape(-1)
    tensor([1.0000, 0.5000, 1.0000])

    Source: Kingma and Ba 2015, "Adam: a method for stochastic optimization"; torch.optim.SparseAdam.
    """

    slots = (STEP, Slot("exp_avg"), Slot("exp_avg_sq"))

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def leaves_rows_alone(self, h: Hyperparameters) -> bool:
        """Always."""
        return True

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        beta1, beta2 = h.pair("betas")
        step, t = next_step(s)
        touched = any_of(ne(g, 0), tuple(range(1, g.ndim)), keepdim=True) if g.ndim > 1 else ne(g, 0)
        m = where(touched, average(s["exp_avg"], g, beta1), s["exp_avg"])
        v = where(touched, average_square(s["exp_avg_sq"], g, beta2), s["exp_avg_sq"])
        rate = h["lr"] * sqrt(1 - beta2**t) / (1 - beta1**t)
        fresh = where(touched, p - rate * (m / (sqrt(v) + h["eps"])), p)
        return fresh, {"step": step, "exp_avg": m, "exp_avg_sq": v}
