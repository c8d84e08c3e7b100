"""The base of all schedules: counting epochs, writing learning rates into the optimiser, saving and loading."""

import warnings
from collections.abc import Mapping
from typing import Any

from pullback.base.errors import ArgumentError, DTypeError, StateError, TraceError, suggest
from pullback.ir.mode import mode
from pullback.optim.optimizer import Optimizer

Rates = list[float]


class LRScheduler:
    """The base of all schedules: after each epoch (or step) `step()` writes new learning rates into the optimiser.

    A schedule of your own overrides `get_lr()`: the rates at `self.last_epoch`, one for each parameter group, as a
    rule made from the present `group["lr"]`, so that several schedules can work on one optimiser. `self.base_lrs` are
    the rates at the beginning. `_get_closed_form_lr()`, where there is one, gives the rates of any epoch at once; it
    is used by `step(epoch)`.

    last_epoch: the epoch to go on from; -1 starts anew, and the optimiser's present rates become `initial_lr`.

    Stepping a schedule traces no compiled step anew: rates are read at each call.

    Raises DTypeError for what is no optimiser, ArgumentError for a last_epoch without initial_lr in the groups,
    TraceError inside a compiled function: step schedules after the compiled step.

    >>> import pullback as pb
    >>> class Halving(pb.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base / 2**self.last_epoch for base in self.base_lrs]
    >>> optimizer = pb.optim.SGD([pb.ones(1)], lr=0.5)
    >>> schedule = Halving(optimizer)
    >>> optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.25]

    Source: torch.optim.lr_scheduler.LRScheduler.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(optimizer)
        for place, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ArgumentError(
                    f"going on from last_epoch={last_epoch} needs 'initial_lr' in every parameter group; group {place} "
                    "has none. Load the optimiser's state dict first, or start with last_epoch=-1"
                )
        self.base_lrs: Rates = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        """Write the rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch, or to the given one, and write its rates; after `optimizer.step()`.

        Warns when the optimiser has not stepped before, for then its first rate would never be used.
        """
        refuse_while_recording(f"{type(self).__name__}.step()")
        if self._step_count == 1 and not _has_stepped(self.optimizer):
            warnings.warn(
                "lr_scheduler.step() was called before optimizer.step(), so that the first learning rate of the "
                "schedule is never used; call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
        self._get_lr_called_within_step = True
        try:
            rates = closed() if closed is not None else self.get_lr()
        finally:
            self._get_lr_called_within_step = False
        self._write(rates)

    def _check_groups(self, made_for: int) -> None:
        """Raise ArgumentError when parameter groups were added since the schedule was made for fewer."""
        now = len(self.optimizer.param_groups)
        if made_for != now:
            groups = "1 group" if made_for == 1 else f"{made_for} groups"
            raise ArgumentError(
                f"{type(self).__name__} was made for {groups}, there are {now} now: make the schedule after "
                "add_param_group, with last_epoch= to go on from"
            )

    def _write(self, rates: Rates) -> None:
        self._check_groups(len(rates))
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = self._present()

    def _present(self) -> Rates:
        """The rates that the optimiser has now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def get_last_lr(self) -> Rates:
        """The learning rates last written, one for each parameter group."""
        return self._last_lr

    def get_lr(self) -> Rates:
        """The rates of `last_epoch`, made from the present ones; use `get_last_lr()` to look at them."""
        raise NotImplementedError(f"{type(self).__name__} needs a method get_lr(self)")

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "get_lr() computes the next learning rates; get_last_lr() gives those in use", UserWarning, stacklevel=3
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, under PyTorch's keys."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the schedule that was saved had come to.

        Load the optimiser's state dict, too: the rates themselves stand there.

        Raises StateError for keys that this schedule does not have, or has and does not find.
        """
        refuse_while_recording(f"{type(self).__name__}.load_state_dict()")
        known = self.state_dict()
        # Private keys, and "verbose", came and went over PyTorch's versions.
        strange = [key for key in state_dict if key not in known and not key.startswith("_") and key != "verbose"]
        if strange:
            raise StateError(
                f"{type(self).__name__} has no {strange[0]!r}.{suggest(strange[0], known)} "
                "Is this the state of another schedule?"
            )
        lost = [key for key in known if key not in state_dict and not key.startswith("_")]
        if lost:
            raise StateError(f"the state dict of {type(self).__name__} lacks {', '.join(lost)}")
        self.__dict__.update({key: value for key, value in state_dict.items() if key in known})


def refuse_while_recording(asked: str) -> None:
    """Raise TraceError within a compiled function. `asked` is the call that would happen once, at the trace."""
    if mode.recorder is not None:
        raise TraceError(
            f"a compiled function calls {asked}, which would happen once, when it is traced, and never again; step "
            "schedules after the compiled step; the learning rate is state, and changing it compiles nothing"
        )


def check_optimizer(optimizer: Any) -> Optimizer:
    """The optimiser itself; DTypeError when it is none."""
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(f"a schedule needs an optimiser; got {type(optimizer).__name__}")
    return optimizer


def _has_stepped(optimizer: Optimizer) -> bool:
    """Whether `step()` was called; unknown, and taken to be so, for an optimiser with a step of its own."""
    return optimizer._has_stepped or type(optimizer).step is not Optimizer.step


def per_group(name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """One value for each parameter group: the given list, or the given value for all.

    Raises ArgumentError for a list of another length.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ArgumentError(f"{name} is one value or one for each of the {groups} parameter groups; got {len(value)}")
    return list(value)
