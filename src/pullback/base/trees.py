"""Trees: nested dicts, lists, tuples and dataclasses as a flat list of leaves and a structure to put them back."""

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Structure:
    """The shape of a tree without its leaves. Equal structures compare and hash equal."""

    kind: type | None  # None for a leaf
    keys: tuple[Hashable, ...] = ()
    children: tuple["Structure", ...] = ()

    @property
    def leaves(self) -> int:
        """The number of leaves."""
        return 1 if self.kind is None else sum(child.leaves for child in self.children)


LEAF = Structure(None)


def _split(tree: Any) -> tuple[tuple[Hashable, ...], list[Any]] | None:
    """Keys and children of a container; None for a leaf."""
    kind = type(tree)
    if kind is dict:
        return tuple(tree), list(tree.values())
    if kind is list or isinstance(tree, tuple):
        return tuple(range(len(tree))), list(tree)
    if dataclasses.is_dataclass(kind) and not kind.__dict__.get("_is_leaf", False):
        names = tuple(f.name for f in dataclasses.fields(kind))
        return names, [getattr(tree, name) for name in names]
    return None


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a tree from left to right, and its structure.

    >>> leaves, structure = flatten({"a": 1, "b": [2, 3]})
    >>> leaves, unflatten(structure, leaves)
    ([1, 2, 3], {'a': 1, 'b': [2, 3]})
    """
    parts = _split(tree)
    if parts is None:
        return [tree], LEAF
    keys, children = parts
    flat = [flatten(child) for child in children]
    leaves = [leaf for part, _ in flat for leaf in part]
    return leaves, Structure(type(tree), keys, tuple(structure for _, structure in flat))


def unflatten(structure: Structure, leaves: Sequence[Any]) -> Any:
    """The tree of this structure with these leaves; inverse of `flatten`."""
    return _build(structure, iter(leaves))


def _build(structure: Structure, leaves: Any) -> Any:
    kind = structure.kind
    if kind is None:
        return next(leaves)
    children = [_build(child, leaves) for child in structure.children]
    if kind is dict:
        return dict(zip(structure.keys, children, strict=True))
    if kind is list:
        return children
    if kind is tuple:
        return tuple(children)
    if issubclass(kind, tuple):  # a named tuple
        return kind(*children)
    return kind(**dict(zip(map(str, structure.keys), children, strict=True)))


def tree_map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The tree with `function` applied to each leaf, together with the matching leaves of the others.

    Raises ValueError when another tree has another structure.

    >>> tree_map(lambda a, b: a + b, {"x": 1}, {"x": 2})
    {'x': 3}
    """
    leaves, structure = flatten(tree)
    columns = [leaves]
    for other in others:
        more, same = flatten(other)
        if same != structure:
            raise ValueError(f"trees differ in structure: {structure} and {same}")
        columns.append(more)
    return unflatten(structure, [function(*row) for row in zip(*columns, strict=True)])


def leaf_paths(structure: Structure, prefix: str = "") -> list[str]:
    """The dotted path of each leaf, such as `layers.0.weight`.

    >>> leaf_paths(flatten({"a": 1, "b": [2, 3]})[1])
    ['a', 'b.0', 'b.1']
    """
    if structure.kind is None:
        return [prefix]
    dot = "." if prefix else ""
    pairs = zip(structure.keys, structure.children, strict=True)
    return [path for key, child in pairs for path in leaf_paths(child, f"{prefix}{dot}{key}")]
