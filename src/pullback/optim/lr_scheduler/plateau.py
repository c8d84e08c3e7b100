"""A schedule that looks at what training reaches."""

import math
from collections.abc import Mapping
from typing import Any, SupportsFloat

from pullback.base.errors import ArgumentError
from pullback.optim.lr_scheduler.schedule import LRScheduler, check_optimizer, per_group, refuse_while_recording
from pullback.optim.optimizer import Optimizer

_BETTER = {
    ("min", "rel"): lambda a, best, threshold: a < best * (1.0 - threshold),
    ("min", "abs"): lambda a, best, threshold: a < best - threshold,
    ("max", "rel"): lambda a, best, threshold: a > best * (1.0 + threshold),
    ("max", "abs"): lambda a, best, threshold: a > best + threshold,
}


class ReduceLROnPlateau(LRScheduler):
    """The rate times factor whenever a metric has not got better for more than `patience` epochs.

    mode: "min" when smaller is better, "max" when larger is.
    threshold, threshold_mode: what counts as better: by more than threshold · best ("rel") or threshold ("abs").
    cooldown: epochs after a reduction in which nothing is counted.
    min_lr: rates do not fall below, one for all groups or one for each.
    eps: a reduction by less than this is not made.

    `step(metric)` takes a number or a tensor with one element.

    Raises ArgumentError unless factor is below 1, and for an unknown mode.

    >>> import pullback as pb
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=1.0)
    >>> schedule = pb.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    ...     print(schedule.get_last_lr())
    [1.0]
    [1.0]
    [1.0]
    [0.5]

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ArgumentError(f"factor is below 1, so that the rate falls; got {factor!r}")
        if (mode, threshold_mode) not in _BETTER:
            raise ArgumentError(
                f"mode is 'min' or 'max' and threshold_mode 'rel' or 'abs'; got {mode!r} and {threshold_mode!r}"
            )
        self.optimizer = check_optimizer(optimizer)
        self.factor = factor
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = per_group("min_lr", min_lr, optimizer)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = self._present()
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether bad epochs are not counted at present."""
        return self.cooldown_counter > 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]  # as in PyTorch
        """Take note of an epoch's metric, and reduce the rates when it is time."""
        refuse_while_recording("ReduceLROnPlateau.step()")
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if _BETTER[self.mode, self.threshold_mode](current, self.best, self.threshold):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._present()

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):  # groups were added since
            if self.default_min_lr is None:
                raise ArgumentError(
                    f"min_lr was given for {len(self.min_lrs)} parameter groups, and there are {len(groups)} now; "
                    "set min_lrs to one for each"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, lowest in zip(groups, self.min_lrs, strict=True):
            reduced = max(group["lr"] * self.factor, lowest)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the schedule that was saved had come to."""
        super().load_state_dict(state_dict)
        self.mode_worse = math.inf if self.mode == "min" else -math.inf
