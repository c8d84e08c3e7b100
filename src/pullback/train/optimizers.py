"""Optimizers and schedules by their names in settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pullback import optim
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import zeros


@dataclass(frozen=True)
class OptimizerChoice:
    """An optimizer: what makes it, and a learning rate to begin with."""

    make: Callable[..., Any]
    lr: float


OPTIMIZERS: dict[str, OptimizerChoice] = {
    "sgd": OptimizerChoice(optim.SGD, 0.1),
    "adam": OptimizerChoice(optim.Adam, 1e-3),
    "adamw": OptimizerChoice(optim.AdamW, 1e-3),
    "nadam": OptimizerChoice(optim.NAdam, 2e-3),
    "adagrad": OptimizerChoice(optim.Adagrad, 1e-2),
    "rmsprop": OptimizerChoice(optim.RMSprop, 1e-3),
    "adadelta": OptimizerChoice(optim.Adadelta, 1.0),
    "lion": OptimizerChoice(optim.Lion, 1e-4),
}


@dataclass(frozen=True)
class Plan:
    """A schedule, stepped after every step of training: what makes it, and which of its arguments follow from the run.

    `filled` maps these arguments to what they are: the number of "steps" of the whole run, or the optimizer's "lr".
    """

    make: Callable[..., Any]
    filled: Mapping[str, str]


class Constant:
    """The learning rate stays what it is."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        """Change nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing."""


SCHEDULES: dict[str, Plan] = {"constant": Plan(Constant, {})}


def make_optimizer(params: Any, name: str, lr: float, options: Mapping[str, Any]) -> Any:
    """The optimizer of this name for these parameters."""
    return OPTIMIZERS[name].make(params, lr=lr, **options)


def make_schedule(optimizer: Any, name: str, options: Mapping[str, Any], steps: int) -> Any:
    """The schedule of this name for a run of `steps` steps."""
    plan = SCHEDULES[name]
    known = {"steps": steps, "lr": optimizer.param_groups[0]["lr"]}
    return plan.make(optimizer, **{argument: known[what] for argument, what in plan.filled.items()}, **options)


def try_optimizer(name: str, lr: float, options: Mapping[str, Any]) -> Any:
    """Make the optimizer for a parameter of no consequence: what is wrong with its arguments comes up here."""
    return make_optimizer([Parameter(zeros(2, 2))], name, lr, options)


def try_schedule(name: str, options: Mapping[str, Any]) -> Any:
    """Make the schedule for an optimizer of no consequence: what is wrong with its arguments comes up here."""
    return make_schedule(optim.SGD([Parameter(zeros(1))], lr=0.1, momentum=0.9), name, options, steps=100)
