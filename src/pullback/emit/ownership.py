"""What the user calls each tensor: its label, or the path on which a function finds it."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FunctionType, MethodType, ModuleType
from typing import Any

from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import GradientRead

_DEPTH = 5  # how far a path goes: self.layers.0.weight has four parts
_WIDTH = 1000  # longer containers hold data rather than parameters


def _referenced(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The variables from outside that a function uses."""
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # a variable that has not been given a value yet
            continue
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    """What a thing holds, each with the name that leads there."""
    if isinstance(thing, FunctionType):
        yield from _referenced(thing)
    elif isinstance(thing, MethodType):
        yield "self", thing.__self__
        yield "", thing.__func__
    elif isinstance(thing, dict):
        yield from ((str(key), value) for key, value in thing.items() if isinstance(key, (str, int)))
    elif isinstance(thing, (list, tuple)):
        yield from ((str(i), value) for i, value in enumerate(thing))
    elif hasattr(thing, "named_parameters") and not isinstance(thing, type):
        yield from (*thing.named_parameters(), *thing.named_buffers(), *vars(thing).items())
    elif hasattr(thing, "__dict__") and not isinstance(thing, (type, ModuleType, Tensor)):
        yield from vars(thing).items()


def _is_small(thing: Any) -> bool:
    return not isinstance(thing, (dict, list, tuple)) or len(thing) <= _WIDTH


def _is_ours(thing: Any) -> bool:
    """Whether it is of this package and no module, so that no tensor of the user's is to be looked for in it."""
    home = thing.__module__ if isinstance(thing, FunctionType) else type(thing).__module__
    return (home or "").split(".")[0] == __name__.split(".")[0] and not hasattr(thing, "named_parameters")


def find_paths(roots: Iterable[tuple[str, Any]], wanted: Sequence[Tensor]) -> dict[int, str]:
    """The shortest path to each wanted tensor, by its id; those that are not found are left out."""
    missing = {id(x) for x in wanted}
    found: dict[int, str] = {}
    seen: set[int] = set()
    todo = deque((path, thing, 0) for path, thing in roots)
    while todo and missing:
        path, thing, depth = todo.popleft()
        if id(thing) in missing:
            missing.discard(id(thing))
            found[id(thing)] = path
        if id(thing) in seen or depth >= _DEPTH or not _is_small(thing) or _is_ours(thing):
            continue
        seen.add(id(thing))
        for name, part in _parts(thing):
            inner = isinstance(thing, (FunctionType, MethodType))
            todo.append((name if inner else _joined(path, name), part, depth + 1))
    return found


def _joined(path: str, name: str) -> str:
    """`self` and private underscores tell the reader nothing."""
    shown = name.lstrip("_") or name
    return shown if path in ("", "self") else f"{path}.{shown}"


def tensor_names(
    function: Callable[..., Any],
    given: Iterable[tuple[str, Any]],
    tensors: Sequence[Tensor],
    gradients: Sequence[GradientRead] = (),
) -> list[str]:
    """A dotted name for each tensor that a function reads or writes; empty where none is known.

    The name is the tensor's label (a module and an optimiser give one), else the path from the function's own
    variables or from what it was given, else, for a gradient, that of its tensor with `.grad`. `gradients` are those
    that stand-ins among the tensors stand for.
    """
    owning = [read.tensor for read in gradients]
    every = list({id(x): x for x in (*tensors, *owning)}.values())
    paths = find_paths([*given, ("", function)], every)
    labels = Counter(x.label for x in tensors)
    names = {id(x): x.label if labels[x.label] == 1 and x.label else paths.get(id(x), x.label) for x in every}
    owners = {id(x._grad): names[id(x)] for x in every if x._grad is not None and names[id(x)]}
    owners |= {id(read.stand_in): names[id(read.tensor)] for read in gradients if names[id(read.tensor)]}
    return [names[id(x)] or (f"{owners[id(x)]}.grad" if id(x) in owners else "") for x in tensors]
