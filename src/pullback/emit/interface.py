"""What a compiled function takes, keeps and gives, as emitted code names it."""

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from pullback.base.trees import Structure, unflatten
from pullback.emit.literals import quoted
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Traced


class Argument(NamedTuple):
    """A tensor among the arguments: the parameter it came in, how to get at it there, and a name for it."""

    parameter: str
    access: str
    title: str
    tensor: Tensor


class Call(NamedTuple):
    """The arguments of a traced call: those that vary, and those that the program was made for.

    `trees` has the argument that was given for each parameter that takes something that varies.
    """

    varying: list[Argument]
    fixed: dict[str, Any]
    trees: dict[str, Any]

    @property
    def parameters(self) -> list[str]:
        """The parameters that take what varies, in order."""
        return list(self.trees)


def call_of(function: Callable[..., Any], structure: Structure, leaves: Sequence[Any], traced: Traced) -> Call:
    """The arguments of the call that was traced, under the user's names."""
    args, kwargs = unflatten(structure, leaves)
    signature = inspect.signature(function)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    tensors = {id(x) for x in traced.arguments}
    varying: list[Argument] = []
    fixed: dict[str, Any] = {}
    trees: dict[str, Any] = {}
    for name, value in _spread(signature, bound.arguments):
        found = [
            Argument(name, access, title, x) for access, title, x in _leaves(name, name, value) if id(x) in tensors
        ]
        for argument in found:
            if id(argument.tensor) not in {id(known.tensor) for known in varying}:  # one tensor may come twice
                title = unused(argument.title, [known.title for known in varying])
                varying.append(argument._replace(title=title))
        (trees if found else fixed)[name] = value
    return Call(varying, fixed, trees)


def _spread(signature: inspect.Signature, arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each parameter with its argument; `*args` and `**kwargs` one by one."""
    for name, value in arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((f"{name}_{i}", x) for i, x in enumerate(value))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        else:
            yield name, value


def _leaves(access: str, title: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """The leaves of an argument, each with the code that reads it and a name."""
    if isinstance(value, dict):
        parts = [(f"{access}[{_key(key)}]", str(key), x) for key, x in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(f"{access}[{i}]", f"{title}_{i}", x) for i, x in enumerate(value)]
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [(f"{access}.{f.name}", f.name, getattr(value, f.name)) for f in fields(value)]
    else:
        yield access, title, value
        return
    for inner_access, inner_title, x in parts:
        yield from _leaves(inner_access, inner_title, x)


def _key(key: Any) -> str:
    return quoted(key) if isinstance(key, str) else repr(key)


def unused(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it when it is taken."""
    number = 1
    found = name
    while found in taken or found == "file":  # which numpy.savez takes for itself
        number += 1
        found = f"{name}_{number}"
    return found


def tree_text(structure: Structure, leaves: Iterator[str]) -> str:
    """A result as code: its containers around its leaves. Named tuples become tuples, dataclasses namespaces."""
    if structure.kind is None:
        return next(leaves)
    parts = [tree_text(child, leaves) for child in structure.children]
    if structure.kind is list:
        return f"[{', '.join(parts)}]"
    if issubclass(structure.kind, tuple):
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    pairs = list(zip(structure.keys, parts, strict=True))
    if structure.kind is dict:
        return "{" + ", ".join(f"{_key(key)}: {part}" for key, part in pairs) + "}"
    return f"SimpleNamespace({', '.join(f'{key}={part}' for key, part in pairs)})"
