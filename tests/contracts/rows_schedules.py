"""One row per learning-rate schedule and choice of options, run over 50 epochs by whichever library is given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.contracts.rows_optimisers import defaults

EPOCHS = 50
METRICS = [
    1 / (1 + 0.3 * epoch) if epoch < 8 or 20 < epoch < 24 else 0.25 + 0.01 * (epoch % 3) for epoch in range(EPOCHS)
]


def a_fifth_less(epoch: int) -> float:
    """A factor for LambdaLR and MultiplicativeLR."""
    return 0.8 if epoch % 4 == 0 else 1.0


def falling(epoch: int) -> float:
    """Another one."""
    return 1.0 / (1 + epoch)


@dataclass(frozen=True)
class ScheduleRow:
    """One schedule with one choice of options, over an optimiser with two groups.

    options: keyword arguments. metric: stepped with METRICS. epochs: stepped to these epochs, one after another.
    parts: for schedules made of schedules, those that they are made of.
    """

    name: str
    schedule: str
    options: dict[str, Any] = field(default_factory=dict)
    parts: tuple["ScheduleRow", ...] = ()
    optimiser: str = "SGD"
    optimiser_options: dict[str, Any] = field(default_factory=lambda: {"momentum": 0.9})
    metric: bool = False
    epochs: tuple[float, ...] = ()
    tolerance: dict[str, tuple[float, float]] = field(default_factory=lambda: {"float64": (1e-11, 1e-15)})

    def optimiser_of(self, lib: Any) -> Any:
        """An optimiser with two groups, of different rates."""
        groups = [{"params": [lib.ones(2)], "lr": 0.5}, {"params": [lib.ones(3)], "lr": 0.2}]
        return getattr(lib.optim, self.optimiser)(groups, **self.optimiser_options)

    def build(self, lib: Any, optimiser: Any) -> Any:
        """The schedule of this row from a library, over this optimiser."""
        kind = getattr(lib.optim.lr_scheduler, self.schedule)
        if not self.parts:
            return kind(optimiser, **self.options)
        schedules = [part.build(lib, optimiser) for part in self.parts]
        first = [schedules] if self.schedule == "ChainedScheduler" else [optimiser, schedules]
        return kind(*first, **self.options)

    def steps(self, schedule: Any) -> list[Callable[[], None]]:
        """What is called after each epoch."""
        if self.metric:
            return [lambda metric=metric: schedule.step(metric) for metric in METRICS]
        if self.epochs:
            return [lambda epoch=epoch: schedule.step(epoch) for epoch in self.epochs]
        return [schedule.step] * EPOCHS

    def run(self, lib: Any) -> dict[str, Any]:
        """Rates and momentum of each group in each epoch, the keys of the state, and the defaults of the schedule."""
        optimiser = self.optimiser_of(lib)
        schedule = self.build(lib, optimiser)
        course = [rates_and_momentum(optimiser)]
        for step in self.steps(schedule):
            optimiser.step()
            step()
            course.append(rates_and_momentum(optimiser))
        return {
            "course": np.array(course),
            "last": np.array(schedule.get_last_lr()),
            "keys": " ".join(sorted(schedule.state_dict())),
            "defaults": defaults(type(schedule)),
        }


def rates_and_momentum(optimiser: Any) -> list[float]:
    """The learning rate of each group, then its momentum (or β₁)."""
    groups = optimiser.param_groups
    return [g["lr"] for g in groups] + [g["momentum"] if "momentum" in g else g["betas"][0] for g in groups]


WARM_UP = ScheduleRow("", "LinearLR", {"start_factor": 0.1, "total_iters": 7})
COSINE = ScheduleRow("", "CosineAnnealingLR", {"T_max": 30, "eta_min": 0.01})
EXPONENTIAL = ScheduleRow("", "ExponentialLR", {"gamma": 0.95})
CONSTANT = ScheduleRow("", "ConstantLR", {"factor": 0.1, "total_iters": 12})
STEP = ScheduleRow("", "StepLR", {"step_size": 9, "gamma": 0.5})
RESTARTS = ScheduleRow("", "CosineAnnealingWarmRestarts", {"T_0": 6, "T_mult": 2})
CHAIN = ScheduleRow("", "ChainedScheduler", parts=(CONSTANT, EXPONENTIAL))
ADAM: dict[str, Any] = {"optimiser": "AdamW", "optimiser_options": {}}

ORACLE_ROWS = [
    ScheduleRow("lambda", "LambdaLR", {"lr_lambda": falling}),
    ScheduleRow("lambda_for_each", "LambdaLR", {"lr_lambda": [falling, a_fifth_less]}),
    ScheduleRow("multiplicative", "MultiplicativeLR", {"lr_lambda": a_fifth_less}),
    ScheduleRow("step", "StepLR", {"step_size": 7}),
    ScheduleRow("step_gamma", "StepLR", {"step_size": 1, "gamma": 0.9}),
    ScheduleRow("step_closed", "StepLR", {"step_size": 7, "gamma": 0.5}, epochs=(3, 7, 6, 30, 0)),
    ScheduleRow("multi_step", "MultiStepLR", {"milestones": [3, 11, 11, 30]}),
    ScheduleRow("multi_step_closed", "MultiStepLR", {"milestones": [30, 3, 3], "gamma": 0.3}, epochs=(2, 3, 40, 5)),
    ScheduleRow("exponential", "ExponentialLR", {"gamma": 0.9}),
    ScheduleRow("exponential_closed", "ExponentialLR", {"gamma": 0.9}, epochs=(4, 9, 1)),
    ScheduleRow("constant", "ConstantLR"),
    ScheduleRow("constant_options", "ConstantLR", {"factor": 0.25, "total_iters": 20}),
    ScheduleRow("constant_closed", "ConstantLR", {"factor": 0.25, "total_iters": 20}, epochs=(5, 25, 19, 20)),
    ScheduleRow("linear", "LinearLR"),
    ScheduleRow("linear_warm_up", "LinearLR", {"start_factor": 0.01, "total_iters": 40}),
    ScheduleRow("linear_down", "LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 30}),
    ScheduleRow("linear_closed", "LinearLR", {"start_factor": 0.1, "total_iters": 10}, epochs=(3, 12, 10, 0)),
    ScheduleRow("polynomial", "PolynomialLR"),
    ScheduleRow("polynomial_power", "PolynomialLR", {"total_iters": 45, "power": 0.9}),
    ScheduleRow("polynomial_closed", "PolynomialLR", {"total_iters": 10, "power": 2.0}, epochs=(3, 12, 9)),
    ScheduleRow("cosine", "CosineAnnealingLR", {"T_max": 50}),
    ScheduleRow("cosine_beyond", "CosineAnnealingLR", {"T_max": 12, "eta_min": 0.05}),
    ScheduleRow("cosine_of_one", "CosineAnnealingLR", {"T_max": 1}),
    ScheduleRow("cosine_closed", "CosineAnnealingLR", {"T_max": 12, "eta_min": 0.05}, epochs=(5, 12, 20)),
    ScheduleRow("restarts", "CosineAnnealingWarmRestarts", {"T_0": 10}),
    ScheduleRow("restarts_longer", "CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.01}),
    ScheduleRow("restarts_within", "CosineAnnealingWarmRestarts", {"T_0": 4}, epochs=(0.25, 0.5, 3.75, 4.25, 9.5)),
    ScheduleRow(
        "restarts_longer_within",
        "CosineAnnealingWarmRestarts",
        {"T_0": 3, "T_mult": 2},
        epochs=(0.5, 3.5, 10.0, 22.5, 2),
    ),
    ScheduleRow("one_cycle", "OneCycleLR", {"max_lr": 0.8, "total_steps": 50}),
    ScheduleRow("one_cycle_longer", "OneCycleLR", {"max_lr": [0.8, 0.3], "epochs": 7, "steps_per_epoch": 9}),
    ScheduleRow(
        "one_cycle_linear",
        "OneCycleLR",
        {"max_lr": 0.8, "total_steps": 60, "anneal_strategy": "linear", "pct_start": 0.45, "div_factor": 10.0},
    ),
    ScheduleRow(
        "one_cycle_three",
        "OneCycleLR",
        {"max_lr": 0.8, "total_steps": 55, "three_phase": True, "final_div_factor": 50.0},
    ),
    ScheduleRow(
        "one_cycle_momentum",
        "OneCycleLR",
        {"max_lr": 0.8, "total_steps": 51, "base_momentum": [0.7, 0.6], "max_momentum": 0.99},
    ),
    ScheduleRow("one_cycle_adamw", "OneCycleLR", {"max_lr": 0.01, "total_steps": 51}, **ADAM),
    ScheduleRow("one_cycle_alone", "OneCycleLR", {"max_lr": 0.01, "total_steps": 51, "cycle_momentum": False}, **ADAM),
    ScheduleRow("plateau", "ReduceLROnPlateau", {"patience": 3}, metric=True),
    ScheduleRow(
        "plateau_options",
        "ReduceLROnPlateau",
        {
            "factor": 0.5,
            "patience": 2,
            "cooldown": 4,
            "min_lr": [0.02, 0.1],
            "threshold": 0.02,
            "threshold_mode": "abs",
        },
        metric=True,
    ),
    ScheduleRow(
        "plateau_max", "ReduceLROnPlateau", {"mode": "max", "patience": 5, "factor": 0.8, "eps": 0.01}, metric=True
    ),
    ScheduleRow(
        "plateau_max_abs",
        "ReduceLROnPlateau",
        {"mode": "max", "patience": 1, "threshold_mode": "abs", "threshold": 0.1},
        metric=True,
    ),
    ScheduleRow("sequence", "SequentialLR", {"milestones": [7]}, parts=(WARM_UP, COSINE)),
    ScheduleRow(
        "sequence_of_four", "SequentialLR", {"milestones": [5, 15, 30]}, parts=(CONSTANT, STEP, RESTARTS, EXPONENTIAL)
    ),
    ScheduleRow("sequence_at_once", "SequentialLR", {"milestones": [0]}, parts=(CONSTANT, EXPONENTIAL)),
    ScheduleRow("sequence_restarts_first", "SequentialLR", {"milestones": [20]}, parts=(RESTARTS, WARM_UP)),
    ScheduleRow("sequence_chained_first", "SequentialLR", {"milestones": [20]}, parts=(CHAIN, EXPONENTIAL)),
    ScheduleRow("chained", "ChainedScheduler", parts=(CONSTANT, EXPONENTIAL)),
    ScheduleRow("chained_three", "ChainedScheduler", parts=(WARM_UP, STEP, COSINE)),
]
