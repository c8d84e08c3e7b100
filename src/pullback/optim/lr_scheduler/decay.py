"""Schedules that multiply the learning rate by a factor."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pullback.base.errors import ArgumentError, DTypeError
from pullback.optim.lr_scheduler.schedule import LRScheduler, Rates, per_group
from pullback.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class FactorLR(LRScheduler):
    """A schedule that is a factor: `_change()` takes the rate of the epoch before to that of `last_epoch`.

    `_whole()` is the factor from the beginning on, for schedules that know it.
    """

    def _change(self) -> float:
        raise NotImplementedError

    def _whole(self) -> float:
        raise NotImplementedError

    def get_lr(self) -> Rates:
        """The present rates times the change at `last_epoch`."""
        self._warn_outside_step()
        change = self._change()
        return [group["lr"] * change for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> Rates:
        whole = self._whole()
        return [base * whole for base in self.base_lrs]


class _GivenFactors(LRScheduler):
    """A schedule made of functions of the epoch, one for each parameter group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        self.lr_lambdas: list[Factor] = per_group("lr_lambda", lr_lambda, optimizer)
        for given in self.lr_lambdas:
            if not callable(given):
                raise DTypeError(f"lr_lambda is a function of the epoch; got {type(given).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser; of the functions only the attributes of those that are objects."""
        kept = [dict(vars(f)) if not isinstance(f, type(lambda: 0)) else None for f in self.lr_lambdas]
        return super().state_dict() | {"lr_lambdas": kept}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the schedule that was saved had come to; the functions are those of this schedule."""
        mine = self.lr_lambdas
        super().load_state_dict(state_dict)
        self.lr_lambdas = mine
        for function, attributes in zip(mine, state_dict["lr_lambdas"], strict=True):
            if attributes is not None:
                function.__dict__.update(attributes)


class LambdaLR(_GivenFactors):
    """The initial rate times a function of the epoch: lr = initial_lr · lr_lambda(epoch).

    lr_lambda: one function, or one for each parameter group.

    Raises ArgumentError when the number of functions is not that of the groups, DTypeError for what is no function.

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=0.5)
    >>> schedule = pb.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.25]

    Source: torch.optim.lr_scheduler.LambdaLR.
    """

    def get_lr(self) -> Rates:
        """The initial rates times the functions at `last_epoch`."""
        self._warn_outside_step()
        self._check_groups(len(self.base_lrs))
        return [base * f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_GivenFactors):
    """The present rate times a function of the epoch: lr ← lr · lr_lambda(epoch).

    lr_lambda: one function, or one for each parameter group.

    Raises ArgumentError when the number of functions is not that of the groups, DTypeError for what is no function.

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=0.5)
    >>> schedule = pb.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.25]

    Source: torch.optim.lr_scheduler.MultiplicativeLR.
    """

    def get_lr(self) -> Rates:
        """The present rates times the functions at `last_epoch`."""
        self._warn_outside_step()
        if self._is_initial:
            return self._present()
        self._check_groups(len(self.lr_lambdas))
        return [lr * f(self.last_epoch) for f, lr in zip(self.lr_lambdas, self._present(), strict=True)]


class StepLR(FactorLR):
    """The rate times gamma after every step_size epochs: lr = initial_lr · gamma^⌊epoch / step_size⌋.

    Raises ArgumentError unless step_size is a positive whole number.

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> optimizer.step()
    >>> for epoch in range(3):
    ...     schedule.step()
    ...     print(schedule.get_last_lr())
    [1.0]
    [0.5]
    [0.5]

    Source: torch.optim.lr_scheduler.StepLR.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if not isinstance(step_size, int) or step_size < 1:
            raise ArgumentError(f"step_size is a positive whole number of epochs; got {step_size!r}")
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        return self.gamma if self.last_epoch > 0 and self.last_epoch % self.step_size == 0 else 1.0

    def _whole(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(FactorLR):
    """The rate times gamma at each of the milestones; twice where an epoch is named twice.

    Raises DTypeError for milestones that are no list.

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> optimizer.step()
    >>> for epoch in range(3):
    ...     schedule.step()
    ...     print(schedule.get_last_lr())
    [0.5]
    [0.5]
    [0.25]

    Source: torch.optim.lr_scheduler.MultiStepLR.
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise DTypeError(f"milestones are a list of epochs; got {milestones!r}: write [{milestones!r}]")
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch] if self.last_epoch in self.milestones else 1.0

    def _whole(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the schedule that was saved had come to."""
        super().load_state_dict(state_dict)
        self.milestones = Counter({int(epoch): n for epoch, n in self.milestones.items()})  # JSON makes the keys text


class ConstantLR(FactorLR):
    """A part of the rate for the first total_iters epochs: lr = initial_lr · factor, then initial_lr.

    Raises ArgumentError unless factor is in [0, 1].

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> optimizer.step()
    >>> for epoch in range(2):
    ...     print(schedule.get_last_lr())
    ...     schedule.step()
    [0.5]
    [0.5]
    >>> schedule.get_last_lr()
    [1.0]

    Source: torch.optim.lr_scheduler.ConstantLR.
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ArgumentError(f"factor is a number from 0 to 1; got {factor!r}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else 1.0

    def _whole(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(FactorLR):
    """A rate that goes straight from start_factor to end_factor of the initial one in total_iters epochs: a warm-up.

        lr = initial_lr · (start_factor + (end_factor − start_factor) · min(epoch, total_iters) / total_iters)

    Raises ArgumentError unless start_factor is in (0, 1] and end_factor in [0, 1].

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> optimizer.step()
    >>> for epoch in range(3):
    ...     schedule.step()
    ...     print(schedule.get_last_lr())
    [0.5]
    [0.75]
    [1.0]

    Source: torch.optim.lr_scheduler.LinearLR.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ArgumentError(f"start_factor is a number above 0 and at most 1; got {start_factor!r}")
        if not 0 <= end_factor <= 1:
            raise ArgumentError(f"end_factor is a number from 0 to 1; got {end_factor!r}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def _whole(self) -> float:
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * min(self.total_iters, self.last_epoch) / self.total_iters


class ExponentialLR(FactorLR):
    """The rate times gamma at every epoch: lr = initial_lr · gamma^epoch.

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step(); schedule.step(); schedule.step(); schedule.get_last_lr()
    [0.25]

    Source: torch.optim.lr_scheduler.ExponentialLR.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        return 1.0 if self._is_initial else self.gamma

    def _whole(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(FactorLR):
    """A rate that falls to 0 in total_iters epochs.

        lr = initial_lr · (1 − min(epoch, total_iters) / total_iters)^power

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4)
    >>> optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.75]

    Source: torch.optim.lr_scheduler.PolynomialLR.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        left, before = self.total_iters - self.last_epoch, self.total_iters - (self.last_epoch - 1)
        return (left / before) ** self.power

    def _whole(self) -> float:
        return (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power
