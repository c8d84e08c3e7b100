"""Programs: recording, inlining, checking, printing, and what lives how long."""

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback import ops
from pullback.base.dtypes import float32, float64, int64
from pullback.base.errors import DTypeError, PullbackError, ShapeError, TraceError
from pullback.ir.mode import mode
from pullback.ir.node import OPS, Value
from pullback.ir.origin import Origin
from pullback.ir.program import Program, Recorder, check_program, inline, live_nodes, program_text, record, recording
from pullback.ir.types import Type
from pullback.ops import interpret

VECTOR = Type((3,), float64)
X = np.array([0.5, 1.0, 2.0])


def test_types_print_and_compare() -> None:
    t = Type((10, 30), float32)
    assert str(t) == "float32[10, 30]"
    assert str(Type((), int64)) == "int64[]"
    assert (t.rank, t.size, t.nbytes) == (2, 300, 1200)
    assert t == Type((10, 30), float32) != t.with_shape((30, 10)) != t.with_dtype(float64)
    assert len({t, Type((10, 30), float32)}) == 1


def test_record_and_interpret() -> None:
    program = record(lambda x, y: [ops.exp(x) * y, x], [VECTOR, VECTOR])
    a, b = interpret(program, [X, X])
    np.testing.assert_array_equal(a, np.exp(X) * X)
    assert b is X
    assert [node.op.name for node in program.nodes] == ["exp", "mul"]


def test_what_comes_from_outside_is_a_constant() -> None:
    known = Value(VECTOR, X * 10)
    program = record(lambda x: [x + known + known], [VECTOR])
    assert [node.op.name for node in program.nodes] == ["constant", "add", "add"]
    np.testing.assert_array_equal(interpret(program, [X])[0], X + X * 20)


def test_a_value_of_another_program_is_refused() -> None:
    stray = Recorder().input(VECTOR)
    with pytest.raises(TraceError, match="was kept and used outside"):
        record(lambda x: [x + stray], [VECTOR])


def test_unused_nodes_are_not_recorded() -> None:
    program = record(lambda x: [ops.sin(x), ops.exp(x)][:1], [VECTOR])
    assert [node.op.name for node in program.nodes] == ["sin"]


def test_live_nodes_keep_their_order() -> None:
    program = record(lambda x: [ops.exp(ops.sin(x)), ops.cos(x)], [VECTOR])
    assert [n.op.name for n in live_nodes(program.nodes, program.outputs[:1])] == ["sin", "exp"]


def test_last_uses_say_what_may_be_dropped() -> None:
    program = record(lambda x: [ops.exp(y := ops.sin(x)) * y], [VECTOR])
    sin, exp, mul = program.nodes
    first, second, third = program.last_uses()
    assert first == [program.inputs[0]]
    assert second == []
    assert set(third) == {sin.output, exp.output}
    assert mul.output not in third


def test_interpreter_drops_what_is_dead() -> None:
    def chain(x: Value) -> list[Value]:
        for _ in range(10):
            x = ops.sin(x)
        return [x]

    program = record(chain, [Type((100_000,), float64)])
    x = np.ones(100_000)
    tracemalloc.start()
    interpret(program, [x])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * x.nbytes


def test_inline_applies_the_same_ops_with_their_origins() -> None:
    program = record(lambda x: [ops.exp(x) * 2.0], [VECTOR])
    again = record(lambda x: inline(program, [ops.sin(x)]), [VECTOR])
    np.testing.assert_array_equal(interpret(again, [X])[0], np.exp(np.sin(X)) * 2)
    exp = next(node for node in again.nodes if node.op.name == "exp")
    assert exp.origin is program.nodes[0].origin
    (value,) = inline(program, [Value(VECTOR, X)])
    np.testing.assert_array_equal(value.data, np.exp(X) * 2)


def test_program_counts_its_work() -> None:
    program = record(lambda x: [ops.matmul(x, x) + x], [Type((4, 4), float32)])
    assert program.flops == 2 * 4 * 4 * 4 + 16


def test_check_finds_a_wrong_type() -> None:
    program = record(lambda x: [ops.exp(x)], [VECTOR])
    program.nodes[0].types = (Type((4,), float64),)
    with pytest.raises(PullbackError, match=r"says its type is .*\(4,\).* but its rule gives .*\(3,\)"):
        check_program(program)


