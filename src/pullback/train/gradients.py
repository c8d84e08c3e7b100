"""The gradients of a run's network, held against differences of its loss."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pullback.data.loader import DataLoader
from pullback.lens.gradcheck import GradcheckError, gradcheck
from pullback.tensor.tensor import Tensor
from pullback.train.run import Run


@dataclass(frozen=True)
class Checked:
    """What was checked, of which shape, and what is wrong with its gradient; empty when nothing is."""

    name: str
    shape: tuple[int, ...]
    problem: str


def check_gradients(run: Run, rows: int = 4) -> Iterator[Checked]:
    """Check the gradient of the run's loss at each parameter of its network, in float64, over a few training rows.

    Dropout is switched off: a function that gives other numbers at each call has no gradient to check.
    """
    model = run.model.double().eval()
    batch, targets = next(iter(DataLoader(run.problem.train, rows)))
    batch = batch.double()
    targets = targets.double() if targets.dtype.is_floating_point else targets

    def loss(*parameters: Tensor) -> Tensor:
        return run.loss(model(batch), targets)

    for name, parameter in model.named_parameters():
        yield Checked(name, parameter.shape, _problem(loss, parameter))


def _problem(loss: Callable[..., Tensor], parameter: Tensor) -> str:
    try:
        gradcheck(loss, [parameter], samples=1)
    except GradcheckError as error:
        return str(error)
    return ""
