"""Modules made of modules, and lists of parameters."""

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, suggest
from pullback.nn.module import Module, indented
from pullback.nn.parameter import Parameter
from pullback.tensor.tensor import Tensor


def _place(owner: Any, index: Any) -> int:
    """An index counted from the front; IndexOutOfRange when there is nothing there."""
    place = operator.index(index)
    if not -len(owner) <= place < len(owner):
        raise IndexOutOfRange(f"index {place} is out of range for a {type(owner).__name__} of {len(owner)}")
    return place % len(owner)


def _no_forward(self: Module, *args: Any, **kwargs: Any) -> Any:
    """Raise NotImplementedError: in what order its modules run is for the module that holds it to say."""
    raise NotImplementedError(
        f"{type(self).__name__} has no forward: call the modules that it holds, or use nn.Sequential to run "
        "them in order"
    )


class _Numbered(Module):
    """Modules under the names "0", "1", …, used like a list."""

    def _items(self) -> list[Any]:
        return list(self._modules.values())

    def _renumber(self, modules: Iterable[Any]) -> None:
        items = list(modules)
        for item in items:
            if not isinstance(item, Module):
                raise DTypeError(f"{type(self).__name__} holds modules; got {type(item).__name__}")
        for name in list(self._modules):
            delattr(self, name)
        for i, module in enumerate(items):
            self.register_module(str(i), module)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())

    def __contains__(self, module: object) -> bool:
        return any(module is item for item in self._items())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(*self._slice_arguments(dict(list(self._modules.items())[index])))
        return self._items()[_place(self, index)]

    def _slice_arguments(self, part: dict[str, Any]) -> tuple[Any, ...]:
        return (part.values(),)

    def __setitem__(self, index: Any, module: Module) -> None:
        self.register_module(list(self._modules)[_place(self, index)], module)

    def __delitem__(self, index: Any) -> None:
        kept = self._items()
        del kept[index if isinstance(index, slice) else _place(self, index)]
        self._renumber(kept)

    def append(self, module: Module) -> Self:
        """Put a module at the end; the container itself."""
        self.register_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Put modules at the end; the container itself."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at this index; the container itself."""
        items = self._items()
        items.insert(index, module)
        self._renumber(items)
        return self

    def pop(self, index: int = -1) -> Any:
        """Take a module out; that module."""
        found = self[index]
        del self[index]
        return found

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, modules: Iterable[Module]) -> Any:
        joined = type(self)()
        return joined.extend([*self, *modules])


class Sequential(_Numbered):
    """Modules one after the other: each takes the output of the one before.

    Given as arguments, or as one ordered dict of names and modules. A slice is a Sequential of the same modules.

    Raises DTypeError for what is no module, IndexOutOfRange for a place that does not exist.

    >>> import pullback as pb
    >>> net = pb.nn.Sequential(pb.nn.Linear(3, 2), pb.nn.ReLU())
    >>> net(pb.zeros(5, 3)).shape
    (5, 2)
    >>> net[:1]
    Sequential(
      (0): Linear(in_features=3, out_features=2, bias=True)
    )

    Source: torch.nn.Sequential.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], Mapping) else enumerate(args)
        for name, module in named:
            self.register_module(str(name), module)

    def forward(self, input: Any) -> Any:
        """Run the modules in order."""
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]  # a place in a Sequential is never None
        return input

    def _slice_arguments(self, part: dict[str, Any]) -> tuple[Any, ...]:
        return (part,)

    def __delitem__(self, index: Any) -> None:
        names = list(self._modules)
        for name in names[index] if isinstance(index, slice) else [names[_place(self, index)]]:
            delattr(self, name)
        if all(name.isdigit() for name in names):
            self._renumber(self._items())


class ModuleList(_Numbered):
    """Modules in a list that the tree knows. It has no forward of its own.

    >>> import pullback as pb
    >>> layers = pb.nn.ModuleList(pb.nn.Linear(2, 2) for _ in range(3))
    >>> layers
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    >>> [name for name, _ in layers.named_parameters()][:2]
    ['0.weight', '0.bias']

    Source: torch.nn.ModuleList.
    """

    forward = _no_forward

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __repr__(self) -> str:
        groups: list[tuple[int, int, str]] = []  # first, last, text
        for i, text in enumerate(map(repr, self)):
            if groups and groups[-1][2] == text:
                groups[-1] = (groups[-1][0], i, text)
            else:
                groups.append((i, i, text))
        lines = [
            f"({a}): {indented(text)}" if a == b else f"({a}-{b}): {b - a + 1} x {indented(text)}"
            for a, b, text in groups
        ]
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)" if lines else f"{type(self).__name__}()"


class ModuleDict(Module):
    """Modules under names of one's own, in a dict that the tree knows. It has no forward of its own.

    Raises KeyError, with the nearest name, for one that is not there.

    >>> import pullback as pb
    >>> heads = pb.nn.ModuleDict({"sex": pb.nn.Linear(4, 2), "age": pb.nn.Linear(4, 1)})
    >>> list(heads), heads["age"](pb.zeros(4)).shape
    (['sex', 'age'], (1,))

    Source: torch.nn.ModuleDict.
    """

    forward = _no_forward

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update({} if modules is None else modules)

    def __getitem__(self, key: str) -> Any:
        if key not in self._modules:
            raise KeyError(f"there is no module {key!r}.{suggest(str(key), self._modules)}")
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, module)

    def __delitem__(self, key: str) -> None:
        self[key]  # a KeyError with a suggestion where there is none
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add modules from a dict, or from pairs of name and module."""
        for name, module in modules.items() if hasattr(modules, "items") else modules:
            self[name] = module

    def pop(self, key: str) -> Any:
        """Take a module out; that module."""
        found = self[key]
        del self[key]
        return found

    def clear(self) -> None:
        """Take all modules out."""
        for name in list(self._modules):
            del self[name]


class ParameterList(Module):
    """Parameters in a list that the tree knows; tensors that are put in become parameters.

    >>> import pullback as pb
    >>> weights = pb.nn.ParameterList([pb.zeros(2), pb.zeros(3)])
    >>> [(name, p.shape) for name, p in weights.named_parameters()]
    [('0', (2,)), ('1', (3,))]

    Source: torch.nn.ParameterList (of parameters alone).
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __getitem__(self, index: Any) -> Any:
        items = list(self._parameters.values())
        return type(self)(items[index]) if isinstance(index, slice) else items[_place(self, index)]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.register_parameter(str(_place(self, index)), _as_parameter(value))

    def append(self, value: Any) -> Self:
        """Put a parameter at the end; the list itself."""
        self.register_parameter(str(len(self)), _as_parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Put parameters at the end; the list itself."""
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """Shape and dtype of each."""
        return "\n".join(f"({i}): Parameter {p.type_}" for i, p in enumerate(self))


def _as_parameter(value: Any) -> Parameter:
    if not isinstance(value, Tensor):
        raise ArgumentError(f"a ParameterList holds tensors; got {type(value).__name__}")
    return value if isinstance(value, Parameter) else Parameter(value)
