"""Optimizers and schedules by their names in settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import pullback.optim as optim
from pullback.base.errors import ArgumentError
from pullback.nn.parameter import Parameter
from pullback.optim import lr_scheduler
from pullback.optim.lr_scheduler.schedule import LRScheduler
from pullback.optim.optimizer import Optimizer
from pullback.tensor.creation import zeros


@dataclass(frozen=True)
class Choice:
    """Something that settings choose by name: what makes it, and for optimizers a learning rate to begin with."""

    make: Callable[..., Any]
    lr: float = 0.0

    @property
    def options(self) -> dict[str, Any]:
        """The further settings that it takes, each with its type."""
        signature = get_type_hints(vars(self.make).get("__init__", self.make))
        return {name: hint for name, hint in signature.items() if name not in _NOT_OPTIONS}


# Filled in from the run, or of no use in a settings file.
_NOT_OPTIONS = {
    *("params", "lr", "optimizer", "steps", "epochs", "return"),
    *("maximize", "foreach", "fused", "capturable", "differentiable"),
}

# Muon is for matrices alone; a network's biases would need another beside it.
OPTIMIZERS: dict[str, Choice] = {
    "adamw": Choice(optim.AdamW, 1e-3),
    "adam": Choice(optim.Adam, 1e-3),
    "sgd": Choice(optim.SGD, 0.1),
    "nadam": Choice(optim.NAdam, 2e-3),
    "radam": Choice(optim.RAdam, 1e-3),
    "adamax": Choice(optim.Adamax, 2e-3),
    "adagrad": Choice(optim.Adagrad, 1e-2),
    "adadelta": Choice(optim.Adadelta, 1.0),
    "rmsprop": Choice(optim.RMSprop, 1e-3),
    "lion": Choice(optim.Lion, 1e-4),
}


def _check_share(name: str, share: float) -> None:
    if not 0 <= share < 1:
        raise ArgumentError(f"{name} is a share of the run, at least 0 and below 1; got {share:g}")


def constant(optimizer: Optimizer, steps: int, epochs: int) -> LRScheduler:
    """The learning rate stays what it is."""
    return lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)


def one_cycle(
    optimizer: Optimizer,
    steps: int,
    epochs: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = False,
) -> LRScheduler:
    """One rise to the learning rate, which takes `pct_start` of the run, and one fall."""
    _check_share("pct_start", pct_start)
    return lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=min(max(pct_start, 1.5 / steps), 0.9),  # a rise of less than a step has no slope
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        anneal_strategy=anneal_strategy,
        cycle_momentum=cycle_momentum,
    )


def cosine(optimizer: Optimizer, steps: int, epochs: int, warmup: float = 0.0, eta_min: float = 0.0) -> LRScheduler:
    """A fall along a cosine to `eta_min`, after a linear rise that takes the share `warmup` of the run."""
    _check_share("warmup", warmup)
    rising = round(warmup * steps)
    fall = lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps - rising), eta_min)
    if not rising:
        return fall
    rise = lr_scheduler.LinearLR(optimizer, start_factor=1.0 / rising, total_iters=rising)
    return lr_scheduler.SequentialLR(optimizer, [rise, fall], [rising])


def linear(optimizer: Optimizer, steps: int, epochs: int, end_factor: float = 0.0) -> LRScheduler:
    """A straight fall to `end_factor` of the learning rate."""
    return lr_scheduler.LinearLR(optimizer, 1.0, end_factor, total_iters=steps)


def polynomial(optimizer: Optimizer, steps: int, epochs: int, power: float = 2.0) -> LRScheduler:
    """A fall to 0 as (1 - step / steps) to the power."""
    return lr_scheduler.PolynomialLR(optimizer, total_iters=steps, power=power)


def exponential(optimizer: Optimizer, steps: int, epochs: int, gamma: float = 0.9) -> LRScheduler:
    """After each epoch `gamma` of what it was, in equal parts at every step."""
    return lr_scheduler.ExponentialLR(optimizer, gamma ** (epochs / steps))


def step(optimizer: Optimizer, steps: int, epochs: int, every: int = 10, gamma: float = 0.1) -> LRScheduler:
    """After `every` so many epochs `gamma` of what it was."""
    return lr_scheduler.StepLR(optimizer, every * (steps // epochs), gamma)


SCHEDULES: dict[str, Choice] = {
    "one-cycle": Choice(one_cycle),
    "cosine": Choice(cosine),
    "linear": Choice(linear),
    "polynomial": Choice(polynomial),
    "exponential": Choice(exponential),
    "step": Choice(step),
    "constant": Choice(constant),
}


def make_optimizer(params: Any, name: str, lr: float, options: Mapping[str, Any]) -> Optimizer:
    """The optimizer of this name for these parameters."""
    made: Optimizer = OPTIMIZERS[name].make(params, lr=lr, **options)
    return made


def make_schedule(optimizer: Optimizer, name: str, options: Mapping[str, Any], steps: int, epochs: int) -> LRScheduler:
    """The schedule of this name, to be stepped after each of the `steps` steps that `epochs` epochs have."""
    made: LRScheduler = SCHEDULES[name].make(optimizer, steps, epochs, **options)
    return made


def try_optimizer(name: str, lr: float, options: Mapping[str, Any]) -> None:
    """Make the optimizer for a parameter of no consequence: what is wrong with its arguments comes up here."""
    make_optimizer([Parameter(zeros(2, 2))], name, lr, options)


def try_schedule(name: str, options: Mapping[str, Any]) -> None:
    """Make the schedule for an optimizer of no consequence: what is wrong with its arguments comes up here."""
    make_schedule(optim.SGD([Parameter(zeros(1))], lr=0.1, momentum=0.9), name, options, steps=100, epochs=10)
