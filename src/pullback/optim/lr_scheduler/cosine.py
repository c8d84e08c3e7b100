"""Schedules along a cosine, with and without restarts."""

import math

from pullback.base.errors import ArgumentError
from pullback.optim.lr_scheduler.schedule import LRScheduler, Rates
from pullback.optim.optimizer import Optimizer


def _height(part: float) -> float:
    """1 + cos(π · part): 2 at the beginning of a half wave, 0 at its end."""
    return 1 + math.cos(math.pi * part)


class CosineAnnealingLR(LRScheduler):
    """A rate that falls along half a cosine to eta_min in T_max epochs (and rises again after).

        lr = eta_min + ½ · (initial_lr − eta_min) · (1 + cos(π · epoch / T_max))

    `step()` makes it from the present rate, so that other schedules can work on it, too.

    Raises ArgumentError unless T_max is positive.

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> optimizer.step(); schedule.step(); schedule.step()
    >>> print(f"{schedule.get_last_lr()[0]:.4f}")
    0.5000

    Source: Loshchilov and Hutter 2017, "SGDR: Stochastic gradient descent with warm restarts", eq. 5, without the
    restarts; torch.optim.lr_scheduler.CosineAnnealingLR.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if T_max <= 0:
            raise ArgumentError(f"T_max is a positive number of epochs; got {T_max!r}")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        """The present rates moved along the cosine by one epoch."""
        self._warn_outside_step()
        if self._is_initial:
            return self._present()
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # at the bottom there is no ratio
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            self._check_groups(len(self.base_lrs))
            present = zip(self._present(), self.base_lrs, strict=True)
            return [lr + (base - self.eta_min) * rise for lr, base in present]
        ratio = _height(self.last_epoch / self.T_max) / _height((self.last_epoch - 1) / self.T_max)
        return [ratio * (lr - self.eta_min) + self.eta_min for lr in self._present()]

    def _get_closed_form_lr(self) -> Rates:
        height = _height(self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """A rate that falls along half a cosine, again and again, each time over T_mult times as many epochs.

        lr = eta_min + ½ · (initial_lr − eta_min) · (1 + cos(π · T_cur / T_i))

    T_cur counts epochs since the last restart; T_i is T_0 at first and T_mult times longer after each restart.
    `step(epoch)` takes parts of epochs, too, as in `step(epoch + batch / batches)`.

    Raises ArgumentError unless T_0 and T_mult are positive whole numbers and the epoch is not negative.

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> optimizer.step()
    >>> for epoch in range(2):
    ...     schedule.step()
    ...     print(f"{schedule.get_last_lr()[0]:.4f}")
    0.5000
    1.0000

    Source: Loshchilov and Hutter 2017, "SGDR: Stochastic gradient descent with warm restarts", eq. 5;
    torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, given in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(given, int) or given < 1:
                raise ArgumentError(f"{name} is a positive whole number; got {given!r}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        """The rates at T_cur of the present cycle."""
        self._warn_outside_step()
        height = _height(self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None and self.last_epoch >= 0:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
            super()._update_lr()
        else:
            whole = math.floor(self._go_to(0 if epoch is None else epoch))
            super()._update_lr(whole)

    def _go_to(self, epoch: float) -> float:
        """Find the cycle that this epoch lies in."""
        if epoch < 0:
            raise ArgumentError(f"epochs count from 0; got {epoch!r}")
        cycle = 0
        start = 0
        while epoch >= start + self.T_0 * self.T_mult**cycle:
            start += self.T_0 * self.T_mult**cycle
            cycle += 1
        self.T_cur, self.T_i = epoch - start, self.T_0 * self.T_mult**cycle
        return epoch