def test_check_finds_what_is_not_defined() -> None:
    program = record(lambda x: [ops.exp(ops.sin(x))], [VECTOR])
    with pytest.raises(PullbackError, match="which nothing before it defines"):
        check_program(Program(program.inputs, program.nodes[::-1], program.outputs))
    with pytest.raises(PullbackError, match=r"the program gives .* which nothing defines"):
        check_program(Program(program.inputs, program.nodes[:1], program.outputs))


def test_text_has_a_line_for_each_node() -> None:
    program = record(lambda x: [ops.sum_(x * 2.0, axes=(0,), keepdims=False)], [VECTOR])
    lines = program_text(program).split("\n")
    assert lines[0] == "inputs %0: float64[3]"
    assert re.fullmatch(
        r"%1 = full\(value=2\.0, shape=\(3,\), dtype=pullback\.float64\) : float64\[3\]  # forward .*", lines[1]
    )
    assert lines[2].startswith("%2 = mul(%0, %1) : float64[3]  # forward test_program.py:")
    assert lines[3].startswith("%3 = sum(%2, axes=(0,), keepdims=False) : float64[]")
    assert lines[4] == "outputs %3"
    assert str(program) == program_text(program)


def test_recording_ends_with_an_error() -> None:
    with pytest.raises(ZeroDivisionError), recording(Recorder()):
        raise ZeroDivisionError
    assert mode.recorder is None


def test_eager_values_keep_no_node_without_need() -> None:
    x = Value(VECTOR, X)
    assert ops.exp(x).node is None
    x.requires_grad = True
    assert ops.exp(x).node is not None
    assert ops.exp(x).requires_grad
    assert not ops.detach(x).requires_grad
    assert not ops.lt(x, x).requires_grad
    with pb.no_grad():
        assert ops.exp(x).node is None


def test_a_released_node_has_let_go() -> None:
    x = Value(VECTOR, X, requires_grad=True)
    y = ops.exp(x)
    y.node.release()
    assert y.node.released
    assert y.node.inputs == ()


def test_rules_speak_before_meanings() -> None:
    a, b = Value(VECTOR, X), Value(Type((4,), float64), np.ones(4))
    with pytest.raises(ShapeError, match=r"add needs equal shapes; got float64\[3\] and float64\[4\]"):
        ops.add(a, b)
    with pytest.raises(DTypeError, match=r"exp works on float tensors; got int64\[2\]"):
        ops.exp(Value(Type((2,), int64), np.array([1, 2])))


def test_an_op_is_declared_once() -> None:
    from pullback.ops.record import op

    with pytest.raises(ValueError, match="an op named exp exists already"):

        @op(lambda x: x, None)
        def exp(x: object) -> object:
            """Again."""
            return x

    assert OPS["exp"].doc.startswith("The exponential")


class Block:
    """Anything that lists its parts by path."""

    def __init__(self, parts: dict[str, object]) -> None:
        self.parts = parts

    def named_modules(self) -> list[tuple[str, object]]:
        return [("", self), *self.parts.items()]


def test_origins_name_line_module_and_phase() -> None:
    inner = Block({})
    outer = Block({"blocks.0": inner})
    origin = Origin(modules=(outer, inner))
    assert origin.module_path == "blocks.0"
    assert str(Origin()) == "unknown place"
    x = pb.ones(1, requires_grad=True)
    y = (x * 2).exp()
    here = y.grad_fn.origin
    assert here.file == __file__
    assert str(here) == f"test_program.py:{here.line}"
    first, last, left, right = here.span
    line = Path(__file__).read_text(encoding="utf-8").split("\n")[first - 1]
    assert first == last
    assert line[left:right] == "(x * 2).exp()"


def test_origins_of_layers_and_phases() -> None:
    model = pb.nn.Sequential(pb.nn.Linear(2, 3), pb.nn.Sequential(pb.nn.Linear(3, 1)))
    optimizer = pb.optim.SGD(model.parameters(), lr=0.1)

    @pb.compile
    def step(x: pb.Tensor) -> pb.Tensor:
        loss = model(x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step(pb.ones(4, 2))
    nodes = step.latest.program.nodes
    assert {node.origin.phase for node in nodes} == {"forward", "backward", "update"}
    assert {"0", "1.0"} <= {node.origin.module_path for node in nodes if node.op.name == "matmul"}
    assert all(
        node.origin.of is not None for node in nodes if node.origin.phase == "backward" and node.op.name == "matmul"
    )
    updated = {node.origin.detail for node in nodes if node.origin.phase == "update"}
    assert len([name for name in updated if "weight" in name]) == 2, updated
