"""Ops that make arrays: numbers, ranges, random bits, casts."""

from typing import Any

import numpy as np

from pullback.base.dtypes import Array, DType, from_numpy_dtype, int64, uint32
from pullback.base.errors import DTypeError
from pullback.base.shapes import Shape
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.ops.record import op


@op(lambda *, value, shape, dtype: Type(shape, dtype), None, flops=0)
def full(*, value: float, shape: Shape, dtype: Any) -> Array:
    """One number in every place.

    y = value everywhere
    """
    return np.broadcast_to(np.array(value, dtype), shape)


@op(lambda *, array: Type(array.shape, from_numpy_dtype(array.dtype)), None, flops=0)
def constant(*, array: Array) -> Array:
    """Numbers known when the program was written.

    y = array
    """
    return array


@op(lambda *, size, dtype: Type((size,), dtype), None, flops=0)
def iota(*, size: int, dtype: Any) -> Array:
    """The whole numbers from 0.

    y = 0, 1, …, n − 1
    """
    return np.arange(size, dtype=dtype)


def _random_bits_rule(state: Type, *, shape: Shape) -> Type:
    if state != Type((3,), int64):
        raise DTypeError(f"random bits need a state int64[3] of seed, stream and counter; got {state}")
    return Type(shape, uint32)


@op(_random_bits_rule, None, flops=0)
def random_bits(state: Array, *, shape: Shape) -> Array:
    """32 random bits in each place, a pure function of (seed, stream, counter) and the place.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), Philox4x32 with
    10 rounds. The key is the seed; the counter words are the block's number, the draw's counter and the stream.

    y = Philox4x32-10(seed; stream, counter, place)
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    seed, stream, counter = state.astype(np.uint64)
    size = int(np.prod(shape))
    block = np.arange((size + 3) // 4, dtype=np.uint64)
    c0, c1 = block & low, np.full_like(block, counter & low)
    c2, c3 = np.full_like(block, counter >> half), np.full_like(block, stream & low)
    k0, k1 = seed & low, seed >> half
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & low, (p0 >> half) ^ c3 ^ k1, p0 & low
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32).reshape(-1)[:size].reshape(shape)


@op(lambda x, *, dtype: x.with_dtype(dtype), (lambda g, y, x, dtype: cast(g, dtype=x.dtype),))
def cast(x: Array, *, dtype: Any) -> Array:
    """The same numbers in another dtype; halves round to even, floats are cut towards 0 to integers.

    y = x as dtype
    gx = g as x's dtype
    """
    return x.astype(dtype)


def filled_like(x: Value, number: float) -> Value:
    """A constant of x's type."""
    return full(value=number, shape=x.shape, dtype=x.dtype)


def zeros_like(x: Value) -> Value:
    """Zeros of x's type."""
    return filled_like(x, 0)


def ones_like(x: Value) -> Value:
    """Ones of x's type."""
    return filled_like(x, 1)


def as_dtype_of(g: Value, dtype: DType) -> Value:
    """g in this dtype, without an op when it has it already."""
    return g if g.dtype is dtype else cast(g, dtype=dtype)
