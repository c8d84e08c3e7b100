"""IDX, the format in which MNIST and its relatives are published."""

import math
import struct

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import DataError
from pullback.data.source import StrPath, read_bytes

# The third byte of the file says what the elements are; all are stored with the highest byte first.
_ELEMENTS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: StrPath) -> Array:
    """The array in an IDX file, packed with gzip or not, with its own shape and dtype.

    Raises MissingFile when there is no such file, DataError when it is not IDX or its length does not fit.

    >>> import tempfile, pathlib
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "labels-idx1-ubyte")
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> read_idx(path)
    array([7, 2, 1], dtype=uint8)
    >>> folder.cleanup()

    Source: "The MNIST database of handwritten digits", section "The IDX file format".
    """
    raw = read_bytes(path)
    dtype, shape, start = _read_header(raw, path)
    needed, there = math.prod(shape) * dtype.itemsize, len(raw) - start
    if there != needed:
        raise DataError(
            f"{path}: its header promises shape {shape} of {dtype.newbyteorder('=').name}, {needed} bytes, "
            f"but {there} follow; the file is {'cut short' if there < needed else 'too long'}"
        )
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _read_header(raw: bytes, path: StrPath) -> tuple[np.dtype, tuple[int, ...], int]:
    """Element type, shape, and where the elements begin."""
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _ELEMENTS:
        raise DataError(
            f"{path} is no IDX file: it must begin with two zero bytes and a type from 08 to 0E; "
            f"it begins with {raw[:4].hex(' ') or 'nothing'}"
        )
    rank = raw[3]
    start = 4 + 4 * rank
    if len(raw) < start:
        raise DataError(f"{path}: the file ends within its header, which names {rank} dimensions")
    return np.dtype(_ELEMENTS[raw[2]]), struct.unpack(f">{rank}I", raw[4:start]), start
