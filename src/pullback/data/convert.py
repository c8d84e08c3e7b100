"""Between tensors and NumPy arrays."""

from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.tensor.creation import tensor
from pullback.tensor.tensor import Tensor


def as_array(data: Any) -> Array:
    """The numbers of a tensor, an array or lists as an array; those of tensors and arrays are not copied."""
    return data.detach().array() if isinstance(data, Tensor) else np.asarray(data)


def as_tensor(array: Array) -> Tensor:
    """A tensor of an array's numbers."""
    return tensor(array)


def like(array: Array, original: Any) -> Any:
    """The array as a tensor when the original is one, else as it is."""
    return as_tensor(array) if isinstance(original, Tensor) else array
