"""Schedules made of schedules: one after another, or all at once."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from pullback.base.errors import ArgumentError, DTypeError, StateError
from pullback.optim.lr_scheduler.plateau import ReduceLROnPlateau
from pullback.optim.lr_scheduler.schedule import LRScheduler, refuse_while_recording
from pullback.optim.optimizer import Optimizer


class ComposedLR(LRScheduler):
    """What the schedules made of schedules share: checks, saving and loading."""

    _schedulers: Sequence[LRScheduler]

    def _compose(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        if not schedulers:
            raise ArgumentError(f"{type(self).__name__} needs at least one schedule")
        for place, schedule in enumerate(schedulers):
            if not isinstance(schedule, LRScheduler):
                raise DTypeError(f"{type(self).__name__} takes schedules; number {place} is {type(schedule).__name__}")
            if isinstance(schedule, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{type(self).__name__} cannot take ReduceLROnPlateau (number {place}), whose step needs a metric; "
                    "step that one on its own"
                )
        owner = optimizer if optimizer is not None else schedulers[0].optimizer
        if any(schedule.optimizer is not owner for schedule in schedulers):
            raise ArgumentError(f"{type(self).__name__} needs schedules of one optimiser; these belong to several")
        self._schedulers = schedulers
        self.optimizer = owner

    def _initial_step(self) -> None:
        for schedule in self._schedulers:
            schedule._step_count = 0  # so that beginning anew does not look like a step before the optimiser's
        super()._initial_step()

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, with the state of each schedule."""
        kept = {key: value for key, value in self.__dict__.items() if key not in ("optimizer", "_schedulers")}
        return kept | {"_schedulers": [schedule.state_dict() for schedule in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the schedules that were saved had come to."""
        saved = state_dict.get("_schedulers", ())
        if len(saved) != len(self._schedulers):
            raise StateError(
                f"the state dict has {len(saved)} schedules, {type(self).__name__} {len(self._schedulers)}"
            )
        mine = self._schedulers
        super().load_state_dict(state_dict)
        self._schedulers = mine
        for schedule, state in zip(mine, saved, strict=True):
            schedule.load_state_dict(state)


class SequentialLR(ComposedLR):
    """One schedule after another: the next one begins, at its own epoch 0, where a milestone is reached.

    schedulers: all of one optimiser. milestones: the epochs of change, one less than there are schedules.

    Raises ArgumentError when their numbers do not fit, for schedules of several optimisers, for ReduceLROnPlateau, and
    for schedules made of schedules anywhere but in the first place.

    >>> import pullback as pb
    >>> lr_scheduler = pb.optim.lr_scheduler
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> warm_up = lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> schedule = lr_scheduler.SequentialLR(optimizer, [warm_up, decay], milestones=[2])
    >>> optimizer.step()
    >>> for epoch in range(4):
    ...     print(schedule.get_last_lr())
    ...     schedule.step()
    [0.5]
    [0.75]
    [1.0]
    [0.5]

    Source: torch.optim.lr_scheduler.SequentialLR.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self._compose(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"{len(schedulers)} schedules need {len(schedulers) - 1} milestones between them; got {len(milestones)}"
            )
        for schedule in schedulers[1:]:
            if isinstance(schedule, ComposedLR):
                raise ArgumentError(
                    f"{type(schedule).__name__} cannot begin in the middle of SequentialLR, having no epoch 0 of "
                    "its own; put it first, or list its schedules here"
                )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        # Each schedule wrote its own first rates when it was made; only those of the first one hold.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        _take_back(schedulers)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]  # epochs cannot be chosen here
        """Go on to the next epoch."""
        refuse_while_recording("SequentialLR.step()")
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[place]
        if place > 0 and self._milestones[place - 1] == self.last_epoch:
            schedule._update_lr(0)
        else:
            schedule.step()
        self._last_lr = schedule.get_last_lr()


def _take_back(schedulers: Sequence[LRScheduler]) -> None:
    """Undo the step that each schedule took when it was made."""
    for schedule in schedulers:
        if isinstance(schedule, ComposedLR):
            _take_back(schedule._schedulers)
        else:
            schedule.last_epoch -= 1


class ChainedScheduler(ComposedLR):
    """Several schedules at once, each working on what the others made of the rate.

    Raises ArgumentError for no schedules, schedules of several optimisers, and ReduceLROnPlateau.

    >>> import pullback as pb
    >>> lr_scheduler = pb.optim.lr_scheduler
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> warm_up = lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> schedule = lr_scheduler.ChainedScheduler([warm_up, lr_scheduler.ExponentialLR(optimizer, gamma=0.5)])
    >>> optimizer.step()
    >>> for epoch in range(3):
    ...     print(schedule.get_last_lr())
    ...     schedule.step()
    [0.5]
    [0.25]
    [0.25]

    Source: torch.optim.lr_scheduler.ChainedScheduler.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._compose(schedulers, optimizer)
        self._last_lr = self._present()

    def step(self) -> None:  # type: ignore[override]  # epochs cannot be chosen here
        """Go on to the next epoch, with every schedule."""
        refuse_while_recording("ChainedScheduler.step()")
        for schedule in self._schedulers:
            schedule.step()
        self._last_lr = self._present()
