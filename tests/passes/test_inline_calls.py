"""Called programs are written out, attached gradients are left out, and checkpoints keep what they are for."""

from typing import Any

import pytest

import pullback as pb
from pullback.ir.program import Program
from pullback.ops import interpret
from pullback.passes import NATIVE_PASSES, order, run_native_passes, run_passes
from pullback.passes.inline_calls import inline_calls
from tests.passes.rule_contract import bits
from tests.passes.steps import Block, assert_agrees, peak_bytes, training_program


def names(program: Program) -> list[str]:
    return [node.op.name for node in program.nodes]


class Doubled(pb.autograd.Function):
    """2x with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: pb.Tensor) -> pb.Tensor:
        ctx.save_for_backward(x)
        return x.exp() * 2

    @staticmethod
    def backward(ctx: Any, g: pb.Tensor) -> pb.Tensor:
        (x,) = ctx.saved_tensors
        return g * x.exp() * 3


class Deep(pb.nn.Module):
    """Layers in segments, each of which may be a checkpoint."""

    def __init__(self, kept: bool) -> None:
        super().__init__()
        self.layers = pb.nn.ModuleList([pb.nn.Linear(32, 32) for _ in range(12)])
        self.kept = kept

    def forward(self, x: pb.Tensor) -> pb.Tensor:
        """All segments, one after the other."""
        for i in range(0, 12, 4):
            x = self.segment(x, i) if self.kept else pb.checkpoint(self.segment, x, i)
        return x

    def segment(self, x: pb.Tensor, first: int) -> pb.Tensor:
        """Four layers."""
        for layer in self.layers[first : first + 4]:
            x = layer(x).tanh() * 1.0
        return x


def deep_step(kept: bool) -> tuple[Program, list[Any]]:
    pb.manual_seed(3)
    model = Deep(kept)
    optimizer = pb.optim.SGD(model.parameters(), lr=0.1)
    return training_program(model, optimizer, lambda m, x: m(x).square().mean(), pb.randn(512, 32))


def test_a_checkpoint_is_written_out() -> None:
    program, arrays = deep_step(kept=False)
    assert names(program).count("call") == 6
    after = inline_calls(program)
    assert "call" not in names(after)
    for a, b in zip(interpret(program, arrays), interpret(after, arrays), strict=True):
        assert bits(a) == bits(b)
    assert [v.name for v in after.inputs] == [v.name for v in program.inputs]
    assert names(after).count("tanh") == 24  # each once forward and once again


def test_recomputation_survives_all_native_passes() -> None:
    program, arrays = deep_step(kept=False)
    after = run_native_passes(program)
    assert names(after).count("tanh") == 24
    assert_agrees(program, after, arrays)
    kept, _ = deep_step(kept=True)
    lean, full = peak_bytes(after, arrays), peak_bytes(run_native_passes(kept), arrays)
    assert lean < 0.7 * full
    assert lean < 1.1 * peak_bytes(program, arrays)


def test_a_pass_that_merges_the_recomputation_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    program, arrays = deep_step(kept=False)
    lean = peak_bytes(run_native_passes(program), arrays)
    monkeypatch.setitem(order.NATIVE_PASSES, "dedupe", order.PASSES["dedupe"])
    merged = run_native_passes(program)
    assert names(merged).count("tanh") == 12
    assert peak_bytes(merged, arrays) > 1.3 * lean


def test_checkpoints_within_checkpoints() -> None:
    pb.manual_seed(0)
    model = Block(8, 2)
    optimizer = pb.optim.SGD(model.parameters(), lr=0.1)

    def loss(model: Any, x: pb.Tensor) -> pb.Tensor:
        return pb.checkpoint(lambda v: pb.checkpoint(model, v.tanh()).sin(), x).square().mean()

    program, arrays = training_program(model, optimizer, loss, pb.randn(2, 3, 8))
    after = run_native_passes(program)
    assert "call" not in names(after)
    assert_agrees(program, after, arrays, 1e-4)


def test_own_gradients_leave_no_trace() -> None:
    model = pb.nn.Linear(3, 3)
    optimizer = pb.optim.SGD(model.parameters(), lr=0.1)
    x = pb.randn(4, 3)
    program, arrays = training_program(model, optimizer, lambda m, x: Doubled.apply(m(x)).sum(), x)
    assert "attach_gradient" in names(program)
    after = inline_calls(program)
    assert names(after).count("attach_gradient") == 0
    assert names(after).count("exp") == 1  # what the gradient computes again without meaning to is computed once
    assert_agrees(program, after, arrays, 0)


def test_programs_without_calls_stay_as_they_are() -> None:
    program, _ = deep_step(kept=True)
    assert names(inline_calls(program)) == names(program)


def test_the_default_passes_leave_calls_alone() -> None:
    program, _ = deep_step(kept=False)
    assert names(run_passes(program)) == names(program)
    assert not set(NATIVE_PASSES) & set(order.PASSES)
