"""Every op natively against its meaning: all cases of its row, its edges, and arrays that make several chunks."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pullback import ops
from pullback.backends.native.executable import Executable
from pullback.base.dtypes import DTYPES, Array
from pullback.ir.node import OPS, Value
from pullback.ir.program import record
from tests.backends.native.comparing import assert_agree, both, cut_finely, numbers, recorded, spaced
from tests.contracts.rows_ops import BESIDE, EDGES, ELEMENTWISE, ROWS, Case, OpRow

# Their last bits depend on the order of a sum, or on how a function is approximated; everything else is exact.
ROUNDED = frozenset(
    "sum matmul cumsum exp expm1 log log1p sin cos atan tanh sigmoid erf pow rsqrt call attach_gradient scan "
    "overlap_add".split()
)


def agree(name: str, case: Case, arrays: list[Array], label: str = "") -> Executable:
    """The op applied to arrays natively as by the reference."""
    program = record(lambda *xs: OPS[name].apply(xs, case.params), case.types())
    scale = max([1.0, *(float(np.abs(a.astype(float)).max()) for a in arrays if a.size and a.dtype.kind != "b")])
    if name in ("sum", "cumsum", "matmul"):
        scale *= max([1, *(n for a in arrays for n in a.shape)]) ** 0.5
    return assert_agree(program, arrays, f"{name} {case.label} {label}", name not in ROUNDED, scale)


def cases_of(row: OpRow, rest: bool) -> Iterator[Case]:
    """All cases in the first dtype and a fifth of those in each other dtype; or, for the slow suite, the rest."""
    every = row.every_case() or list(row.cases)
    for i, case in enumerate(every):
        number, dtype = i % len(row.cases), i // len(row.cases)
        if (dtype > 0 and (number + dtype) % 5 > 0) is rest:
            yield case


@pytest.mark.parametrize("rest", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "rest"])
@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_every_case_of_the_row(row: OpRow, rest: bool) -> None:
    for case in cases_of(row, rest):
        agree(row.name, case, case.arrays())


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_inputs_may_lie_anyhow(row: OpRow) -> None:
    """Numbers with gaps between them, backwards: the same kernels get a copy."""
    for case in (row.every_case() or row.cases)[3:6]:
        agree(row.name, case, [spaced(a) for a in case.arrays()], "spaced")


# Edges
def whole_edges(dtype: str) -> list[int]:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return sorted({low, low + 1, -1, 0, 1, 2, 7, high - 1, high} & set(range(max(low, -1), 8)) | {low, low + 1, high})


def edges_of(row: OpRow) -> Iterator[tuple[str, list[Array]]]:
    count = len(row.data)
    for dtype in row.dtypes.split():
        if "int" in dtype:
            numbers = whole_edges(dtype)
            pairs = list(itertools.product(numbers, numbers)) if count == 2 else [(n,) for n in numbers]
            yield dtype, [np.array(column, dtype) for column in zip(*pairs, strict=True)]
        elif "float" in dtype:
            kind = DTYPES[dtype].numpy
            largest = float(np.finfo(kind).max) if dtype in ("float64", "float32") else 2.0**15
            more = [largest, -largest, 1 / largest, 1e-3, 50.0, -50.0, 7.0]
            columns = BESIDE if count == 2 else (EDGES,)
            rest = list(itertools.product(more, more)) if count == 2 else [(n,) for n in more]
            found = [
                np.array([*c, *r], np.float64).astype(kind)
                for c, r in zip(columns, zip(*rest, strict=True), strict=True)
            ]
            # What is too small for a dtype's full precision counts as 0 natively.
            yield dtype, [np.where(np.abs(a.astype(float)) < tiny(dtype), kind.type(0), a) for a in found]


def tiny(dtype: str) -> float:
    return {"float64": 2.0**-1022, "float16": 0.0}.get(dtype, 2.0**-126)


@pytest.mark.parametrize("row", ELEMENTWISE, ids=[row.name for row in ELEMENTWISE])
def test_edges(row: OpRow) -> None:
    for dtype, arrays in edges_of(row):
        program = recorded(lambda *xs: OPS[row.name].apply(xs, {}), arrays)
        wanted, found, _ = both(program, arrays)
        for a, b in zip(wanted, found, strict=True):
            same_at_edges(a, b, row.name, dtype, arrays)


def same_at_edges(wanted: Array, found: Array, name: str, dtype: str, arrays: list[Array]) -> None:
    for place in range(wanted.size):
        a, b = wanted[place], found[place]
        given = [x[place] for x in arrays]
        label = f"{name} {dtype} of {given}: wanted {a}, found {b}"
        if wanted.dtype.kind in "biu":
            assert a == b, label
            continue
        x, y = float(a), float(b)
        if abs(x) < tiny(dtype):
            assert abs(y) <= tiny(dtype), label
        elif name in ROUNDED and np.isfinite(x):
            assert abs(x - y) <= {"float64": 1e-14, "float32": 3e-6}.get(dtype, 1e-2) * abs(x), label
        else:
            assert x == y or (np.isnan(x) and np.isnan(y)), label
        assert np.isnan(x) or np.signbit(x) == np.signbit(y), label


@pytest.mark.parametrize("dtype", "float64 float32 float16 bfloat16".split())
def test_largest_and_smallest_beside_nan(dtype: str) -> None:
    kind = DTYPES[dtype].numpy
    nan, inf = float("nan"), float("inf")
    x = np.array([[1, nan, 3], [-inf, 2, inf], [nan, nan, nan], [-inf, -inf, -inf], [2, 2, 1], [inf, 1, nan]])
    x = np.concatenate([x, np.full((6, 14), -1.0)], axis=1).astype(kind)

    def function(v: Value) -> list[Value]:
        reductions = [ops.amax, ops.amin]
        found = [ops.argmax(v, axis=a, keepdims=False) for a in (0, 1)]
        found += [ops.argmin(v, axis=a, keepdims=False) for a in (0, 1)]
        return found + [f(v, axes=a, keepdims=False) for f in reductions for a in ((0,), (1,), (0, 1))]

    assert_agree(recorded(function, [x]), [x], dtype, exact=True)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halfs_are_rounded_after_each_op(dtype: str) -> None:
    """Also where one follows another in a register."""
    x, y = numbers((40, 30), dtype), numbers((40, 30), dtype, 1)
    program = recorded(lambda a, b: [(a + b) * a - b, ops.where(ops.lt(a, b), a * a * a, a / (b * b + 1.0))], [x, y])
    assert_agree(program, [x, y], dtype, exact=True)


# Several chunks
CHUNKED = [(257, 129), (3, 1021), (70001,), (2, 3, 40009)]


def reductions(x: Value) -> Iterator[Value]:
    """Over every combination of axes."""
    rank = len(x.shape)
    for count in range(1, rank + 1):
        for axes in itertools.combinations(range(rank), count):
            yield ops.sum_(x, axes=axes, keepdims=False)
            yield [ops.amax, ops.amin][(count + axes[0]) % 2](x, axes=axes, keepdims=True)
    for axis in range(rank):
        yield [ops.argmax, ops.argmin][axis % 2](x, axis=axis, keepdims=False)


SLOW = pytest.mark.slow
DEEP = pytest.param((5, 7, 11, 13, 17), marks=SLOW)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("int64", marks=SLOW)])
@pytest.mark.parametrize("shape", [*CHUNKED, (31, 1, 53, 41), DEEP], ids=str)
def test_reductions_over_all_axes(shape: tuple[int, ...], dtype: str) -> None:
    x = numbers(shape, dtype)
    outputs = recorded(lambda v: list(reductions(v)), [x]).outputs
    for k in range(len(outputs)):  # each alone, so that none is left out where another lies nearer
        program = recorded(lambda v, k=k: [list(reductions(v))[k]], [x])
        assert_agree(program, [x], f"reduction {k} of {dtype} {shape}", False, scale=2 * x.size**0.5)


@pytest.mark.parametrize("shape", [(1_000_003,), (3, 300_007)], ids=str)
def test_long_sums_lose_few_digits(shape: tuple[int, ...]) -> None:
    """Also beside what keeps a loop from being vectorised, where each number would be added to one sum of all."""
    x = np.full(shape, 0.1, np.float32)
    axis = len(shape) - 1

    def function(v: Value) -> list[Value]:
        total = ops.sum_(v, axes=(axis,), keepdims=False)
        return [total, ops.sum_(v * v, axes=(axis,), keepdims=False), ops.argmax(v, axis=axis, keepdims=False)]

    found = Executable(recorded(function, [x]))([x])
    for power, total in enumerate(found[:2], 1):
        np.testing.assert_allclose(total, shape[-1] * float(np.float32(0.1)) ** power, 1e-4)


@pytest.mark.parametrize("shape", [*CHUNKED, (31, 1, 53, 41)], ids=str)
def test_reductions_together(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    cut_finely(monkeypatch.setattr)
    x = numbers(shape, "float64")
    program = recorded(lambda v: [*reductions(v), *reductions(v * v)], [x])
    executable = assert_agree(program, [x], str(shape), False, scale=4 * x.size**0.5)
    assert len(shape) == 1 or max(task.chunks for task in executable.tasks) > 1


def spread_back(x: Value, y: Value, keep: tuple[int, ...]) -> Value:
    return ops.broadcast(ops.reshape(y, shape=keep), shape=x.shape)


def softmax(x: Value, axis: int) -> Value:
    keep = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    e = ops.exp(x - spread_back(x, ops.amax(x, axes=(axis,), keepdims=False), keep))
    return e / spread_back(x, ops.sum_(e, axes=(axis,), keepdims=False), keep)


def moved(x: Value) -> list[Value]:
    """Movement that needs every kind of index, with arithmetic before and behind."""
    rank = len(x.shape)
    back = tuple(reversed(range(rank)))
    y = ops.permute(x * 2.0, axes=back)
    stops = tuple(max(1, n - 1) for n in x.shape)
    part = ops.slice_(x, start=(0,) * rank, stop=stops, step=(2,) * rank)
    padded = ops.pad(part, low=(1,) * rank, high=(2,) * rank, inner=(1,) * rank, value=0.5)
    flat = ops.reshape(ops.flip(y, axes=(0,)), shape=(x.type.size,))
    whole = ops.reshape(flat, shape=x.shape) - ops.flip(x, axes=tuple(range(rank)))
    return [y, part, ops.neg(padded), flat, whole, ops.permute(whole, axes=back) * y]


@pytest.mark.parametrize("shape", [*CHUNKED, (31, 1, 53, 41)], ids=str)
def test_movement_in_chunks(shape: tuple[int, ...]) -> None:
    x = numbers(shape, "float32")
    for k in range(6):
        assert_agree(recorded(lambda v, k=k: [moved(v)[k]], [x]), [x], f"{k} of {shape}", exact=True)
    assert_agree(recorded(moved, [x]), [x], str(shape), exact=True)


@pytest.mark.parametrize("shape", CHUNKED, ids=str)
def test_rows_and_places_together(shape: tuple[int, ...]) -> None:
    x = numbers(shape, "float32")
    for axis in range(len(shape)):
        program = recorded(lambda v, axis=axis: [softmax(v, axis), ops.cumsum(v, axis=axis)], [x])
        assert_agree(program, [x], f"softmax over {axis} of {shape}", False, scale=x.shape[axis] ** 0.5)
    order = recorded(lambda v: [ops.argsort(v, axis=0, descending=True), ops.concat(v, v * 3.0, axis=0)], [x])
    assert_agree(order, [x], str(shape), exact=True)


@pytest.mark.parametrize("rows", [1, 300])
@pytest.mark.parametrize("axis", [0, 1])
def test_gathers_and_scatters_in_chunks(rows: int, axis: int) -> None:
    shape = (rows, 101) if axis else (101, rows)
    x, index = numbers(shape, "float64"), np.random.default_rng(axis).integers(-101, 101, (29, 13))
    spread = (*shape[:axis], 29, 13, *shape[axis + 1 :])
    y = np.round(numbers(spread) * 2**8) / 2**8  # so that sums are exact in any order
    x = np.round(x * 2**8) / 2**8

    def function(v: Value, i: Value, w: Value) -> list[Value]:
        return [ops.gather(v, i, axis=axis) * 2.0, ops.scatter_add(v, i, w, axis=axis)]

    arrays = [x, index, y]
    assert_agree(recorded(function, arrays), arrays, str(shape), exact=True)


# Matrix products
def plain(x: Value, y: Value) -> Value:
    return ops.matmul(x, y)


def turned(x: Value) -> Value:
    rank = len(x.shape)
    return ops.permute(x, axes=(*range(rank - 2), rank - 1, rank - 2))


def every_second(x: Value, axis: int) -> Value:
    """Entries 0, 2, … along an axis from the end."""
    step = tuple(2 if i == len(x.shape) + axis else 1 for i in range(len(x.shape)))
    return ops.slice_(x, start=(0,) * len(x.shape), stop=x.shape, step=step)


def tail(x: Value) -> Value:
    """All but the first row and column."""
    rank = len(x.shape)
    return ops.slice_(x, start=(0,) * (rank - 2) + (1, 1), stop=x.shape, step=(1,) * rank)


# What stands before the product of the arrays: how the operands are looked at, and the shapes that make it n·k by k·m.
Operand = Callable[[Value], Value]
VIEWS: dict[str, tuple[Operand, Callable[[int, int], tuple[int, ...]]]] = {
    "as it is": (lambda x: x, lambda n, m: (n, m)),
    "transposed": (turned, lambda n, m: (m, n)),
    "every second row": (lambda x: every_second(x, -2), lambda n, m: (2 * n, m)),
    "every second column": (lambda x: every_second(x, -1), lambda n, m: (n, 2 * m)),
    "a part": (tail, lambda n, m: (n + 1, m + 1)),
    "a part, transposed": (lambda x: turned(tail(x)), lambda n, m: (m + 1, n + 1)),
    "upside down": (lambda x: ops.flip(x, axes=(0,)), lambda n, m: (n, m)),
    "one row": (lambda x: ops.broadcast(x, shape=(7, *x.shape[1:])) if x.shape[0] == 1 else x, lambda n, m: (1, m)),
    "worked out": (lambda x: x * 2.0 + 1.0, lambda n, m: (n, m)),
    "reshaped": (lambda x: ops.reshape(x, shape=(x.shape[1], x.shape[0])), lambda n, m: (m, n)),
}
SIZES = [(3, 5, 2), (150, 41, 129), (1, 300, 90), (90, 300, 1)]


@pytest.mark.parametrize("right", VIEWS)
@pytest.mark.parametrize("left", VIEWS)
def test_products_of_views(left: str, right: str) -> None:
    (see_x, shape_x), (see_y, shape_y) = VIEWS[left], VIEWS[right]
    square = "one row" in (left, right)
    for n, inner, m in [(7, 7, 5), (7, 7, 300)] if square else SIZES:
        x, y = numbers(shape_x(n, inner), "float32"), numbers(shape_y(inner, m), "float32", 1)
        program = recorded(lambda a, b: [ops.matmul(see_x(a), see_y(b))], [x, y])
        assert_agree(program, [x, y], f"{left} {x.shape} by {right} {y.shape}", False, scale=40 * inner**0.5)


def stacked(leading: tuple[int, ...], dtype: str, n: int, k: int, m: int) -> Iterator[tuple[str, Any, list[Array]]]:
    """Products of stacks, with axes of the stack in another order, repeated, left out, between rows and columns."""
    x, y = numbers((*leading, n, k), dtype), numbers((*leading, k, m), dtype, 1)
    ones, rank = (1,) * len(leading), len(leading)
    yield "plain", plain, [x, y]
    yield (
        "both transposed",
        lambda a, b: plain(turned(a), turned(b)),
        [x.swapaxes(-1, -2).copy(), y.swapaxes(-1, -2).copy()],
    )
    shared = y.reshape(-1, k, m)[:1].reshape(*ones, k, m).copy()
    yield "one for all", lambda a, b: plain(a, ops.broadcast(b, shape=(*leading, k, m))), [x, shared]
    yield (
        "all by one",
        lambda a, b: plain(ops.broadcast(a, shape=(*leading, n, k)), b),
        [x[(slice(0, 1),) * rank].copy(), y],
    )
    half = (slice(0, 1), *[slice(None)] * (rank - 1))
    yield (
        "repeated along the first",
        lambda a, b: plain(a, ops.broadcast(b, shape=(*leading, k, m))),
        [x, y[half].copy()],
    )
    last = (*[slice(None)] * (rank - 1), slice(0, 1))
    yield (
        "repeated along the last",
        lambda a, b: plain(a, ops.broadcast(b, shape=(*leading, k, m))),
        [x, y[last].copy()],
    )
    # As heads of attention lie: (b, t, h, k) seen as (b, h, t, k).
    heads = (*range(rank - 1), rank, rank - 1, rank + 1)
    between = [np.ascontiguousarray(a.transpose(heads)) for a in (x, y)]
    yield "heads", lambda a, b: plain(ops.permute(a, axes=heads), ops.permute(b, axes=heads)), between
    order = (*reversed(range(rank)), rank, rank + 1)
    other = [np.ascontiguousarray(a.transpose(order)) for a in (x, y)]
    yield "stack in another order", lambda a, b: plain(ops.permute(a, axes=order), ops.permute(b, axes=order)), other


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
@pytest.mark.parametrize("leading", [(5,), pytest.param((2, 3), marks=SLOW), (2, 3, 4)], ids=str)
def test_stacks_of_products(leading: tuple[int, ...], dtype: str) -> None:
    for n, k, m in [(2, 3, 5), (1, 4, 1), (17, 24, 19)]:
        for name, function, arrays in stacked(leading, dtype, n, k, m):
            program = recorded(lambda a, b, f=function: [f(a, b)], arrays)
            assert_agree(program, arrays, f"{name} {dtype} {leading} {n, k, m}", False, scale=4 * k**0.5)


@pytest.mark.parametrize(("n", "k", "m"), [(700, 300, 257), (2000, 40, 30), (30, 257, 3001), (64, 5000, 64)])
@pytest.mark.parametrize("views", list(itertools.product([False, True], repeat=2)), ids=["xy", "xyT", "xTy", "xTyT"])
def test_products_in_pieces(n: int, k: int, m: int, views: tuple[bool, bool]) -> None:
    for dtype in ("float32", "float64"):
        x, y = (
            numbers(s[::-1] if t else s, dtype, i) for i, (s, t) in enumerate(zip([(n, k), (k, m)], views, strict=True))
        )
        program = recorded(
            lambda a, b: [plain(*(turned(v) if t else v for v, t in zip((a, b), views, strict=True)))], [x, y]
        )
        executable = assert_agree(program, [x, y], f"{dtype} {n, k, m} {views}", False, scale=4 * k**0.5)
        if n != 64:
            assert executable.tasks[-1].chunks > 1
