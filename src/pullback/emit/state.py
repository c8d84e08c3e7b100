"""The keys of what a compiled function keeps from call to call: parameters, buffers, the optimiser's state."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pullback.emit.interface import Call, unused
from pullback.emit.ownership import tensor_names
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Traced


def state_keys(function: Callable[..., Any], call: Call, traced: Traced) -> dict[int, str]:
    """The key of each tensor that the function reads or writes besides its arguments, by the tensor's id.

    Tensors that nothing leads to and that are never written were made inside the function: they have no key.
    """
    given = {id(x) for x in traced.arguments}
    written = [w.tensor for w in traced.writes] + [g.tensor for g in traced.grad_writes]
    tensors = list({id(x): x for x in (*traced.state, *written) if id(x) not in given}.values())
    found = _names(function, call, tensors, traced)
    lifted = dict(zip(map(id, traced.state), (v.name for v in _state_inputs(traced)), strict=True))
    changed = {id(x) for x in written} | {id(read.stand_in) for read in traced.gradients}
    parameters = updated_parameters(traced, found)
    keys: dict[int, str] = {}
    for x in tensors:
        if found[id(x)] or id(x) in changed:
            name = found[id(x)] or lifted.get(id(x)) or "tensor"
            keys[id(x)] = unused(_of_parameter(x, name, parameters), keys.values())
    return keys


def _names(function: Callable[..., Any], call: Call, tensors: Sequence[Tensor], traced: Traced) -> dict[int, str]:
    roots = [(argument.title, argument.tensor) for argument in call.varying] + list(call.fixed.items())
    return dict(zip(map(id, tensors), tensor_names(function, roots, tensors, traced.gradients), strict=True))


def _state_inputs(traced: Traced) -> Sequence[Any]:
    first = len(traced.arguments)
    return traced.program.inputs[first : first + len(traced.state)]


def updated_parameters(traced: Traced, names: dict[int, str]) -> dict[str, str]:
    """For what an optimiser calls a parameter, which may be its number alone, the parameter's key."""
    pairs = {}
    for write in traced.writes:
        node = traced.program.outputs[write.output].node
        name = names.get(id(write.tensor), "")
        if node is not None and node.origin.phase == "update" and write.tensor._value.requires_grad and name:
            pairs[name] = node.origin.detail
    counts = Counter(pairs.values())
    return {detail: name for name, detail in pairs.items() if counts[detail] == 1}


def _of_parameter(tensor: Tensor, name: str, parameters: dict[str, str]) -> str:
    """`w.exp_avg` for state that the optimiser, which knows the parameter by its number, calls `0.exp_avg`."""
    for detail, parameter in parameters.items():
        if name == tensor.label and name.startswith(f"{detail}."):
            return parameter + name[len(detail) :]
    return name
