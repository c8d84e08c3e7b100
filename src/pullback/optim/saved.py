"""Optimisers saved and loaded, in PyTorch's layout."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pullback.base.errors import StateError, suggest
from pullback.optim.hyperparameters import Group, Hyperparameters, is_number, plain
from pullback.optim.slots import Slot
from pullback.tensor.creation import tensor as new_tensor
from pullback.tensor.pointwise import cast_to
from pullback.tensor.tensor import Tensor

State = dict[str, Any]


def pack(groups: Sequence[Group], state: Mapping[Tensor, State]) -> dict[str, Any]:
    """State and groups with the number of each parameter in its place; a snapshot."""
    numbers = {id(p): number for number, p in enumerate(p for group in groups for p in group["params"])}
    return {
        "state": {
            numbers[id(p)]: {name: _snapshot(x) for name, x in kept.items() if not name.startswith("_")}
            for p, kept in state.items()
            if kept and id(p) in numbers
        },
        "param_groups": [
            {key: value for key, value in group.items() if key != "params"}
            | {"params": [numbers[id(p)] for p in group["params"]]}
            for group in groups
        ],
    }


def _snapshot(x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    copy = Tensor(x.value)
    copy.label = x.label
    return copy


def read_groups(saved: Mapping[str, Any], groups: Sequence[Group], defaults: Mapping[str, Any]) -> list[Group]:
    """The saved groups with the parameters of ours in the places of their numbers.

    Raises StateError when the number of groups or of their parameters differs, or hyperparameters are missing.
    """
    if not isinstance(saved, Mapping):
        raise StateError(f"an optimiser's state dict is a dict; got {type(saved).__name__}")
    missing = {"state", "param_groups"} - set(saved)
    if missing:
        raise StateError(
            f"an optimiser's state dict has 'state' and 'param_groups'; {', '.join(sorted(missing))} missing"
        )
    _check_layout(saved)
    found = saved["param_groups"]
    if len(found) != len(groups):
        raise StateError(f"the state dict has {len(found)} parameter groups, this optimiser {len(groups)}")
    for place, (old, new) in enumerate(zip(groups, found, strict=True)):
        if len(old["params"]) != len(new["params"]):
            raise StateError(
                f"group {place} has {len(new['params'])} parameters in the state dict and {len(old['params'])} in this "
                "optimiser; give it the same model"
            )
        # Switches came to PyTorch over the years; a number that is missing tells of another optimiser.
        lost = [name for name, x in defaults.items() if name not in new and not (x is None or isinstance(x, bool))]
        if lost:
            raise StateError(f"group {place} of the state dict lacks {', '.join(lost)}; is it of another optimiser?")
    return [_group(old, new, defaults) for old, new in zip(groups, found, strict=True)]


def _check_layout(saved: Mapping[str, Any]) -> None:
    """Raise StateError unless there are groups with parameters, and state by parameter."""
    groups, state = saved["param_groups"], saved["state"]
    if not isinstance(groups, (list, tuple)) or not all(map(_is_group, groups)):
        raise StateError(
            f"'param_groups' of a state dict is a list of dicts, each with a list 'params'; got {groups!r}"
        )
    if not isinstance(state, Mapping) or not all(isinstance(entry, Mapping) for entry in state.values()):
        raise StateError(f"'state' of a state dict has a dict for each parameter's number; got {type(state).__name__}")


def _is_group(group: Any) -> bool:
    return isinstance(group, Mapping) and isinstance(group.get("params"), (list, tuple))


def _group(old: Group, new: Group, defaults: Mapping[str, Any]) -> Group:
    names = {"param_names": old["param_names"]} if "param_names" in old else {}
    taken = {name: plain(_hashable(x)) if name in defaults else x for name, x in new.items()}
    # A file from before a switch was there was written with it off.
    off = {name: False if isinstance(x, bool) else x for name, x in defaults.items()}
    return {**names, **off, **taken, "params": old["params"]}


def _hashable(x: Any) -> Any:
    # Pairs that went through JSON came back as lists.
    return tuple(x) if isinstance(x, list) else x


def read_state(saved: Mapping[str, Any], groups: Sequence[Group], slots: Sequence[Slot]) -> dict[Tensor, State]:
    """The saved state of each parameter, as tensors of the shapes and dtypes that the slots ask for.

    `groups` are as `read_groups` gave them. Without slots (an optimiser with a step of its own) all is taken as it is.

    Raises StateError for a parameter, a key or a shape that does not fit, and for keys that are missing.
    """
    places = [(p, group) for group in groups for p in group["params"]]
    found: dict[Tensor, State] = {}
    for number, entry in saved["state"].items():
        if not isinstance(number, int) or not 0 <= number < len(places):
            raise StateError(f"the state dict has state for parameter {number!r}; this optimiser has {len(places)}")
        p, group = places[number]
        given = {name: x for name, x in entry.items() if x is not None}
        if given:
            found[p] = _entry(given, p, group, slots, f"parameter {number}") if slots else dict(given)
    return found


def _entry(given: Mapping[str, Any], p: Tensor, group: Group, slots: Sequence[Slot], owner: str) -> State:
    known = {slot.name: slot for slot in slots if not slot.hidden}
    for name in given:
        if name not in known:
            raise StateError(f"{owner} has no state named {name!r}.{suggest(name, known)} Known are {', '.join(known)}")
    switches = Hyperparameters(lambda: group, None)
    lost = [name for name, slot in known.items() if name not in given and switches.on(*slot.when)]
    if lost:
        raise StateError(f"the state dict lacks {', '.join(lost)} of {owner}")
    return {name: _tensor(x, known[name], p, f"{name} of {owner}") for name, x in given.items()}


def _tensor(x: Any, slot: Slot, p: Tensor, owner: str) -> Tensor:
    made = x.detach() if isinstance(x, Tensor) else new_tensor(x if is_number(x) else np.asarray(x))
    if made.shape != slot.shape(p):
        raise StateError(f"{owner} must have the shape {slot.shape(p)}; the state dict has {made.shape}")
    return cast_to(made, slot.dtype(p))


def take_over(state: dict[Tensor, State], found: Mapping[Tensor, State], names: Mapping[Tensor, str]) -> None:
    """Put the loaded state in the place of the present one, into the same tensors where there are any."""
    for p in [p for p in state if p not in found]:
        del state[p]
    for p, entry in found.items():
        present = state.get(p, {})
        loaded = {name: _refilled(present.get(name), x, f"{names[p]}.{name}") for name, x in entry.items()}
        state[p] = loaded | {name: x.zero_() for name, x in present.items() if name.startswith("_")}


def _refilled(present: Any, loaded: Any, label: str) -> Any:
    """The present tensor with the loaded numbers, so that compiled steps go on; the loaded one when none fits."""
    if not isinstance(loaded, Tensor):
        return loaded
    if isinstance(present, Tensor) and present.type_ == loaded.type_:
        present.assign(loaded.value)
        return present
    fresh = Tensor(loaded.value)
    fresh.label = label
    return fresh
