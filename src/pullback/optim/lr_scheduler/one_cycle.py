"""One rise and one fall over the whole training."""

import math
from typing import Any

from pullback.base.errors import ArgumentError
from pullback.optim.lr_scheduler.schedule import LRScheduler, Rates, check_optimizer, per_group
from pullback.optim.optimizer import Optimizer


def _along_cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)


def _along_line(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


_CURVES = {"cos": _along_cosine, "linear": _along_line}


class OneCycleLR(LRScheduler):
    """A rate that rises from max_lr / div_factor to max_lr and falls to a tiny one; momentum does the opposite.

    Stepped after every batch, total_steps times in all (or epochs · steps_per_epoch times).

    max_lr: the highest rate, one for all groups or one for each.
    pct_start: the part of the steps in which the rate rises.
    anneal_strategy: "cos" or "linear", the form of each way.
    cycle_momentum: whether momentum (or β₁) goes from max_momentum down to base_momentum and up again.
    div_factor, final_div_factor: the first rate is max_lr / div_factor, the last one that / final_div_factor.
    three_phase: fall as fast as was risen, to the first rate, then to the last one.

    Raises ArgumentError when the number of steps is unknown or used up, for a pct_start outside [0, 1], another
    anneal_strategy, or cycle_momentum with an optimiser that has neither momentum nor betas.

    >>> import pullback as pb
    >>> optimizer = pb.optim.AdamW([pb.ones(1)])
    >>> schedule = pb.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, pct_start=0.5)
    >>> rates = []
    >>> for step in range(9):
    ...     rates += schedule.get_last_lr()
    ...     optimizer.step(); schedule.step()
    >>> print(f"{rates[0]:.2f} {max(rates):.2f} {rates.index(max(rates))} {schedule.get_last_lr()[0]:.6f}")
    0.04 1.00 4 0.000004

    Source: Smith and Topin 2018, "Super-convergence: Very fast training of neural networks using large learning
    rates"; torch.optim.lr_scheduler.OneCycleLR.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        if not 0 <= pct_start <= 1:
            raise ArgumentError(f"pct_start is a number from 0 to 1; got {pct_start!r}")
        if anneal_strategy not in _CURVES:
            raise ArgumentError(f"anneal_strategy is 'cos' or 'linear'; got {anneal_strategy!r}")
        self.total_steps = _number_of_steps(total_steps, epochs, steps_per_epoch)
        self._schedule_phases = _phases(pct_start, self.total_steps, three_phase)
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = cycle_momentum
        highest = per_group("max_lr", max_lr, optimizer)
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, highest, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
        if cycle_momentum:
            self.use_beta1 = "betas" in optimizer.defaults
            self._start_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _start_momentum(self, optimizer: Optimizer, base: Any, top: Any, last_epoch: int) -> None:
        if not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise ArgumentError(
                f"{type(optimizer).__name__} has neither momentum nor betas to cycle; pass cycle_momentum=False"
            )
        lowest, highest = per_group("base_momentum", base, optimizer), per_group("max_momentum", top, optimizer)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, lowest, highest, strict=True):
                self._write_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low

    def _write_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum

    def get_lr(self) -> Rates:
        """The rates at this step; the momentum of each group is written, too."""
        self._warn_outside_step()
        self._check_groups(len(self.base_lrs))
        if self.last_epoch > self.total_steps:
            raise ArgumentError(
                f"the one cycle has {self.total_steps} steps; this would be step {self.last_epoch}. "
                "Make total_steps the number of batches of the whole training"
            )
        phase, part = self._place()
        curve = _CURVES[self._anneal_func_type]
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(curve(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                self._write_momentum(group, curve(group[phase["start_momentum"]], group[phase["end_momentum"]], part))
        return rates

    def _place(self) -> tuple[dict[str, Any], float]:
        """The phase that this step lies in, and the part of it that is past."""
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if self.last_epoch <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        return phase, (self.last_epoch - start) / (phase["end_step"] - start)


def _number_of_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given = (
        {"total_steps": total_steps}
        if total_steps is not None
        else {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    )
    if None in given.values():
        raise ArgumentError("the one cycle needs total_steps, or epochs and steps_per_epoch")
    steps = 1
    for name, number in given.items():
        if not isinstance(number, int) or number < 1:
            raise ArgumentError(f"{name} is a positive whole number; got {number!r}")
        steps *= number
    return steps


def _phases(pct_start: float, total_steps: int, three_phase: bool) -> list[dict[str, Any]]:
    """Where each phase ends and between which of a group's entries it goes; as PyTorch saves them."""
    rise = _phase(float(pct_start * total_steps) - 1, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))
    if not three_phase:
        return [rise, _phase(total_steps - 1, ("max_lr", "min_lr"), ("base_momentum", "max_momentum"))]
    back = float(2 * pct_start * total_steps) - 2
    return [
        rise,
        _phase(back, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum")),
        _phase(total_steps - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")),
    ]


def _phase(end: float, lr: tuple[str, str], momentum: tuple[str, str]) -> dict[str, Any]:
    keys = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    return dict(zip(keys, (end, *lr, *momentum), strict=True))
