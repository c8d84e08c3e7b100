"""Between tensors and NumPy arrays."""

from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.tensor.creation import tensor
from pullback.tensor.tensor import Tensor, from_array


def as_array(data: Any) -> Array:
    """The numbers of a tensor, an array or lists as an array; those of tensors and arrays are not copied."""
    return data.detach().array() if isinstance(data, Tensor) else np.asarray(data)


def as_tensor_array(data: Any) -> Array:
    """As `as_array`, but lists get the dtype that a tensor of them has: Python's floats become float32."""
    return data if isinstance(data, np.ndarray) else as_array(data if isinstance(data, Tensor) else tensor(data))


def as_tensor(array: Array) -> Tensor:
    """A tensor with a copy of an array's numbers."""
    return from_array(np.array(array, order="C"))


def fresh_tensor(array: Array) -> Tensor:
    """A tensor that takes over an array which nobody else holds."""
    return from_array(array)


def like(array: Array, original: Any) -> Any:
    """An array which nobody else holds, as a tensor when the original is one, else as it is."""
    return from_array(array) if isinstance(original, Tensor) else array
