"""A run: a network, its optimizer and schedule, the order of its rows, and how far it has come."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pullback.nn.functional as F
from pullback.backends.compile import compile
from pullback.base.errors import ArgumentError, StateError
from pullback.data.loader import DataLoader
from pullback.data.samplers import RandomSampler
from pullback.nn.module import Module
from pullback.tensor.random import get_rng_state, manual_seed, set_rng_state
from pullback.tensor.tensor import Tensor
from pullback.train.config import Config
from pullback.train.networks import NETWORKS, Network
from pullback.train.optimizers import make_optimizer, make_schedule
from pullback.train.problem import Problem


@dataclass
class Progress:
    """How far a run has come: `epoch` epochs are over, and `step` steps of the one that runs.

    `loss_sum` adds up the losses of this epoch's `rows` rows. `history` has a record for each epoch, `best` the
    weights of the best one, which is `best_epoch`.
    """

    epoch: int = 0
    step: int = 0
    rows: int = 0
    loss_sum: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: Mapping[str, Tensor] = field(default_factory=dict)

    def count(self, loss: float, rows: int) -> None:
        """A step is done."""
        self.step += 1
        self.rows += rows
        self.loss_sum += loss * rows

    def close_epoch(self, record: Mapping[str, float], weights: Mapping[str, Tensor]) -> bool:
        """An epoch is over; whether it is the best so far. Of equally accurate epochs the lower loss is better."""
        self.epoch += 1
        self.history.append({"epoch": self.epoch, "train_loss": self.loss_sum / self.rows, **record})
        self.step, self.rows, self.loss_sum = 0, 0, 0.0
        is_best = not self.best_epoch or _worth(self.history[-1]) > _worth(self.history[self.best_epoch - 1])
        if is_best:
            self.best_epoch, self.best = self.epoch, weights
        return is_best


def _worth(record: Mapping[str, float]) -> tuple[float, float]:
    loss = record["validation_loss"]
    return record.get("validation_accuracy", 0.0), -loss if math.isfinite(loss) else -math.inf


class Run:
    """Everything that changes while a network is trained, made anew from its settings and its problem.

    The same settings and data give the same run, bit for bit. `state_dict` and `load_state_dict` hold all of it, so
    that a run which was interrupted goes on as if it had not been.
    """

    def __init__(self, config: Config, problem: Problem) -> None:
        if problem.task not in config.model.tasks:
            raise ArgumentError(_wrong_network(config.model, problem.task))
        manual_seed(config.seed)
        self.config, self.problem = config, problem
        self.model = make_model(config, problem.inputs, problem.outputs)
        self.forward: Callable[[Tensor], Any] = compile(self.model.__call__)
        self.epoch_rows = min(config.training.epoch_rows or len(problem.train), len(problem.train))
        order = RandomSampler(problem.train, num_samples=self.epoch_rows, seed=config.seed)
        self.loader = DataLoader(problem.train, config.training.batch_size, sampler=order)
        how, epochs = config.optimizer, config.training.epochs
        self.optimizer = make_optimizer(self.model.named_parameters(), how.name, how.lr, how.options)
        plan, steps = config.schedule, len(self.loader) * epochs
        self.schedule = make_schedule(self.optimizer, plan.name, plan.options, steps, epochs)
        self.progress = Progress()

    def loss(self, found: Any, targets: Tensor) -> Tensor:
        """The mean loss of rows: cross-entropy for classes and characters, the squared error for numbers.

        found: what the network gives for them.
        """
        scores = scores_in(found)
        if self.problem.task == "regression":
            return F.mse_loss(scores, targets)
        if self.problem.task == "language":
            scores, targets = scores.flatten(0, 1), targets.flatten()  # (b t, v), (b t,)
        smoothing = self.config.training.label_smoothing
        return F.cross_entropy(scores, targets, label_smoothing=smoothing)

    def state_dict(self) -> dict[str, Any]:
        """The state of all parts, ready for `pb.save`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "loader": self.loader.state_dict(),
            "random": get_rng_state(),
            "progress": dict(vars(self.progress)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` gave.

        Raises StateError when it is another run's.
        """
        if set(state) != set(self.state_dict()):
            raise StateError(f"the state of a run has {', '.join(self.state_dict())}; got {', '.join(state)}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.loader.load_state_dict(state["loader"])
        self.progress = Progress(**state["progress"])
        set_rng_state(state["random"])


def _wrong_network(network: Network, task: str) -> str:
    able = ", ".join(name for name, each in NETWORKS.items() if task in each.tasks)
    return (
        f"the network {network.name} is for {' and '.join(network.tasks)}, this data is for {task}; model.name = {able}"
    )


def scores_in(found: Any) -> Tensor:
    """The scores in what a network gives: all of it, or the first of several; an LSTM gives its state, too."""
    scores: Tensor = found[0] if isinstance(found, tuple) else found
    return scores


def make_model(config: Config, inputs: int, outputs: int) -> Module:
    """The network that the settings describe, with fresh weights."""
    return config.model.build(inputs, outputs)
