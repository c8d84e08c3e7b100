"""Every op of the registry, emitted and run, gives the interpreter's bits: alone, and as part of expressions."""

import itertools
from typing import Any

import numpy as np
import pytest

from pullback.emit.layout import ELEMENTWISE
from pullback.grad.reverse import pullback_program
from pullback.ir.node import OPS, Value
from pullback.ops import broadcast, full, permute
from tests.contracts.rows_ops import ROWS, Case, OpRow
from tests.emit.emitted import Array, assert_same, recorded

EACH_ROW = pytest.mark.parametrize("row", list(ROWS.values()), ids=list(ROWS))
ROWS_WITH_GRADIENTS = [row for row in ROWS.values() if OPS[row.name].gradient is not None]


def applied(row: OpRow, case: Case) -> Any:
    """The op as a function of values."""
    return lambda *xs: OPS[row.name].apply(xs, case.params)


@EACH_ROW
def test_alone(row: OpRow) -> None:
    for case in row.every_case() or row.cases:
        assert_same(recorded(applied(row, case), case.arrays()), case.arrays(), case.label)


@EACH_ROW
def test_on_inputs_that_lie_otherwise(row: OpRow) -> None:
    for case in row.every_case() or row.cases:
        arrays = [spaced(a) for a in case.arrays()]
        assert_same(recorded(applied(row, case), arrays), arrays, case.label)


def spaced(array: Array) -> Array:
    """The same numbers with gaps between them, in columns rather than rows."""
    if not array.ndim:
        return array
    wide = np.zeros([2 * n for n in reversed(array.shape)], array.dtype)
    found = wide[tuple(slice(0, 2 * n, 2) for n in reversed(array.shape))].T
    found[...] = array
    return found


@pytest.mark.parametrize("row", ROWS_WITH_GRADIENTS, ids=lambda row: row.name)
def test_with_its_gradient(row: OpRow) -> None:
    for case in row.every_case() or row.cases:
        program = recorded(applied(row, case), case.arrays())
        if any(y.requires_grad for y in program.outputs):
            gs = [np.ones(y.shape, y.dtype.numpy) for y in program.outputs]
            assert_same(pullback_program(program), [*case.arrays(), *gs], case.label)


@pytest.mark.parametrize("row", [ROWS[name] for name in sorted(ELEMENTWISE)], ids=lambda row: row.name)
def test_beside_numbers(row: OpRow) -> None:
    """A number everywhere is written as itself, on either side, whatever the other operand's layout."""
    for case in some_cases(row):
        for place in range(len(case.inputs)):
            arrays = case.arrays()
            for number in numbers_for(arrays[place]):
                others = arrays[:place] + arrays[place + 1 :]

                def function(*xs: Value, number: Any = number, place: int = place, case: Case = case) -> Any:
                    kind = case.types()[place]
                    filled = full(value=number, shape=kind.shape, dtype=kind.dtype)
                    return OPS[row.name].apply([*xs[:place], filled, *xs[place:]], case.params)

                for given in (others, [spaced(a) for a in others]):
                    assert_same(recorded(function, given), given, f"{case.label} {number} at {place}")


def some_cases(row: OpRow) -> list[Case]:
    """The cases in a few dtypes, which stand for the others: what is written depends on their kinds alone."""
    chosen = ("float32", "bfloat16", "int64", "bool")
    return [case for case in row.every_case() if case.inputs[-1].dtype in chosen]


def numbers_for(array: Array) -> list[Any]:
    """Numbers to stand in an array's place."""
    if array.dtype.kind == "b":
        return [True, False]
    if array.dtype.kind in "iu":
        return [0, 3, True]
    return [0, 0.1, -0.0, 2.0, float("nan"), float("-inf")]


@pytest.mark.parametrize("row", [ROWS[name] for name in sorted(ELEMENTWISE)], ids=lambda row: row.name)
def test_beside_repeated_operands(row: OpRow) -> None:
    """Repeating an operand is left to NumPy where that gives the same bits in the same layout."""
    for case in some_cases(row):
        shape = case.types()[0].shape
        for place, axes in itertools.product(range(len(case.inputs)), subsets(len(shape))):
            arrays = case.arrays()
            first = tuple(slice(0, 1) if a in axes else slice(None) for a in range(len(shape)))
            arrays[place] = np.asarray(arrays[place][first])

            def function(*xs: Value, place: int = place, shape: Any = shape, case: Case = case) -> Any:
                repeated = broadcast(xs[place], shape=shape)
                return OPS[row.name].apply([*xs[:place], repeated, *xs[place + 1 :]], case.params)

            for given in (arrays, [spaced(a) for a in arrays]):
                assert_same(recorded(function, given), given, f"{case.label} axes {axes} at {place}")


def subsets(count: int) -> list[tuple[int, ...]]:
    return [axes for size in range(count + 1) for axes in itertools.combinations(range(count), size)]


@EACH_ROW
def test_between_transposed_neighbours(row: OpRow) -> None:
    """Operands written inside the line, transposed before and after."""
    for case in row.every_case() or row.cases:
        arrays = [np.ascontiguousarray(a.T) if a.ndim else a for a in case.arrays()]

        def function(*xs: Value, case: Case = case) -> Any:
            return [turned(y) for y in OPS[row.name].apply([turned(x) for x in xs], case.params)]

        assert_same(recorded(function, arrays), arrays, case.label)


def turned(x: Value) -> Value:
    return permute(x, axes=tuple(reversed(range(len(x.shape)))))
