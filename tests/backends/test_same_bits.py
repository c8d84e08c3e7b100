"""Eager, compiled and emitted give the same bits, on random programs of tensor functions, forward and backward."""

from typing import Any

import numpy as np
from hypothesis import example, given, settings

import pullback as pb
from pullback.base.trees import flatten
from pullback.emit.source import source
from tests.backends.random_programs import ONE, TWO, RandomProgram, random_programs


def bits(tree: Any) -> list[tuple[str, tuple[int, ...], bytes] | None]:
    """Dtype, shape and bytes of every tensor in a tree."""
    leaves = flatten(tree)[0]
    return [None if y is None else (y.dtype.name, y.shape, y.detach().array().tobytes()) for y in leaves]


def state() -> pb.Tensor:
    return pb.tensor(0.5, dtype=pb.float64)


def eager(program: RandomProgram, runs: int) -> list[Any]:
    inputs, carried = program.tensors(), state()
    pb.manual_seed(1)
    return [bits((program.train(inputs, carried), carried, pb.get_rng_state())) for _ in range(runs)]


EVERY_STEP = RandomProgram(
    tuple((name, i, i + 1) for i, name in enumerate(ONE)) + tuple((name, i, i + 1) for i, name in enumerate(TWO)),
    ((2, 3), (3,), ()),
    ("float64", "float32", "float64"),
)


@settings(max_examples=60)
@given(random_programs())
@example(EVERY_STEP)
def test_compiled_gives_the_bits_of_eager(program: RandomProgram) -> None:
    wanted = eager(program, 3)
    inputs, carried = program.tensors(), state()
    step = pb.compile(lambda: program.train(inputs, carried))
    pb.manual_seed(1)
    found = [bits((step(), carried, pb.get_rng_state())) for _ in range(3)]
    assert found == wanted
    assert step.traces <= 2


@settings(max_examples=30)
@given(random_programs())
@example(EVERY_STEP)
def test_arguments_may_vary(program: RandomProgram) -> None:
    forward = pb.compile(lambda *inputs: program.results(list(inputs)))
    for shift in (0, 7):
        inputs = [x.detach() for x in program.tensors(shift)]
        pb.manual_seed(2)
        wanted = bits(program.results(inputs))
        pb.manual_seed(2)
        assert bits(forward(*inputs)) == wanted
    assert forward.traces == 1


@settings(max_examples=30)
@given(random_programs())
@example(EVERY_STEP)
def test_emitted_source_gives_the_bits_of_compiled(program: RandomProgram) -> None:
    inputs, carried = program.tensors(), state()
    step = pb.compile(lambda: program.train(inputs, carried))
    pb.manual_seed(1)
    step()
    entry = step.latest
    arrays = [x.array().copy() for x in entry.traced.state]
    wanted = [a.tobytes() for a in entry.run([a.copy() for a in arrays])]
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(source(entry.program), "emitted.py", "exec"), space)
    found = [np.asarray(a) for a in space["program"](*arrays)]
    assert [a.tobytes() for a in found] == wanted


@settings(max_examples=30)
@given(random_programs())
def test_gradients_from_outside_are_those_of_eager(program: RandomProgram) -> None:
    def total(results: list[pb.Tensor]) -> pb.Tensor:
        return sum((y.double().tanh().mean() for y in results if y.numel()), start=pb.zeros((), dtype=pb.float64))

    inputs = program.tensors()
    pb.manual_seed(3)
    loss = total(program.results(inputs))
    wanted = pb.autograd.grad(loss, inputs, allow_unused=True) if loss.requires_grad else []
    pb.manual_seed(3)
    outside = total(pb.compile(lambda *xs: program.results(list(xs)))(*inputs))
    found = pb.autograd.grad(outside, inputs, allow_unused=True) if outside.requires_grad else []
    for a, b in zip(wanted, found, strict=True):
        # Run again for the backward pass, sums of several gradients may come in another order.
        assert (
            (a is None or not a.any())
            if b is None
            else np.allclose(0 if a is None else a.tolist(), b.tolist(), 1e-6, 1e-9, True)
        )
