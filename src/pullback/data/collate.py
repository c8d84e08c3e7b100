"""From a list of items to one batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pullback.base.dtypes import float64
from pullback.base.errors import DataError, DTypeError
from pullback.base.shapes import Shape
from pullback.data.convert import as_array, as_tensor, fresh_tensor
from pullback.tensor.creation import tensor
from pullback.tensor.shaping import stack
from pullback.tensor.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """The items of a batch put together, element by element, each with a new first axis.

    Tensors and arrays of one shape are stacked, and gradients find their way back; Python's ints become int64,
    bools bool, floats float64 (float32, PyTorch's default, behind an int or a bool); text and bytes are listed
    (as a tuple, inside tuples and lists); dicts, tuples and lists are put together entry by entry (tuples give
    lists, named tuples stay what they are).

    Raises DataError for an empty batch and for items that differ in shape, length or keys, DTypeError for
    items that are none of these.

    >>> default_collate([(0.5, "a"), (1.5, "b")])
    [tensor([0.5000, 1.5000], dtype=pullback.float64), ('a', 'b')]

    Source: torch.utils.data.default_collate.
    """
    if not len(batch):
        raise DataError("a batch needs at least one item; got none")
    return _collate(batch, "items")


def default_convert(item: Any) -> Any:
    """An item as it is, but with tensors for its arrays and NumPy numbers, and lists for its tuples.

    >>> default_convert({"x": np.ones(2, np.float32), "name": "a"})
    {'x': tensor([1., 1.]), 'name': 'a'}

    Source: torch.utils.data.default_convert.
    """
    if isinstance(item, (np.ndarray, np.generic)):
        return item if item.dtype.kind in "SU" else as_tensor(np.asarray(item))
    if isinstance(item, Mapping):
        return {key: default_convert(value) for key, value in item.items()}
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*map(default_convert, item))
    return [default_convert(each) for each in item] if isinstance(item, (tuple, list)) else item


def _collate(values: Sequence[Any], what: str) -> Any:
    first = values[0]
    if isinstance(first, (str, bytes)):  # asked first: NumPy's text is also a NumPy number
        return values
    if isinstance(first, (Tensor, np.ndarray, np.generic)):
        return _stacked(values, what)
    if isinstance(first, (bool, int, float)):
        return _numbers(values, what)
    if isinstance(first, Mapping):
        return _collate_mappings(values, what)
    if isinstance(first, Sequence):
        return _collate_sequences(values, what)
    raise DTypeError(
        f"{what} of type {type(first).__name__} cannot be put into a batch: give tensors, arrays, numbers, text, "
        "or dicts and tuples of them, or pass your own collate_fn"
    )


def _stacked(values: Sequence[Any], what: str) -> Tensor:
    arrays = [as_array(value) for value in values]
    _check_shapes([array.shape for array in arrays], what)
    tensors = [value for value in values if isinstance(value, Tensor)]
    if any(each.requires_grad for each in tensors):  # only then worth recording
        return stack([value if isinstance(value, Tensor) else as_tensor(np.asarray(value)) for value in values])
    return fresh_tensor(np.stack(arrays))


def _check_shapes(shapes: Sequence[Shape], what: str) -> None:
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is not None:
        raise DataError(
            f"{what} of a batch must have one shape: item 0 has {shapes[0]}, item {odd} has {shapes[odd]}. "
            "Bring them to one size, or pass a collate_fn that pads"
        )


def _numbers(values: Sequence[Any], what: str) -> Tensor:
    if not all(isinstance(value, (bool, int, float)) for value in values):
        odd = next(value for value in values if not isinstance(value, (bool, int, float)))
        raise DTypeError(f"{what} of a batch must all be numbers: one is {type(odd).__name__}")
    # As in PyTorch: float64 where the first is a float; else what a tensor of them has, which may be float32.
    return tensor(list(values), dtype=float64 if isinstance(values[0], float) else None)


def _collate_mappings(values: Sequence[Any], what: str) -> Any:
    first = values[0]
    for i, value in enumerate(values):
        if not isinstance(value, Mapping) or set(value) != set(first):
            raise DataError(f"{what} of a batch must have the same keys: item {i} differs from item 0, {list(first)}")
    return {key: _collate([value[key] for value in values], f"{what}[{key!r}]") for key in first}


def _collate_sequences(values: Sequence[Any], what: str) -> Any:
    first = values[0]
    for i, value in enumerate(values):
        if not isinstance(value, Sequence) or len(value) != len(first):
            raise DataError(f"{what} of a batch must have the same length: item {i} differs from item 0, {len(first)}")
    parts = [_collate(part, f"{what}[{i}]") for i, part in enumerate(zip(*values, strict=True))]
    return type(first)(*parts) if hasattr(first, "_fields") else parts
