"""The dtypes, and PyTorch's rules for what two of them make together."""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from pullback.base.errors import DTypeError, suggest

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class DType:
    """A dtype: its PyTorch name, its NumPy twin, its kind (bool, int or float) and its width in bits.

    >>> import pullback as pb
    >>> pb.float32.bits, pb.float32.is_floating_point
    (32, True)
    """

    name: str
    numpy: np.dtype[Any]
    kind: str
    bits: int

    _is_leaf = True  # a tree holds it whole: dtypes are compared by identity

    @property
    def is_floating_point(self) -> bool:
        """True for float16, bfloat16, float32 and float64."""
        return self.kind == "float"

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def is_half(self) -> bool:
        """True for the two 16-bit floats, which sum and multiply matrices in float32."""
        return self.kind == "float" and self.bits == 16

    def __repr__(self) -> str:
        return f"pullback.{self.name}"


def _dtype(name: str, numpy: Any, kind: str) -> DType:
    twin = np.dtype(numpy)
    return DType(name, twin, kind, 8 * twin.itemsize)


float64 = _dtype("float64", np.float64, "float")
float32 = _dtype("float32", np.float32, "float")
float16 = _dtype("float16", np.float16, "float")
bfloat16 = _dtype("bfloat16", ml_dtypes.bfloat16, "float")
int64 = _dtype("int64", np.int64, "int")
int32 = _dtype("int32", np.int32, "int")
int16 = _dtype("int16", np.int16, "int")
int8 = _dtype("int8", np.int8, "int")
uint8 = _dtype("uint8", np.uint8, "int")
uint32 = _dtype("uint32", np.uint32, "int")
bool_ = _dtype("bool", np.bool_, "bool")

DTYPES: dict[str, DType] = {
    d.name: d for d in (float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, uint32, bool_)
}
_BY_NUMPY = {d.numpy: d for d in DTYPES.values()}
_KIND_ORDER = {"bool": 0, "int": 1, "float": 2}


def from_numpy_dtype(dtype: Any) -> DType:
    """The dtype whose NumPy twin this is.

    Raises DTypeError for NumPy dtypes that have no twin here (complex, text, objects).
    """
    found = _BY_NUMPY.get(np.dtype(dtype))
    if found is None:
        raise DTypeError(f"NumPy's dtype {np.dtype(dtype)} has no twin here; convert to one of {', '.join(DTYPES)}")
    return found


def as_dtype(dtype: Any) -> DType:
    """The dtype meant by a DType, its name, a NumPy dtype or Python's bool, int and float."""
    if isinstance(dtype, DType):
        return dtype
    if isinstance(dtype, str):
        if dtype not in DTYPES:
            raise DTypeError(f"{dtype!r} is no dtype.{suggest(dtype, DTYPES)} Known are {', '.join(DTYPES)}")
        return DTYPES[dtype]
    python = {bool: bool_, int: int64, float: float32}
    return python[dtype] if dtype in python else from_numpy_dtype(dtype)


def kind_order(dtype: DType) -> int:
    """0 for bool, 1 for integers, 2 for floats: a higher kind wins when two dtypes meet."""
    return _KIND_ORDER[dtype.kind]


def promote(a: DType, b: DType) -> DType:
    """The dtype that holds both, by PyTorch's lattice.

    >>> promote(float16, bfloat16), promote(uint8, int8), promote(int64, float16)
    (pullback.float32, pullback.int16, pullback.float16)
    """
    if a is b:
        return a
    if a.kind != b.kind:
        return a if kind_order(a) > kind_order(b) else b
    if uint32 in (a, b):
        raise DTypeError(f"{a.name} and {b.name} do not promote; cast one of them first")
    if a.bits == b.bits:  # float16 with bfloat16, uint8 with int8: neither holds the other
        return float32 if a.kind == "float" else int16
    return a if a.bits > b.bits else b
