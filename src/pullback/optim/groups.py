"""Parameter groups: what an optimiser is given, brought into one form and checked."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pullback.base.errors import ArgumentError, DTypeError, TraceError
from pullback.ir.mode import mode
from pullback.optim.hyperparameters import Group, plain
from pullback.tensor.tensor import Tensor

# Tensors, (name, tensor) pairs such as `model.named_parameters()` gives, or dicts with "params" and options.
Params = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]

# What schedules keep in a group, beside the optimiser's own hyperparameters.
SCHEDULED = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")


class ParameterGroup(dict[str, Any]):
    """A parameter group in its optimiser: a dict that refuses to be edited while a function is being compiled.

    Such an edit would happen once, when the function is traced, and be missing from every later call.
    """

    def __setitem__(self, name: str, value: Any) -> None:
        if mode.recorder is not None:
            raise TraceError(
                f"a compiled function sets {name!r} of a parameter group, which would happen once, when it is traced, "
                "and never again; set it outside: the learning rate is state, and changing it compiles nothing"
            )
        super().__setitem__(name, value)


def as_groups(params: Params) -> list[Group]:
    """The parameters as a list of groups.

    Raises ArgumentError when there are none, DTypeError for a single tensor, a module, a dict and a set.
    """
    if isinstance(params, Tensor):
        raise DTypeError("an optimiser needs a list of tensors or of dicts; got one tensor: write [tensor]")
    if hasattr(params, "parameters"):
        raise DTypeError("an optimiser needs a list of tensors or of dicts; got a module: write model.parameters()")
    if isinstance(params, Mapping):
        remedy = "[group]" if "params" in params else "list(tensors.values())"
        raise DTypeError(f"an optimiser needs a list of tensors or of dicts; got one dict: write {remedy}")
    items = _in_order(params)
    if not items:
        raise ArgumentError(
            "an optimiser needs at least one parameter; got an empty list. "
            "Was the iterator used up before, or does the model have no parameters?"
        )
    return items if isinstance(items[0], Mapping) else [{"params": items}]


def _in_order(params: Any) -> list[Any]:
    if isinstance(params, (set, frozenset)):
        raise DTypeError("parameters must stand in an order, the same in every run; got a set: pass a list")
    return list(params)


def complete_group(given: Any, defaults: Mapping[str, Any]) -> Group:
    """The group with its tensors listed, their names beside them when known, and the defaults filled in.

    Raises DTypeError for what is no group or no tensor, ArgumentError for names that are incomplete or misspelt.
    """
    if not isinstance(given, Mapping):
        raise DTypeError(f"a parameter group is a dict with 'params'; got {type(given).__name__}")
    if "params" not in given:
        raise ArgumentError(f"a parameter group needs 'params'; got the keys {', '.join(map(repr, given))}")
    _check_spelling(given, defaults)
    tensors, names = _tensors_and_names(given["params"])
    group = {**given, "params": tensors}
    if names:
        group["param_names"] = names
    whole = group | _missing(group, defaults)
    return ParameterGroup({name: plain(value) if name in defaults else value for name, value in whole.items()})


def _missing(group: Group, defaults: Mapping[str, Any]) -> Group:
    return {name: value for name, value in defaults.items() if name not in group}


def _check_spelling(group: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    for name in set(group) - set(defaults) - {"params", "param_names", *SCHEDULED}:
        near = get_close_matches(name, defaults, n=1, cutoff=0.85)
        if near:
            raise ArgumentError(f"the parameter group has {name!r}, which no rule reads; did you mean {near[0]!r}?")


def _tensors_and_names(params: Any) -> tuple[list[Tensor], list[str]]:
    items = [params] if isinstance(params, Tensor) else _in_order(params)
    names = [item[0] for item in items if isinstance(item, tuple)]
    if names and len(names) != len(items):
        raise ArgumentError(f"either all parameters of a group have names or none; {len(names)} of {len(items)} have")
    tensors = [item[1] if isinstance(item, tuple) else item for item in items]
    for place, tensor in enumerate(tensors):
        _check_parameter(tensor, f"parameter {names[place] if names else place}")
    return tensors, names


def _check_parameter(tensor: Any, name: str) -> None:
    if not isinstance(tensor, Tensor):
        raise DTypeError(f"an optimiser updates tensors; {name} is {type(tensor).__name__}")
    if not tensor.is_leaf:
        raise ArgumentError(
            f"{name} is the result of other tensors, so updating it would change nothing that lasts; "
            "give the leaves that it is made from, or call .detach().requires_grad_() on it"
        )


def check_new_group(group: Group, groups: list[Group]) -> None:
    """Raise ArgumentError when a parameter appears twice, or when only some groups carry names."""
    tensors = [tensor for known in (*groups, group) for tensor in known["params"]]
    if len({id(tensor) for tensor in tensors}) != len(tensors):
        raise ArgumentError("a parameter appears twice; each is updated once a step: leave one of them out")
    if groups and ("param_names" in group) != ("param_names" in groups[0]):
        raise ArgumentError("either all parameter groups carry names or none; make both with named_parameters()")
