"""The state of an optimiser: a dict of dicts, as in PyTorch, whose changes are counted among the edits of tensors.

A compiled step writes into the very tensors that it found here. It must notice when others take their place, and would
otherwise have to look at each of them before each call.
"""

from collections import defaultdict
from collections.abc import Callable, MutableMapping
from typing import Any

from pullback.ir.mode import edits
from pullback.tensor.tensor import Tensor

_CHANGING = "__setitem__ __delitem__ __ior__ pop popitem clear update setdefault".split()


class ParameterState(dict[str, Tensor]):
    """What is kept for one parameter, by slot name."""


class OptimizerState(defaultdict[Tensor, dict[str, Tensor]]):
    """What is kept for each parameter; empty where nothing is yet. Every dict put in becomes a ParameterState."""

    def __init__(self, make: Callable[[], dict[str, Tensor]] = ParameterState) -> None:
        super().__init__(make)  # copies are made by giving it

    def __setitem__(self, parameter: Tensor, kept: dict[str, Tensor]) -> None:
        super().__setitem__(parameter, kept if isinstance(kept, ParameterState) else ParameterState(kept))

    # Those of dict itself go past __setitem__.
    update = MutableMapping.update
    setdefault = MutableMapping.setdefault

    def __ior__(self, other: Any) -> "OptimizerState":  # type: ignore[misc, override]  # narrower than dict's
        self.update(other)
        return self


def _counted(method: Callable[..., Any]) -> Callable[..., Any]:
    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        edits.count += 1
        return method(self, *args, **kwargs)

    return change


for _kind in (ParameterState, OptimizerState):
    for _name in _CHANGING:
        setattr(_kind, _name, _counted(getattr(_kind, _name)))
