"""Walks the registry of ops: each has a rule for rows, which gives what a loop over the rows and a stack give."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.grad.vmap import RULES
from pullback.ir.node import OPS
from pullback.tensor.tensor import Tensor, from_array
from tests.contracts.rows_ops import ROWS, Case, OpRow
from tests.contracts.test_ops import OTHER_LOOPS, applied

COUNT = 3
EACH_ROW = pytest.mark.parametrize("row", list(ROWS.values()), ids=list(ROWS))


def test_every_op_has_a_rule() -> None:
    assert not OPS.keys() - RULES.keys(), "add a line for each new op to RULES in grad/vmap.py"
    assert not RULES.keys() - OPS.keys(), "rules for ops that are gone"


def turned(array: np.ndarray[Any, Any], by: int) -> np.ndarray[Any, Any]:
    """The same numbers in other places."""
    return np.roll(array.reshape(-1), by).reshape(array.shape)


def mappings(row: OpRow, case: Case) -> Iterator[tuple[bool, ...]]:
    """Each choice of inputs that are mapped; of alike ones none, all, and each alone."""
    count = len(case.inputs)
    every = itertools.product([False, True], repeat=count)
    return (flags for flags in every if count < 3 or row.name != "concat" or sum(flags) in (0, 1, count))


def arguments(case: Case, flags: tuple[bool, ...]) -> list[Tensor]:
    """The inputs of a case, those that are mapped with other numbers in each row."""
    arrays = case.arrays()
    rows = [np.stack([turned(a, k) for k in range(COUNT)]) if f else a for a, f in zip(arrays, flags, strict=True)]
    return [from_array(a) for a in rows]


def both_ways(row: OpRow, case: Case, flags: tuple[bool, ...], inputs: list[Tensor]) -> tuple[list[Tensor], ...]:
    """The op for all rows by vmap, and by a loop and a stack."""
    function = applied(row, case)
    dims = (0, *(0 if f else None for f in flags))
    mapped = pb.vmap(lambda _, *xs: function(*xs), in_dims=dims, randomness="same")(pb.zeros(COUNT), *inputs)
    singles = [function(*[x[k] if f else x for x, f in zip(inputs, flags, strict=True)]) for k in range(COUNT)]
    return list(mapped), [pb.stack(column) for column in zip(*singles, strict=True)]


@EACH_ROW
def test_gives_what_a_loop_gives(row: OpRow) -> None:
    for case in row.every_case() or row.cases:
        for flags in mappings(row, case):
            found, wanted = both_ways(row, case, flags, arguments(case, flags))
            for a, b in zip(found, wanted, strict=True):
                assert a.type_ == b.type_, (case.label, flags)
                if row.name in OTHER_LOOPS:
                    tolerance = {"float64": 1e-13, "float32": 1e-5}.get(a.dtype.name, 1e-2)
                    np.testing.assert_allclose(a.array().astype(float), b.array().astype(float), tolerance, tolerance)
                else:
                    assert a.array().tobytes() == b.array().tobytes(), (case.label, flags)


@EACH_ROW
def test_gradients_are_those_of_a_loop(row: OpRow) -> None:
    if OPS[row.name].gradient is None:
        return
    for case in row.cases:
        for flags in mappings(row, case):
            inputs = [x.requires_grad_(x.dtype.is_floating_point) for x in arguments(case, flags)]
            variables = [x for x in inputs if x.requires_grad]
            for ys in zip(*both_ways(row, case, flags, inputs), strict=True):
                if not ys[1].requires_grad or ys[1].dtype is not pb.float64:
                    continue
                seed = from_array(np.linspace(0.5, 1.5, ys[1].numel()).reshape(ys[1].shape))
                a, b = (pb.autograd.grad(y, variables, seed, retain_graph=True, allow_unused=True) for y in ys)
                for g, h in zip(a, b, strict=True):
                    left, right = (np.zeros(()) if x is None else x.array() for x in (g, h))
                    np.testing.assert_allclose(left, right, 1e-12, 1e-12, err_msg=f"{case.label} {flags}")
