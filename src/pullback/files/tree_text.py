"""A tree of tensors and plain values as named arrays and one line of JSON, and back."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, DataError
from pullback.tensor.creation import from_numpy
from pullback.tensor.tensor import Tensor

PLAIN = (bool, int, float, str, type(None))


def to_arrays(tree: Any) -> tuple[dict[str, Array], str]:
    """The arrays of a tree by the dotted path at which they stand, and the rest of it as JSON.

    A tree is made of dicts, lists and tuples; its leaves are tensors, arrays, numbers, text, True, False and None.
    Keys are text or integers. Floats come back with the same bits.

    Raises ArgumentError, naming the place, for anything else, and for a tree that contains itself.

    >>> arrays, text = to_arrays({"w": np.ones(2), "step": 3})
    >>> list(arrays), text
    (['w'], '{"dict": [["w", {"tensor": "w"}], ["step", 3]]}')
    """
    arrays: dict[str, Array] = {}
    try:
        return arrays, json.dumps(_describe(tree, (), arrays), ensure_ascii=False)
    except RecursionError:
        raise ArgumentError("the object contains itself, or is nested too deeply, and cannot be saved") from None


def from_arrays(arrays: Mapping[str, Array], text: str) -> Any:
    """The tree that `to_arrays` took apart; what was an array is a tensor now.

    Raises DataError when the text is not what `to_arrays` writes, or an array that it names is missing.

    >>> from_arrays(*to_arrays((1.5, [None, "a"])))
    (1.5, [None, 'a'])
    """
    try:
        return _rebuild(json.loads(text), arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the description of what the file holds is damaged: {error}") from error


def _describe(tree: Any, path: tuple[str, ...], arrays: dict[str, Array]) -> Any:
    if isinstance(tree, (Tensor, np.ndarray)):
        return {"tensor": _keep(tree, path, arrays)}
    if isinstance(tree, np.generic):
        return tree.item()
    if isinstance(tree, PLAIN):
        return tree
    if isinstance(tree, Mapping):
        return {"dict": [[_key(k, path), _describe(v, (*path, str(k)), arrays)] for k, v in tree.items()]}
    if isinstance(tree, (list, tuple)):
        parts = [_describe(part, (*path, str(i)), arrays) for i, part in enumerate(tree)]
        return {"tuple": parts} if isinstance(tree, tuple) else parts
    raise ArgumentError(
        f"{_place(path)} is a {type(tree).__name__}, which cannot be saved: a file holds tensors, arrays, numbers, "
        "text, None, and dicts, lists and tuples of them. Of a model or an optimizer save its state_dict()"
    )


def _keep(tensor: Any, path: tuple[str, ...], arrays: dict[str, Array]) -> str:
    array = tensor.detach().numpy() if isinstance(tensor, Tensor) else tensor
    # Two places can have one dotted path: {"a.b": {"c": x}} and {"a": {"b.c": y}}.
    name = path_name = ".".join(path) or "tensor"
    while name in arrays:
        name = f"{path_name}#{len(arrays)}"
    arrays[name] = np.ascontiguousarray(array).reshape(array.shape)  # ascontiguousarray makes (1,) of ()
    return name


def _key(key: Any, path: tuple[str, ...]) -> str | int:
    if isinstance(key, bool) or not isinstance(key, (str, int)):
        raise ArgumentError(f"{_place(path)} has the key {key!r}; keys must be text or integers")
    return key


def _place(path: tuple[str, ...]) -> str:
    return f"the entry {'.'.join(path)!r}" if path else "the object"


def _rebuild(description: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(description, list):
        return [_rebuild(part, arrays) for part in description]
    if not isinstance(description, dict):
        return description
    [(kind, content)] = description.items()
    if kind == "tensor":
        return from_numpy(arrays[content])
    if kind == "tuple":
        return tuple(_rebuild(part, arrays) for part in content)
    if kind == "dict":
        return {key: _rebuild(part, arrays) for key, part in content}
    raise ValueError(f"{kind!r} is no kind of entry")
