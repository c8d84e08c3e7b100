"""Loading a state dict: every fault is found and told before anything is written."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pullback.base.errors import DTypeError, StateError, suggest
from pullback.ir.node import Value
from pullback.tensor.creation import tensor
from pullback.tensor.promotion import convert
from pullback.tensor.tensor import Tensor


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` gives: the keys that the module has and the state dict lacks, and the other way round."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def load_state(owner: str, own: Mapping[str, Tensor], given: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """Write the given numbers into the tensors of the same name, in these tensors' dtypes; all of them or none.

    Raises StateError with one line per fault: missing and unexpected keys when strict, wrong shapes always.
    """
    if not isinstance(given, Mapping):
        raise DTypeError(f"a state dict maps names to tensors; got {type(given).__name__}")
    found = {name: _as_tensor(name, given[name]) for name in own if name in given}
    keys = IncompatibleKeys([n for n in own if n not in given], [n for n in given if n not in own])
    faults = _key_faults(keys) if strict else []
    faults += _shape_faults(own, found)
    if faults:
        listed = "\n  ".join(faults)
        raise StateError(f"the state dict does not fit {owner}; nothing was loaded:\n  {listed}")
    for name, source in found.items():
        own[name].refill(_plain(source, own[name]))
    return keys


def _as_tensor(name: str, item: Any) -> Tensor:
    if isinstance(item, Tensor):
        return item
    if not hasattr(item, "__array__"):
        raise DTypeError(f"the state dict holds {type(item).__name__} under {name!r}; it must be a tensor or an array")
    return tensor(np.asarray(item))


def _plain(source: Tensor, target: Tensor) -> Value:
    return convert(source.detach().value, target.dtype)


def _key_faults(keys: IncompatibleKeys) -> list[str]:
    return [
        *(f"missing key {n!r}.{suggest(n, keys.unexpected_keys)}" for n in keys.missing_keys),
        *(f"unexpected key {n!r}.{suggest(n, keys.missing_keys)}" for n in keys.unexpected_keys),
    ]


def _shape_faults(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    return [
        f"wrong shape for {name!r}: the module has {own[name].shape}, the state dict {source.shape}."
        for name, source in found.items()
        if source.shape != own[name].shape
    ]
