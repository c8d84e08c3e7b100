"""After a trace: nothing that was made inside may have been kept outside, where later calls would not renew it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any

from pullback.base.errors import TraceError
from pullback.base.trees import Structure, flatten
from pullback.tensor.tensor import Tensor

_DEPTH = 3  # as far as model._buffers["mean"]
_LONGEST = 1_000  # longer containers hold data, not what a step leaves behind


def check_nothing_left_behind(
    function: Callable[..., Any], call: Any, structure: Structure, leaves: Sequence[Any]
) -> None:
    """Raise TraceError when the function changed the containers among its arguments or kept a tensor outside."""
    after, now = flatten(call)
    if now != structure or any(a is not b for a, b in zip(after, leaves, strict=True)):
        raise TraceError(
            "the compiled function put something into a list or dict that it was given, which later calls would not "
            "repeat; return it instead"
        )
    for name, thing in _reachable(function, leaves):
        path = _dead_tensor(thing, name, _DEPTH)
        if path:
            raise TraceError(
                f"the compiled function kept a tensor that it made in {path}, which later calls would not renew; "
                f"return it, or write into a tensor made outside: {path}.copy_(...)"
            )


def _reachable(function: Callable[..., Any], leaves: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The things that a function can assign to besides its own variables, with their names."""
    plain = getattr(function, "__func__", function)
    if isinstance(plain, FunctionType):
        for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # a variable that has no value yet
                yield name, cell.cell_contents
        yield from ((n, plain.__globals__[n]) for n in plain.__code__.co_names if n in plain.__globals__)
    yield from (("self", x) for x in (getattr(function, "__self__", None), function) if hasattr(x, "__dict__"))
    yield from ((type(x).__name__, x) for x in leaves if hasattr(x, "__dict__") and not isinstance(x, Tensor))


def _dead_tensor(thing: Any, path: str, depth: int) -> str:
    """The path of a tensor without numbers at or below this thing; empty when there is none."""
    if isinstance(thing, Tensor):
        return path if thing._value.data is None else ""
    if depth == 0 or isinstance(thing, (type, ModuleType, FunctionType, str, bytes)):
        return ""
    found = (_dead_tensor(part, f"{path}{step}", depth - 1) for step, part in _parts(thing))
    return next((place for place in found if place), "")


def _parts(thing: Any) -> list[tuple[str, Any]]:
    if isinstance(thing, dict):
        parts = [(f"[{key!r}]", part) for key, part in thing.items()] if len(thing) <= _LONGEST else []
    elif isinstance(thing, (list, tuple)):
        parts = [(f"[{i}]", part) for i, part in enumerate(thing)] if len(thing) <= _LONGEST else []
    else:
        parts = [(f".{name}", part) for name, part in getattr(thing, "__dict__", {}).items()]
    return parts
