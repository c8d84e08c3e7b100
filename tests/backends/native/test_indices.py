"""Places in arrays as sums over loop variables: against NumPy, for chains of movement ops and for divisions."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.backends.native.indices import (
    IN_PLACE,
    ZERO,
    Affine,
    Divisions,
    Index,
    Var,
    View,
    source_index,
    strides_of,
    variable,
    view_of,
)
from pullback.ir.node import OPS

Step = tuple[str, dict[str, Any], tuple[int, ...]]
SHAPES = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=4).map(tuple)


@st.composite
def movements(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Step]]:
    """A shape, and up to four movement ops one after the other: name, params, and the shape that each is given."""
    shape = start = draw(SHAPES)
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(["permute", "reshape", "broadcast", "slice", "flip"]))
        params = draw(params_of(name, shape))
        steps.append((name, params, shape))
        shape = OPS[name].run([np.zeros(shape)], params)[0].shape
        if math.prod(shape) > 500:
            break
    return start, steps


@st.composite
def params_of(draw: st.DrawFn, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Params with which a movement op takes this shape."""
    axes = list(range(len(shape)))
    if name == "permute":
        return {"axes": tuple(draw(st.permutations(axes)))}
    if name == "flip":
        return {"axes": tuple(draw(st.sets(st.sampled_from(axes))))}
    if name == "broadcast":
        wide = tuple(draw(st.integers(2, 3)) if n == 1 else n for n in shape)
        return {"shape": (*draw(st.sampled_from([(), (2,), (1,)])), *wide)}
    if name == "slice":
        start = [draw(st.integers(0, n - 1)) for n in shape]
        stop = [draw(st.integers(a + 1, n)) for a, n in zip(start, shape, strict=True)]
        return {"start": tuple(start), "stop": tuple(stop), "step": tuple(draw(st.integers(1, 2)) for _ in shape)}
    size = math.prod(shape)
    first = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    return {"shape": draw(st.sampled_from([(size,), (first, size // first), (1, *shape), (*shape, 1)]))}


def value_of(place: Affine, known: dict[Var, int]) -> int:
    """What the sum is for these values of the loops' variables, quotients and remainders worked out."""

    def number(var: Var) -> int:
        if var in known:
            return known[var]
        kind, what, divisor = var.made_of
        inner = value_of(what, known)
        return inner // divisor if kind == "quotient" else inner % divisor

    return place.number + sum(factor * number(var) for var, factor in place.terms)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(movements())
def test_a_chain_of_movements_reads_the_right_numbers(case: tuple[tuple[int, ...], list[Step]]) -> None:
    start, steps = case
    source = moved = np.arange(math.prod(start)).reshape(start)
    for name, params, _ in steps:
        (moved,) = OPS[name].run([moved], params)
    divisions = Divisions()
    loops = [Var(f"i{axis}", n, IN_PLACE) for axis, n in enumerate(moved.shape)]
    index = Index(moved.shape, tuple(map(variable, loops)))
    for name, params, shape in reversed(steps):
        found = source_index(name, params, shape, index, divisions)
        assert found is not None
        assert found.shape == shape
        index = found
    for place in itertools.product(*map(range, moved.shape)):
        known = dict(zip(loops, place, strict=True))
        assert source.reshape(-1)[value_of(index.place(), known)] == moved[place]
        assert 0 <= value_of(index.place(), known) <= index.place().most


@settings(max_examples=300, deadline=None, derandomize=True)
@given(movements())
def test_a_view_lies_where_numpy_has_it(case: tuple[tuple[int, ...], list[Step]]) -> None:
    """Wherever a view is found, its offset and strides lead to the numbers; without reshapes one always is."""
    start, steps = case
    source = moved = np.arange(math.prod(start)).reshape(start)
    for name, params, _ in steps:
        (moved,) = OPS[name].run([moved], params)
    view = view_of(moved.shape, [steps[i] for i in reversed(range(len(steps)))])
    if view is None:
        assert any(name == "reshape" for name, _, _ in steps)
        return
    size = source.itemsize
    seen = np.lib.stride_tricks.as_strided(
        source.reshape(-1)[view.offset :], moved.shape, [s * size for s in view.strides]
    )
    assert np.array_equal(seen, moved)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(-12, 12)), min_size=1, max_size=3),
    st.integers(0, 30),
    st.integers(1, 24),
)
def test_quotient_and_remainder_are_those_of_the_sum(terms: list[tuple[int, int]], number: int, divisor: int) -> None:
    loops = [Var(f"v{i}", n, IN_PLACE) for i, (n, _) in enumerate(terms)]
    what = Affine((), number + sum(-f * (n - 1) for n, f in terms if f < 0))  # never below 0
    for var, (_, factor) in zip(loops, terms, strict=True):
        what = what + variable(var) * factor
    quotient, remainder = Divisions().split(what, divisor)
    for place in itertools.product(*(range(n) for n, _ in terms)):
        known = dict(zip(loops, place, strict=True))
        value = value_of(what, known)
        assert value_of(quotient, known) == value // divisor
        assert value_of(remainder, known) == value % divisor
        assert value <= what.most


def test_rows_of_a_matrix_need_no_division() -> None:
    row, col = Var("row", 6, 1), Var("col", 10, IN_PLACE)
    place = variable(row) * 10 + variable(col)
    assert Divisions().split(place, 10) == (variable(row), variable(col))


def test_only_the_row_is_divided_where_rows_are_batches_of_rows() -> None:
    row, col = Var("row", 12, 1), Var("col", 10, IN_PLACE)
    dims = Index((3, 4, 10), None, variable(row) * 10 + variable(col)).coordinates(Divisions())
    assert dims[2] == variable(col)
    assert all(d.level == 1 for d in dims[:2]), "quotient and remainder are the same for a whole row"


def test_a_variable_with_one_value_is_zero() -> None:
    assert variable(Var("once", 1, IN_PLACE)) == ZERO


def test_transposed_and_sliced_views() -> None:
    assert view_of((3, 2), [("permute", {"axes": (1, 0)}, (2, 3))]) == View(0, (1, 3))
    cut = {"start": (1, 0), "stop": (4, 6), "step": (1, 2)}
    assert view_of((3, 3), [("slice", cut, (5, 6))]) == View(6, (6, 2))
    assert view_of((2, 3), [("broadcast", {"shape": (2, 3)}, (3,))]) == View(0, (0, 1))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4), (1, 1)])
def test_strides_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    real = [s // 8 for s in np.zeros(shape).strides]
    assert [s for s, n in zip(strides_of(shape), shape, strict=True) if n != 1] == [
        s for s, n in zip(real, shape, strict=True) if n != 1
    ]
