"""The numbers and switches that steer an update: checked when given, read so that a change compiles nothing anew."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pullback.base.errors import ArgumentError, DTypeError
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import live_number, watched

Group = dict[str, Any]


def _not_negative(x: Any) -> bool:
    return is_number(x) and x >= 0


def _rates(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and len(x) == 2 and all(is_number(b) and 0 <= b < 1 for b in x)


_NOT_NEGATIVE = (
    "lr lr_decay momentum weight_decay eps initial_accumulator_value momentum_decay alpha lambd t0"
).split()
_REQUIRED: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(_NOT_NEGATIVE, (_not_negative, "a number that is at least 0")),
    "betas": (_rates, "two numbers in [0, 1)"),
    "rho": (lambda x: is_number(x) and 0 <= x <= 1, "a number in [0, 1]"),
    "dampening": (lambda x: is_number(x), "a number"),
    "differentiable": (lambda x: not x, "False: steps are not differentiated; write the update with tensors instead"),
}


def is_number(x: Any) -> bool:
    """Whether x is a Python or NumPy number (a bool is none)."""
    return isinstance(x, (int, float, np.number)) and not isinstance(x, bool)


def plain(value: Any) -> Any:
    """The hyperparameter as plain Python: a tensor with one element becomes a number."""
    if isinstance(value, Tensor):
        return value.item()
    return tuple(plain(x) for x in value) if isinstance(value, tuple) else value


def check_hyperparameters(group: Mapping[str, Any], owner: str) -> None:
    """Raise ArgumentError, or DTypeError for what is no number, when a hyperparameter is outside its range."""
    for name, value in group.items():
        if name in _REQUIRED and not _REQUIRED[name][0](value):
            wrong = ArgumentError if is_number(value) or isinstance(value, (tuple, list, bool)) else DTypeError
            raise wrong(f"{owner}: {name} must be {_REQUIRED[name][1]}; got {value!r}")


class Hyperparameters:
    """The hyperparameters of one parameter group, as an update rule reads them.

    `h["lr"]` is a float64 tensor without dims. Inside a compiled step it is an input that is read anew at each call.
    `h.on("nesterov")` and `h.choice("ns_steps")` decide which ops are recorded: another answer is another program.
    """

    def __init__(self, group: Callable[[], Group], key: Any) -> None:
        self._group = group
        self._key = key
        self._numbers: dict[Any, Tensor] = {}
        self._switches: dict[str, bool] = {}

    def __getitem__(self, name: str) -> Tensor:
        return self._number(name, name, lambda: self._group()[name])

    def pair(self, name: str) -> tuple[Tensor, Tensor]:
        """The two numbers of a pair such as betas."""
        one = name.removesuffix("s")
        first = self._number((name, 0), f"{one}1", lambda: self._group()[name][0])
        return first, self._number((name, 1), f"{one}2", lambda: self._group()[name][1])

    def _number(self, key: Any, label: str, read: Callable[[], float]) -> Tensor:
        if key not in self._numbers:
            number = live_number(read)
            number.value.name = label  # as programs and emitted code call it
            number.is_number = False  # so that bias corrections and the like are computed in float64
            self._numbers[key] = number
        return self._numbers[key]

    def on(self, *names: str) -> bool:
        """Whether all of these are switched on, or are not 0."""
        return all(self._is_on(name) for name in names)

    def _is_on(self, name: str) -> bool:
        return self._switches.setdefault(name, bool(self._group().get(name)))

    def watch(self) -> None:
        """Have a compiled step traced anew when a switch that was looked at is turned, or the group has other size."""
        watched(_Switches(self._group, tuple(self._switches)).read, (self._key, "switches"))

    def choice(self, name: str) -> Any:
        """One of a few values, on which the course of the update depends."""
        return watched(lambda: self._group()[name], (self._key, name))

    def at_start(self, name: str) -> float:
        """The number as it is now, for state that begins with it."""
        return float(self._group()[name])


class _Switches:
    """Whether hyperparameters are on, read again and again, and how many parameters the group has."""

    def __init__(self, group: Callable[[], Group], names: tuple[str, ...]) -> None:
        self._group, self._names = group, names
        self._seen: list[Any] = []
        self._answer: list[Any] = []

    def read(self) -> list[Any]:
        """One answer for each name, then the number of parameters."""
        group = self._group()
        now = list(map(group.get, self._names))
        now.append(len(group["params"]))
        if now != self._seen:
            self._seen, self._answer = now, [*map(bool, now[:-1]), now[-1]]
        return self._answer
