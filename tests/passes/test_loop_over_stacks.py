"""Loops in place of stacks: the same numbers for every layer that makes stacks, and an order that works."""

from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback import ops
from pullback.base.dtypes import float64, int64
from pullback.ir.node import OPS, Value
from pullback.ir.program import Program, check_program, record
from pullback.ir.types import Type
from pullback.ops import interpret
from pullback.passes import loop_over_stacks as pass_
from pullback.passes.loop_over_stacks import loop_over_stacks, treats_entries_alone
from tests.contracts import layer_contracts
from tests.contracts.backends import Backend
from tests.contracts.layer_row import LayerRow, every_layer_row, spread_out
from tests.contracts.rows_ops import ROWS, Case

STACKED = ("Conv", "Pool", "Attention", "Transformer", "Fold", "Unfold", "InstanceNorm2d", "Bilinear")
NATIVE = Backend("native")


@pytest.fixture
def eager_to_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can be a loop becomes one."""
    for name, least in (("FEWEST_BYTES", 0), ("FEWEST_FLOPS", 0), ("FEWEST_TURNS", 2)):
        monkeypatch.setattr(pass_, name, least)


def rows_with_stacks() -> list[LayerRow]:
    return [row for row in every_layer_row() if any(part in row.layer for part in STACKED)]


@pytest.mark.parametrize("row", spread_out(rows_with_stacks(), each=1))
def test_every_layer_that_makes_stacks(row: LayerRow, eager_to_loop: None) -> None:
    layer_contracts.check_compiled_agrees_with_eager(row, NATIVE)


def cases() -> list[Any]:
    """Every case of every op that has a leading axis of two or more entries."""
    found = []
    for row in ROWS.values():
        first = (row.dtypes or " ").split(" ")[0]
        for case in [case.in_dtype(first, row.data) for case in row.cases] if first else row.cases:
            types = OPS[row.name].infer(case.types(), case.params)
            if len(types) == 1 and types[0].rank > 1 and types[0].shape[0] >= 2:
                found.append(pytest.param(row.name, case, id=f"{row.name} {case.label}"))
    return found


@pytest.mark.parametrize(("name", "case"), cases())
def test_every_op_by_entries(name: str, case: Case, eager_to_loop: None) -> None:
    """The op between two products, so that it falls into a loop where it treats entries alone."""
    types = [t.with_dtype(float64) if t.dtype.is_floating_point else t for t in case.types()]
    if any(0 in t.shape for t in types):
        pytest.skip("nothing to multiply")

    def function(*inputs: Value) -> list[Value]:
        y = OPS[name].apply([_multiplied(x) for x in inputs], case.params)[0]
        return [_multiplied(y)]

    program = record(function, types)
    looped = loop_over_stacks(program)
    check_program(looped)
    arrays = [a.astype(t.dtype.numpy) for a, t in zip(case.arrays(), types, strict=True)]
    for a, b in zip(interpret(program, arrays), interpret(looped, arrays), strict=True):
        np.testing.assert_array_equal(a, b)


def _multiplied(x: Value) -> Value:
    """The value times a matrix of ones, where that is a stack of products."""
    if len(x.shape) < 3 or x.dtype is not float64:
        return x
    ones = ops.full(value=1.0, shape=(*x.shape[:-2], x.shape[-1], x.shape[-1]), dtype=x.dtype)
    return ops.matmul(x, ones)


def loops_in(program: Program) -> list[Any]:
    return [node for node in program.nodes if node.op.name == "scan"]


def scores(q: Value, k: Value, v: Value) -> list[Value]:
    s = ops.matmul(q, ops.permute(k, axes=(0, 2, 1)))
    e = ops.exp(s)
    total = ops.broadcast(ops.sum_(e, axes=(2,), keepdims=True), shape=e.shape)
    return [ops.matmul(e / total, v)]


def test_attention_is_one_loop() -> None:
    x = Type((8, 256, 16), float64)
    program = loop_over_stacks(record(scores, [x, x, x]))
    (loop,) = loops_in(program)
    assert [node.op.name for node in program.nodes if node.op.name in ("matmul", "exp")] == []
    assert loop.params["length"] == 8
    assert loop.types[0].shape == (8, 256, 16)


def test_small_stacks_stay_as_they_are() -> None:
    x = Type((8, 16, 16), float64)
    assert loops_in(loop_over_stacks(record(scores, [x, x, x]))) == []


def test_what_needs_a_whole_comes_between_two_loops(eager_to_loop: None) -> None:
    """The mean over all entries needs the first product and is needed by the second: they cannot share a loop."""

    def function(x: Value, y: Value) -> list[Value]:
        first = ops.matmul(x, y)
        mean = ops.broadcast(ops.sum_(first, axes=(0,), keepdims=True), shape=first.shape)
        second = ops.matmul(first, mean)
        return [ops.matmul(second, first)]

    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=(3, 4, 4)) for _ in range(2)]
    program = record(function, [Type((3, 4, 4), float64)] * 2)
    looped = loop_over_stacks(program)
    assert len(loops_in(looped)) == 2
    for a, b in zip(interpret(program, arrays), interpret(looped, arrays), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_repeated_for_every_entry_is_made_before_the_loop(eager_to_loop: None) -> None:
    """A matrix as large as the stack is high, worked out from and for the stack: its rows are no entries."""

    def function(x: Value, m: Value) -> list[Value]:
        gate = ops.broadcast(ops.sigmoid(m), shape=x.shape)
        return [ops.matmul(x * gate, x), ops.gather(ops.matmul(x, x), ops.cast(m, dtype=int64), axis=2)]

    rng = np.random.default_rng(2)
    arrays = [rng.normal(size=(4, 4, 4)), rng.uniform(0, 4, size=(4, 4))]
    program = record(function, [Type((4, 4, 4), float64), Type((4, 4), float64)])
    looped = loop_over_stacks(program)
    assert loops_in(looped)
    for a, b in zip(interpret(program, arrays), interpret(looped, arrays), strict=True):
        np.testing.assert_array_equal(a, b)


def test_windows_are_laid_out_for_each_sample_alone() -> None:
    conv = pb.nn.Conv2d(8, 16, 3, padding=1)
    x = pb.randn(32, 8, 24, 24)

    @pb.compile(backend="native")
    def step(x: pb.Tensor) -> Any:
        return pb.autograd.grad((conv(x) ** 2).sum(), list(conv.parameters()))

    step(x)
    windows = 32 * 8 * 9 * 24 * 24 * 4
    assert step.report(seconds=0.0).memory.arena < windows / 2


def test_moves_treat_entries_alone_only_along_other_axes() -> None:
    x = Type((2, 3, 4), float64)
    for function, alone in (
        (lambda v: ops.permute(v, axes=(0, 2, 1)), True),
        (lambda v: ops.permute(v, axes=(1, 0, 2)), False),
        (lambda v: ops.reshape(v, shape=(2, 12)), True),
        (lambda v: ops.reshape(v, shape=(6, 4)), False),
        (lambda v: ops.flip(v, axes=(0,)), False),
        (lambda v: ops.flip(v, axes=(1,)), True),
        (lambda v: ops.sum_(v, axes=(0, 1), keepdims=True), False),
        (lambda v: ops.sum_(v, axes=(1,), keepdims=False), True),
        (lambda v: ops.cumsum(v, axis=0), False),
    ):
        (node,) = record(lambda v, function=function: [function(v)], [x]).nodes
        assert treats_entries_alone(node) is alone, node
