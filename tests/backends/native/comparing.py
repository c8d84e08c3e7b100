"""The native backend held against the reference: how far results may differ, and where not at all."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import pullback as pb
from pullback.backends import reference
from pullback.backends.native import kernel_writer, plan_loops, products
from pullback.backends.native.executable import Executable
from pullback.base.dtypes import Array, from_numpy_dtype
from pullback.base.trees import flatten
from pullback.ir.node import Value
from pullback.ir.program import Program, record
from pullback.ir.types import Type
from pullback.passes import loop_over_stacks

# Differences beside the size of what was worked with. Halfs differ where a number lies near the middle of two.
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def recorded(function: Callable[..., Sequence[Value]], arrays: Sequence[Array]) -> Program:
    """The program of a function of values, for arrays like these."""
    return record(function, [Type(a.shape, from_numpy_dtype(a.dtype)) for a in arrays])


def both(program: Program, arrays: Sequence[Array]) -> tuple[list[Array], list[Array], Executable]:
    """The outputs by the reference and natively; neither may change the inputs."""
    before = [a.tobytes() for a in arrays]
    wanted = reference.prepare(program)(arrays)
    executable = Executable(program)
    found = executable(arrays)
    again = [a.tobytes() for a in executable(arrays)]
    assert [a.tobytes() for a in found] == again, "the second run gives other bits"
    assert [a.tobytes() for a in arrays] == before, "an input was changed"
    return wanted, found, executable


def assert_agree(program: Program, arrays: Sequence[Array], label: str, exact: bool, scale: float = 1.0) -> Executable:
    """Natively as by the reference; `scale` is the size of the numbers that are worked with."""
    wanted, found, executable = both(program, arrays)
    for i, (a, b) in enumerate(zip(wanted, found, strict=True)):
        assert_close(np.asarray(a), b, f"{label}, output {i}", exact, scale)
    return executable


def assert_close(wanted: Array, found: Array, label: str, exact: bool, scale: float = 1.0) -> None:
    """Equal types and, to the precision of the dtype, equal numbers; equal bits but for NaN's where `exact`."""
    assert (wanted.dtype, wanted.shape) == (found.dtype, found.shape), label
    if exact or wanted.dtype.kind in "biu":
        assert bits(wanted) == bits(found), f"{label}\nwanted {wanted!r}\nfound {found!r}"
        return
    a, b = wanted.astype(np.float64), found.astype(np.float64)
    with np.errstate(all="ignore"):
        room = TOLERANCE[str(wanted.dtype)] * np.maximum(np.abs(a), scale)
        fits = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.isfinite(a) & (np.abs(a - b) <= room))
    where = np.argwhere(~fits)
    assert not len(where), f"{label} at {where[0].tolist()}: wanted {a[tuple(where[0])]}, found {b[tuple(where[0])]}"


def bits(array: Array) -> bytes:
    """The bytes, with one NaN for all of them."""
    if array.dtype.kind in "biu":
        return array.tobytes()
    one = array.copy()
    with np.errstate(all="ignore"):
        one[np.isnan(one)] = np.nan
    return one.tobytes()


def cut_finely(put: Callable[[Any, str, int], None]) -> None:
    """Let small arrays make many chunks, small products several pieces, small stacks loops; `put` is like `setattr`."""
    put(plan_loops, "CHUNK_WORK", 1 << 10)
    put(plan_loops, "TILE", 1 << 8)
    put(kernel_writer, "CHUNK_BYTES", 1 << 9)
    put(products, "PIECE", 1 << 12)
    put(products, "UNPACKED_PIECE", 1 << 12)
    put(loop_over_stacks, "FEWEST_BYTES", 1 << 8)
    put(loop_over_stacks, "FEWEST_FLOPS", 0)
    put(loop_over_stacks, "FEWEST_TURNS", 2)


def spaced(array: Array) -> Array:
    """The same numbers with gaps between them, the last axis running backwards in memory."""
    if not array.ndim:
        return array
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array[..., ::-1]
    return wide[..., ::2][..., ::-1]


def numbers(shape: Sequence[int], dtype: str = "float64", seed: int = 0, low: float = -2, high: float = 2) -> Array:
    """Random numbers of any dtype."""
    rng = np.random.default_rng((seed, *shape))
    if dtype == "bool":
        return rng.random(shape) < 0.5
    wide: Any = rng.uniform(low, high, shape)
    return np.round(wide * 40).astype(dtype) if "int" in dtype else wide.astype(dtype)


def numbers_in(thing: Any) -> list[bytes]:
    """The bits of all tensors and arrays of a tree."""
    leaves = [x for x in flatten(thing)[0] if isinstance(x, (pb.Tensor, np.ndarray))]
    return [(x.detach().array() if isinstance(x, pb.Tensor) else x).tobytes() for x in leaves]
