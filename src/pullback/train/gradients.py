"""The gradients of a run's network: held against differences of its loss, and how large they are in each layer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pullback.data.loader import DataLoader
from pullback.lens.gradcheck import GradcheckError, gradcheck
from pullback.tensor.random import get_rng_state, set_rng_state
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


def gradient_norms(run: Run, rows: int = 256) -> dict[str, float]:
    """The norm of the loss's gradient at the weight of each layer, from the inputs to the outputs, by its path.

    Of the first training rows, in training mode. The run stays as it is.
    """
    model, state, random = run.model, run.model.state_dict(), get_rng_state()
    was_training = model.training
    model.train().zero_grad()
    batch, targets = next(iter(DataLoader(run.problem.train, rows)))
    run.loss(model(batch), targets).backward()
    weights = [(name, weight) for name, weight in model.named_parameters() if weight.ndim > 1]
    norms = {name: _norm(weight) for name, weight in weights}
    model.zero_grad()
    model.train(was_training).load_state_dict(state)
    set_rng_state(random)
    return norms


def _norm(weight: Tensor) -> float:
    """In float64: the square of a small number of float32 would be 0."""
    assert weight.grad is not None
    return float(np.sqrt((weight.grad.numpy().astype(np.float64) ** 2).sum()))


def _problem(loss: Callable[..., Tensor], parameter: Tensor) -> str:
    try:
        gradcheck(loss, [parameter], samples=1)
    except GradcheckError as error:
        return str(error)
    return ""
