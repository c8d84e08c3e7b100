"""What tells attention where in a sequence something stands."""

import math
from typing import Any

import numpy as np

from pullback.base.dtypes import float32, float64
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.base.settings import get_default_dtype
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.creation import arange
from pullback.tensor.pointwise import abs as absolute
from pullback.tensor.pointwise import add, cast_to, cos, ge, mul, neg, sin, sub, where
from pullback.tensor.promotion import wanted_dtype
from pullback.tensor.shaping import cat, chunk, flatten, narrow, stack, unbind, unflatten, unsqueeze
from pullback.tensor.tensor import Tensor, from_array


def places(t: int, offset: int | Tensor) -> Tensor:
    """int64 (t,): offset, offset + 1, …; the offset is an integer or a tensor () of one."""
    if isinstance(offset, Tensor) and (offset.ndim or offset.dtype.kind != "int"):
        raise DTypeError(f"an offset is one integer; got a tensor {offset.type_}")
    return add(arange(t), offset)


def _angles(t: int, size: int, base: float, offset: int | Tensor) -> Tensor:
    """float64 (t, size / 2): place · base^(−2j / size) for j = 0, 1, …"""
    if size % 2 or size <= 0:
        raise ShapeError(f"positions turn pairs of numbers, so that their count must be even; got {size}")
    if not base > 0:
        raise ArgumentError(f"the base of the frequencies is above 0; got {base}")
    frequencies = from_array(base ** (-np.arange(0, size, 2) / size))
    return mul(unsqueeze(cast_to(places(t, offset), float64), 1), frequencies)


def rotary_embedding(
    input: Tensor, base: float = 10000.0, offset: int | Tensor = 0, interleaved: bool = False, dim: int | None = None
) -> Tensor:
    """Queries or keys (..., t, k) with each pair of numbers turned by an angle that grows with the place.

    Pair j at place p is turned by p · base^(−2j/k), so that the product of a query and a key depends on how far apart
    they are. Pairs are numbers j and j + k/2, as in LLaMA and GPT-NeoX; with interleaved=True numbers 2j and 2j + 1, as
    in the paper and in GPT-J. offset is the place of the first in time. With dim only the first `dim` numbers are
    turned, in frequencies of their own count.

    Raises ShapeError when the numbers to be turned do not make pairs.

    >>> import pullback as pb
    >>> x = pb.ones(3, 2)
    >>> pb.nn.functional.rotary_embedding(x)
    tensor([[ 1.0000,  1.0000],
            [-0.3012,  1.3818],
            [-1.3254,  0.4932]])

    Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding" (2021), eq. 34.
    """
    check_tensor("rotary_embedding", "input", input)
    if input.ndim < 2 or not input.dtype.is_floating_point:
        raise ShapeError(f"rotary_embedding takes floats (..., time, size); got {input.type_}")
    t, size = input.shape[-2:]
    turned = size if dim is None else dim
    if turned > size:
        raise ShapeError(f"rotary_embedding cannot turn the first {turned} of {size} numbers")
    angles = _angles(t, turned, base, offset)
    wide = float32 if input.dtype.is_half else input.dtype
    x = cast_to(narrow(input, -1, 0, turned), wide)
    c, s = cast_to(cos(angles), wide), cast_to(sin(angles), wide)
    first, second = unbind(unflatten(x, -1, (-1, 2)), -1) if interleaved else chunk(x, 2, -1)
    pairs = [sub(mul(first, c), mul(second, s)), add(mul(first, s), mul(second, c))]
    rotated = cast_to(flatten(stack(pairs, -1), -2) if interleaved else cat(pairs, -1), input.dtype)
    return rotated if turned == size else cat([rotated, narrow(input, -1, turned, size - turned)], -1)


def sinusoidal_positions(
    t: int, size: int, base: float = 10000.0, offset: int | Tensor = 0, dtype: Any = None
) -> Tensor:
    """(t, size) with sin(p · base^(−2j/size)) in column 2j and the cosine in column 2j + 1, for the places p.

    Raises ShapeError when size is odd.

    >>> import pullback as pb
    >>> pb.nn.functional.sinusoidal_positions(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])

    Source: Vaswani et al. 2017, section 3.5.
    """
    angles = _angles(t, size, base, offset)
    return cast_to(flatten(stack([sin(angles), cos(angles)], -1), -2), wanted_dtype(dtype, get_default_dtype()))


def alibi_slopes(heads: int, dtype: Any = None) -> Tensor:
    """(heads,): 2^(−8/h), 2^(−16/h), … for h heads; where h is no power of two, those of the next lower power, then
    every other one of the next higher.

    Raises ArgumentError for less than one head.

    >>> import pullback as pb
    >>> pb.nn.functional.alibi_slopes(4)
    tensor([0.2500, 0.0625, 0.0156, 0.0039])

    Source: Press et al., "Train short, test long" (2021), section 3 and its published code.
    """
    if heads < 1:
        raise ArgumentError(f"alibi_slopes needs at least one head; got {heads}")
    lower = 2 ** int(math.log2(heads))
    slopes = [2.0 ** (-8.0 * i / lower) for i in range(1, lower + 1)]
    slopes += [2.0 ** (-4.0 * i / lower) for i in range(1, 2 * (heads - lower), 2)]
    return from_array(np.array(slopes, wanted_dtype(dtype, get_default_dtype()).numpy))


def alibi_bias(
    heads: int, t: int, s: int | None = None, offset: int | Tensor = 0, is_causal: bool = False, dtype: Any = None
) -> Tensor:
    """(heads, t, s), to be added to scores: −slope · |p − j| for the query at place p = offset + i and the key at j.

    With is_causal it is −∞ where the key comes after the query. s is t unless given.

    >>> import pullback as pb
    >>> pb.nn.functional.alibi_bias(2, 2, is_causal=True)[0]
    tensor([[ 0.0000,    -inf],
            [-0.0625,  0.0000]])

    Source: Press et al. 2021, section 3.
    """
    found = wanted_dtype(dtype, get_default_dtype())
    rows, columns = unsqueeze(places(t, offset), 1), arange(t if s is None else s)
    slopes = unsqueeze(unsqueeze(alibi_slopes(heads, found), 1), 1)  # (h, 1, 1)
    bias = mul(slopes, cast_to(neg(absolute(sub(rows, columns))), found))
    return where(ge(rows, columns), bias, -math.inf) if is_causal else bias
