"""Schedules: what they refuse, what they warn of, what they save."""

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError, StateError, TraceError
from pullback.optim import SGD, Adagrad
from pullback.optim import lr_scheduler as schedules


def optimiser_at(*rates: float) -> SGD:
    """An optimiser that has stepped, with a group for each rate."""
    optimiser = SGD([{"params": [pb.ones(1)], "lr": rate} for rate in rates])
    optimiser.step()
    return optimiser


def sequence(*kinds: Any, milestones: list[int]) -> schedules.SequentialLR:
    optimiser = optimiser_at(1.0)
    return schedules.SequentialLR(optimiser, [kind(optimiser) for kind in kinds], milestones)


def half(optimiser: Any) -> schedules.ExponentialLR:
    return schedules.ExponentialLR(optimiser, gamma=0.5)


def plateau(optimiser: Any) -> schedules.ReduceLROnPlateau:
    return schedules.ReduceLROnPlateau(optimiser)


def chain(optimiser: Any) -> schedules.ChainedScheduler:
    return schedules.ChainedScheduler([half(optimiser)])


ONE = optimiser_at(1.0)
WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: schedules.ExponentialLR(0.1, gamma=0.5), DTypeError, "needs an optimiser; got float"),
    (lambda: schedules.ReduceLROnPlateau([ONE]), DTypeError, "needs an optimiser; got list"),
    (lambda: schedules.ExponentialLR(optimiser_at(1.0), gamma=0.5, last_epoch=3), ArgumentError, "group 0 has none"),
    (lambda: schedules.LambdaLR(ONE, [abs, abs]), ArgumentError, "each of the 1 parameter groups; got 2"),
    (lambda: schedules.LambdaLR(ONE, 0.5), DTypeError, "function of the epoch; got float"),
    (lambda: schedules.MultiStepLR(ONE, 30), DTypeError, r"a list of epochs; got 30: write \[30\]"),
    (lambda: schedules.StepLR(ONE, step_size=0), ArgumentError, "positive whole number"),
    (lambda: schedules.ConstantLR(ONE, factor=1.5), ArgumentError, "from 0 to 1; got 1.5"),
    (lambda: schedules.LinearLR(ONE, start_factor=0.0), ArgumentError, "above 0 and at most 1"),
    (lambda: schedules.LinearLR(ONE, end_factor=-1.0), ArgumentError, "end_factor"),
    (lambda: schedules.CosineAnnealingLR(ONE, T_max=0), ArgumentError, "T_max is a positive"),
    (lambda: schedules.CosineAnnealingWarmRestarts(ONE, T_0=1.5), ArgumentError, "T_0 is a positive whole"),
    (lambda: schedules.CosineAnnealingWarmRestarts(ONE, T_0=1, T_mult=0), ArgumentError, "T_mult is a positive whole"),
    (lambda: schedules.CosineAnnealingWarmRestarts(ONE, T_0=2).step(-1), ArgumentError, "count from 0; got -1"),
    (lambda: schedules.OneCycleLR(ONE, 0.1), ArgumentError, "needs total_steps, or epochs"),
    (lambda: schedules.OneCycleLR(ONE, 0.1, epochs=2), ArgumentError, "needs total_steps, or epochs"),
    (lambda: schedules.OneCycleLR(ONE, 0.1, total_steps=0), ArgumentError, "total_steps is a positive whole number"),
    (lambda: schedules.OneCycleLR(ONE, 0.1, epochs=2, steps_per_epoch=1.5), ArgumentError, "steps_per_epoch is"),
    (lambda: schedules.OneCycleLR(ONE, 0.1, total_steps=9, pct_start=30), ArgumentError, "pct_start"),
    (lambda: schedules.OneCycleLR(ONE, 0.1, total_steps=9, anneal_strategy="exp"), ArgumentError, "'cos' or 'linear'"),
    (
        lambda: schedules.OneCycleLR(ONE, [0.1, 0.2], total_steps=9),
        ArgumentError,
        "max_lr is one value or one for each",
    ),
    (lambda: schedules.OneCycleLR(Adagrad([pb.ones(1)]), 0.1, 9), ArgumentError, "pass cycle_momentum=False"),
    (lambda: schedules.ReduceLROnPlateau(ONE, factor=1.0), ArgumentError, "below 1"),
    (lambda: schedules.ReduceLROnPlateau(ONE, mode="least"), ArgumentError, "'min' or 'max'.*'least'"),
    (lambda: schedules.ReduceLROnPlateau(ONE, threshold_mode="r"), ArgumentError, "'rel' or 'abs'"),
    (lambda: schedules.ReduceLROnPlateau(ONE, min_lr=[0.1, 0.2]), ArgumentError, "min_lr is one value"),
    (
        lambda: sequence(half, half, milestones=[1, 2]),
        ArgumentError,
        "2 schedules need 1 milestones between them; got 2",
    ),
    (lambda: sequence(half, plateau, milestones=[1]), ArgumentError, r"ReduceLROnPlateau \(number 1\)"),
    (lambda: sequence(half, chain, milestones=[1]), ArgumentError, "cannot begin in the middle"),
    (lambda: schedules.SequentialLR(ONE, [], []), ArgumentError, "at least one schedule"),
    (lambda: schedules.ChainedScheduler([0.5]), DTypeError, "number 0 is float"),
    (lambda: schedules.ChainedScheduler([half(ONE), half(optimiser_at(1.0))]), ArgumentError, "belong to several"),
    (lambda: schedules.LRScheduler(ONE), NotImplementedError, "get_lr"),
]


