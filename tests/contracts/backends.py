"""How closely each backend keeps to eager ops: the reference in every bit, the native one but for rounding.

The native backend adds up in an order of its own and has its own exponential and its like, so floats agree to a few
units in the last place. Types, shapes, whole numbers and truth values agree exactly on both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import pullback as pb
from pullback.base.dtypes import from_numpy_dtype
from pullback.base.trees import flatten

# Units in the last place that a few ops in a row may differ by, and how large they are at 1.
UNITS = 32
EPSILON = {pb.float64: 2.0**-52, pb.float32: 2.0**-23, pb.float16: 2.0**-10, pb.bfloat16: 2.0**-7}


@dataclass(frozen=True)
class Backend:
    """A backend, by name."""

    name: str

    @property
    def is_exact(self) -> bool:
        """Whether it gives the bits of eager ops."""
        return self.name == "reference"

    def compile(self, function: Callable[..., Any]) -> Any:
        """The function compiled for this backend."""
        return pb.compile(function, backend=self.name)

    def assert_agrees(self, found: Any, wanted: Any, label: str = "", scale: float = 0.0) -> None:
        """Fails unless two trees of tensors, arrays and Python values agree as this backend must with eager ops.

        scale: the size of the numbers that were worked with, where they cancel out in the result.
        """
        (founds, structure), (wanteds, wanted_structure) = flatten(found), flatten(wanted)
        assert structure == wanted_structure, label
        for a, b in zip(founds, wanteds, strict=True):
            x, y = as_array(a), as_array(b)
            assert (x.dtype, x.shape) == (y.dtype, y.shape), label
            if self.is_exact or not is_float(y):
                assert x.tobytes() == y.tobytes(), f"{label}: {x} where {y} is wanted"
            else:
                assert_near(x, y, scale, label)


def as_array(leaf: Any) -> np.ndarray[Any, Any]:
    """The numbers of a leaf."""
    return leaf.detach().array() if isinstance(leaf, pb.Tensor) else np.asarray(leaf)


def is_float(array: np.ndarray[Any, Any]) -> bool:
    """Whether its numbers are rounded ones; bfloat16 counts, whose kind NumPy does not know."""
    return array.dtype.kind not in "OUb" and from_numpy_dtype(array.dtype).kind == "float"


def assert_near(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], scale: float, label: str) -> None:
    """Fails unless floats are a few units in the last place of the largest number apart at most."""
    room = UNITS * EPSILON[from_numpy_dtype(y.dtype)]
    wide = y.astype(np.float64)
    largest = float(np.abs(wide[np.isfinite(wide)]).max(initial=scale))
    np.testing.assert_allclose(x.astype(np.float64), wide, 0, room * largest, equal_nan=True, err_msg=label)
