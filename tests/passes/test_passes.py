"""Passes leave the meaning alone, do what their names say, and are checked after each step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback import ops
from pullback.base.dtypes import bool_, float32, float64, int64
from pullback.base.errors import PullbackError
from pullback.ir.node import Value
from pullback.ir.program import Program, check_program, record
from pullback.ir.types import Type
from pullback.ops import interpret
from pullback.passes import PASSES, order, run_passes
from pullback.passes.dead_code import drop_dead_code
from pullback.passes.dedupe import dedupe

VECTOR = Type((3,), float64)


def recorded(function: Callable[..., Sequence[Value]], *types: Type) -> Program:
    return record(function, types or (VECTOR,))


def names(program: Program) -> list[str]:
    return [node.op.name for node in program.nodes]


def assert_same_meaning(before: Program, after: Program) -> None:
    check_program(after)
    arrays = [np.linspace(0.5, 2, t.type.size).reshape(t.shape).astype(t.dtype.numpy) for t in before.inputs]
    for a, b in zip(interpret(before, arrays), interpret(after, arrays), strict=True):
        assert a.tobytes() == b.tobytes()
    assert [v.type for v in after.outputs] == [v.type for v in before.outputs]
    assert [v.type for v in after.inputs] == [v.type for v in before.inputs]


def test_dedupe_computes_once_what_stands_twice() -> None:
    program = recorded(lambda x: [ops.exp(x) + ops.exp(x), ops.exp(ops.sin(x)) * ops.exp(ops.sin(x))])
    after = dedupe(program)
    assert sorted(names(after)) == ["add", "exp", "exp", "mul", "sin"]
    assert_same_meaning(program, after)


def test_dedupe_keeps_apart_what_differs_in_params() -> None:
    def function(x: Value) -> list[Value]:
        whole = ops.sum_(x, axes=(0,), keepdims=True)
        bare = ops.sum_(x, axes=(0,), keepdims=False)
        return [whole, bare, ops.cast(x, dtype=float32), ops.cast(x, dtype=int64)]

    program = recorded(function)
    assert len(dedupe(program).nodes) == 4
    assert_same_meaning(program, dedupe(program))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [(1.0, 1.0, True), (0.0, -0.0, False), (float("nan"), float("nan"), True), (1, 1.0, False), (True, 1, False)],
)
def test_dedupe_tells_numbers_apart_by_their_bits(first: Any, second: Any, same: bool) -> None:
    def function(x: Value) -> list[Value]:
        return [x / ops.full(value=n, shape=(3,), dtype=float64) for n in (first, second)]

    program = recorded(function)
    assert (len(dedupe(program).nodes) == 2) is same
    assert_same_meaning(program, dedupe(program))


def test_dedupe_leaves_the_order_of_operands_alone() -> None:
    def function(x: Value, y: Value) -> list[Value]:
        return [x - y, y - x]

    program = recorded(function, VECTOR, VECTOR)
    assert len(dedupe(program).nodes) == 2


def test_dedupe_of_draws() -> None:
    state = Type((3,), int64)
    same = recorded(lambda s: [ops.random_bits(s, shape=(4,)), ops.random_bits(s, shape=(4,))], state)
    moved = recorded(lambda s: [ops.random_bits(s, shape=(4,)), ops.random_bits(s + 1, shape=(4,))], state)
    assert names(dedupe(same)).count("random_bits") == 1  # a pure function of its state
    assert names(dedupe(moved)).count("random_bits") == 2


def test_dedupe_takes_constants_by_identity() -> None:
    array, twin = np.ones(3), np.ones(3)
    program = recorded(lambda x: [x + ops.constant(array=a) for a in (array, array, twin)])
    assert names(dedupe(program)).count("constant") == 2


def test_dedupe_lets_values_through_detach() -> None:
    program = recorded(lambda x: [ops.detach(ops.exp(x)) + ops.exp(x), ops.detach(x)])
    after = dedupe(program)
    assert names(after) == ["exp", "add"]
    assert after.outputs[1] is after.inputs[0]
    assert_same_meaning(program, after)


def test_dedupe_keeps_names_and_the_first_origin() -> None:
    w = pb.ones(3)
    w.label = "w"

    def step(x: pb.Tensor) -> pb.Tensor:
        a = (x * w).exp()
        b = (x * w).exp()
        return a + b

    compiled = pb.compile(step)
    compiled(pb.ones(3))
    traced, program = compiled.latest.traced.program, compiled.latest.program
    assert [value.name for value in program.inputs] == [value.name for value in traced.inputs]
    assert "w" in [value.name for value in program.inputs]
    first = next(node for node in traced.nodes if node.op.name == "exp")
    (only,) = [node for node in program.nodes if node.op.name == "exp"]
    assert only.origin == first.origin


def test_dead_code_goes() -> None:
    def function(x: Value) -> list[Value]:
        ops.exp(ops.sin(x))
        y = ops.cos(x)
        ops.tanh(y)
        return [y]

    full = record(function, [VECTOR])
    unpruned = Program(full.inputs, full.nodes, full.outputs)
    assert names(drop_dead_code(unpruned)) == ["cos"]
    program = recorded(lambda x: [ops.exp(x), ops.sin(x)])
    cut = drop_dead_code(Program(program.inputs, program.nodes, program.outputs[1:]))
    assert names(cut) == ["sin"]
    assert cut.inputs == program.inputs


def test_a_program_of_inputs_alone_stays() -> None:
    program = recorded(lambda x: [x, x])
    after = run_passes(program)
    assert after.nodes == ()
    assert_same_meaning(program, after)


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_leaves_a_training_step_alone(name: str) -> None:
    model = pb.nn.Sequential(pb.nn.Linear(4, 5), pb.nn.ReLU(), pb.nn.Dropout(0.5), pb.nn.Linear(5, 2))
    optimizer = pb.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @pb.compile
    def step(x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        loss = pb.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step(pb.ones(3, 4), pb.tensor([0, 1, 1]))
    entry = step.latest
    traced = entry.traced.program
    after = PASSES[name](traced)
    check_program(after)
    arrays = [np.ones((3, 4), np.float32), np.array([0, 1, 1])]
    arrays += [x.array() for x in entry.traced.state]
    arrays += [np.asarray(read()) for read in entry.traced.numbers]
    for a, b in zip(interpret(traced, arrays), interpret(after, arrays), strict=True):
        assert a.tobytes() == b.tobytes()
    assert PASSES[name](after).nodes == after.nodes or len(PASSES[name](after).nodes) == len(after.nodes)


def test_a_pass_that_breaks_the_program_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(program: Program) -> Program:
        return Program(program.inputs, program.nodes[1:], program.outputs)

    monkeypatch.setitem(order.PASSES, "forget", forget)
    with pytest.raises(PullbackError, match=r"uses .* which nothing before it defines"):
        run_passes(recorded(lambda x: [ops.exp(ops.sin(x))]))


def test_comparisons_survive() -> None:
    program = recorded(lambda x: [ops.where(ops.lt(x, x * 2.0), x, x * 3.0), ops.eq(x, x)])
    after = run_passes(program)
    assert_same_meaning(program, after)
    assert after.outputs[1].dtype is bool_