@pytest.mark.parametrize(("make", "kind", "words"), WRONG)
def test_errors(make: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()


STEPS: list[Callable[[Any], Any]] = [
    lambda optimiser: half(optimiser).step,
    lambda optimiser: chain(optimiser).step,
    lambda optimiser: schedules.SequentialLR(optimiser, [half(optimiser), half(optimiser)], [1]).step,
    lambda optimiser: functools.partial(plateau(optimiser).step, 1.0),
    lambda optimiser: functools.partial(half(optimiser).load_state_dict, {}),
]


@pytest.mark.parametrize("make", STEPS)
def test_a_schedule_is_not_stepped_inside_a_compiled_function(make: Callable[[Any], Any]) -> None:
    optimiser = optimiser_at(1.0)
    step = make(optimiser)
    before = optimiser.param_groups[0]["lr"]

    @pb.compile
    def train(x: Any) -> Any:
        step()
        return x * 2

    with pytest.raises(TraceError, match="step schedules after the compiled step"):
        train(pb.ones(1))
    assert optimiser.param_groups[0]["lr"] == before


def test_a_rate_is_not_set_inside_a_compiled_function() -> None:
    weight = pb.ones(1, requires_grad=True)
    optimiser = SGD([weight], lr=1.0)

    @pb.compile
    def train(decay: bool) -> None:
        optimiser.zero_grad()
        weight.sum().backward()
        optimiser.step()
        if decay:
            optimiser.param_groups[0]["lr"] *= 0.5

    with pytest.raises(TraceError, match=r"sets 'lr' of a parameter group.*set it outside"):
        train(True)
    train(False)
    optimiser.param_groups[0]["lr"] *= 0.5
    train(False)
    assert weight.tolist() == [-0.5]


def test_the_one_cycle_ends() -> None:
    schedule = schedules.OneCycleLR(optimiser_at(1.0), 0.1, total_steps=3)
    for _ in range(3):
        schedule.step()
    with pytest.raises(ArgumentError, match="has 3 steps; this would be step 4"):
        schedule.step()


def test_stepping_before_the_optimiser_warns() -> None:
    optimiser = SGD([pb.ones(1)], lr=1.0)
    schedule = half(optimiser)
    with pytest.warns(UserWarning, match=r"call optimizer.step\(\) first"):
        schedule.step()


def test_an_optimiser_with_a_step_of_its_own_is_believed() -> None:
    class Own(pb.optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            """Do nothing."""

    schedule = half(Own([pb.ones(1)], {"lr": 1.0}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()
    assert schedule.get_last_lr() == [0.5]


def test_get_lr_from_outside_warns() -> None:
    schedule = half(optimiser_at(1.0))
    with pytest.warns(UserWarning, match="get_last_lr"):
        assert schedule.get_lr() == [0.5]


def test_going_on_from_a_last_epoch() -> None:
    optimiser = optimiser_at(1.0)
    whole = schedules.CosineAnnealingLR(optimiser, T_max=10)
    for _ in range(4):
        whole.step()
    resumed_optimiser = optimiser_at(1.0)
    resumed_optimiser.load_state_dict(optimiser.state_dict())
    resumed = schedules.CosineAnnealingLR(resumed_optimiser, T_max=10, last_epoch=whole.last_epoch - 1)
    for _ in range(3):
        whole.step()
        resumed.step()
    assert resumed.get_last_lr()[0] == pytest.approx(whole.get_last_lr()[0], rel=1e-12)


def test_chained_schedules_in_closed_form() -> None:
    optimiser = optimiser_at(1.0)
    warm_up = schedules.LinearLR(optimiser, start_factor=0.25, total_iters=4)
    schedule = schedules.ChainedScheduler([warm_up, half(optimiser)])
    for epoch in range(1, 8):
        schedule.step()
        expected = (0.25 + 0.75 * min(epoch, 4) / 4) * 0.5**epoch
        assert schedule.get_last_lr()[0] == pytest.approx(expected, rel=1e-12)


def test_one_cycle_in_closed_form() -> None:
    optimiser = optimiser_at(1.0)
    schedule = schedules.OneCycleLR(optimiser, max_lr=1.0, total_steps=21, pct_start=11 / 21, div_factor=10.0)
    rates = []
    for _ in range(21):
        rates += schedule.get_last_lr()
        schedule.step()
    up = [0.1 + 0.9 * (1 - math.cos(math.pi * step / 10)) / 2 for step in range(11)]
    down = [1e-5 + (1 - 1e-5) * (1 + math.cos(math.pi * step / 10)) / 2 for step in range(1, 11)]
    assert rates == pytest.approx(up + down, rel=1e-9)


def test_plateau_takes_tensors_and_counts_no_nan_as_better() -> None:
    optimiser = optimiser_at(1.0)
    schedule = schedules.ReduceLROnPlateau(optimiser, factor=0.5, patience=0)
    schedule.step(pb.tensor(2.0))
    schedule.step(float("nan"))
    assert schedule.get_last_lr() == [0.5]
    assert schedule.best == 2.0


def test_plateau_after_a_group_was_added() -> None:
    optimiser = optimiser_at(1.0)
    schedule = schedules.ReduceLROnPlateau(optimiser, factor=0.5, patience=0, min_lr=0.4)
    optimiser.add_param_group({"params": [pb.ones(1)], "lr": 0.5})
    schedule.step(1.0)
    schedule.step(1.0)
    assert schedule.get_last_lr() == [0.5, 0.4]


def test_plateau_with_a_bound_for_each_group_wants_one_for_the_new_group() -> None:
    optimiser = optimiser_at(1.0)
    schedule = schedules.ReduceLROnPlateau(optimiser, patience=0, min_lr=[0.4])
    optimiser.add_param_group({"params": [pb.ones(1)], "lr": 0.5})
    schedule.step(1.0)
    with pytest.raises(ArgumentError, match="given for 1 parameter groups, and there are 2 now"):
        schedule.step(1.0)


class Falling:
    """A factor that is an object, with something to save."""

    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, epoch: int) -> float:
        return self.by**epoch


def test_functions_that_are_objects_are_saved_by_their_attributes() -> None:
    optimiser = optimiser_at(1.0, 1.0)
    schedule = schedules.LambdaLR(optimiser, [Falling(0.5), lambda epoch: 1.0])
    saved = schedule.state_dict()
    assert saved["lr_lambdas"] == [{"by": 0.5}, None]
    other = schedules.LambdaLR(optimiser_at(1.0, 1.0), [Falling(0.1), lambda epoch: 1.0])
    other.load_state_dict(saved)
    other.step()
    assert other.get_last_lr() == [0.5, 1.0]


def test_the_state_of_another_schedule_is_refused() -> None:
    schedule = half(optimiser_at(1.0))
    with pytest.raises(StateError, match=r"ExponentialLR has no 'step_size'.*another schedule"):
        schedule.load_state_dict(schedules.StepLR(optimiser_at(1.0), 3).state_dict())
    with pytest.raises(StateError, match="lacks gamma"):
        schedule.load_state_dict({"last_epoch": 3, "base_lrs": [1.0], "verbose": False})
    with pytest.raises(StateError, match="has 0 schedules, SequentialLR 2"):
        sequence(half, half, milestones=[1]).load_state_dict({"last_epoch": 3})
    assert schedule.last_epoch == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda optimiser: schedules.LambdaLR(optimiser, lambda epoch: 0.5),
        lambda optimiser: schedules.MultiplicativeLR(optimiser, lambda epoch: 0.5),
        lambda optimiser: schedules.OneCycleLR(optimiser, max_lr=1.0, total_steps=5),
        lambda optimiser: schedules.CosineAnnealingWarmRestarts(optimiser, 3),
    ],
    ids=["LambdaLR", "MultiplicativeLR", "OneCycleLR", "CosineAnnealingWarmRestarts"],
)
def test_a_group_added_behind_a_schedules_back_is_named(make: Callable[[Any], Any]) -> None:
    optimiser = SGD([pb.ones(1, requires_grad=True)], lr=0.5, momentum=0.9)
    schedule = make(optimiser)
    optimiser.add_param_group({"params": [pb.ones(1, requires_grad=True)]})
    optimiser.step()
    with pytest.raises(ArgumentError, match="was made for 1 group, there are 2 now"):
        schedule.step()


def test_a_schedule_made_of_present_rates_takes_a_new_group_along() -> None:
    optimiser = SGD([pb.ones(1, requires_grad=True)], lr=0.5)
    schedule = schedules.ExponentialLR(optimiser, gamma=0.5)
    optimiser.add_param_group({"params": [pb.ones(1, requires_grad=True)], "lr": 0.25})
    optimiser.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.25, 0.125]
