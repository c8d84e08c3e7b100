"""Eager, reference and emitted give the same bits, on random programs of tensor functions, forward and backward.

How near the native backend comes on such programs is tested in its own room; that it repeats exactly, here.
"""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings

import pullback as pb
from pullback.backends.reference import prepare
from pullback.base.trees import flatten
from pullback.emit.source import source
from tests.backends.random_programs import ONE, OURS, TWO, RandomProgram, random_programs


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
    step = pb.compile(lambda: program.train(inputs, carried), backend="reference")
    pb.manual_seed(1)
    found = [bits((step(), carried, pb.get_rng_state())) for _ in range(3)]
    assert found == wanted
    assert step.traces <= 2


@settings(max_examples=30)
@given(random_programs())
@example(EVERY_STEP)
def test_arguments_may_vary(program: RandomProgram) -> None:
    forward = pb.compile(lambda *inputs: program.results(list(inputs)), backend="reference")
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
    step = pb.compile(lambda: program.train(inputs, carried), backend="reference")
    pb.manual_seed(1)
    step()
    entry = step.latest
    arrays = [x.array().copy() for x in entry.traced.state]
    wanted = [a.tobytes() for a in prepare(entry.program)([a.copy() for a in arrays])]
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(source(entry.program), "emitted.py", "exec"), space)
    found = [np.asarray(a) for a in space["program"](*arrays)]
    assert [a.tobytes() for a in found] == wanted


@settings(max_examples=15)
@given(random_programs())
@example(EVERY_STEP)
def test_native_runs_repeat_in_every_bit(program: RandomProgram) -> None:
    courses = []
    for _ in range(2):
        inputs, carried = program.tensors(), state()
        step = pb.compile(lambda inputs=inputs, carried=carried: program.train(inputs, carried), backend="native")
        pb.manual_seed(1)
        courses.append([bits((step(), carried, pb.get_rng_state())) for _ in range(3)])
    assert courses[0] == courses[1]


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
    outside = total(pb.compile(lambda *xs: program.results(list(xs)), backend="reference")(*inputs))
    found = pb.autograd.grad(outside, inputs, allow_unused=True) if outside.requires_grad else []
    for a, b in zip(wanted, found, strict=True):
        # Run again for the backward pass, sums of several gradients may come in another order.
        assert (
            (a is None or not a.any())
            if b is None
            else np.allclose(0 if a is None else a.tolist(), b.tolist(), 1e-6, 1e-9, True)
        )


# Numbers are rounded to fewer places here, or lie in another order among equals, or have no second derivative at 0.
NOT_BESIDE_PYTORCH = {"float32", "float16", "bfloat16", "sort", "argsort", "norm", *OURS, "stepped"}


def of_both_orders(program: RandomProgram, lib: Any) -> list[Any]:
    """The results, the gradients of their sum, and the gradients of those."""
    inputs = program.tensors(lib=lib)
    results = program.results(inputs, lib)
    loss = sum((y.double().tanh().mean() for y in (*inputs, *results) if y.numel()), start=inputs[0].sum() * 0)
    first = lib.autograd.grad(loss, inputs, create_graph=True)
    again = sum((g * g).sum() for g in first)
    second = lib.autograd.grad(again, inputs, allow_unused=True) if again.requires_grad else []
    zeros = [x * 0 if g is None else g for x, g in zip(inputs, second, strict=False)]
    return [np.asarray(y.detach().tolist(), np.float64) for y in (*results, *first, *zeros)]


@pytest.mark.oracle
@settings(max_examples=300)
@given(random_programs())
def test_values_and_gradients_of_both_orders_are_pytorchs(program: RandomProgram) -> None:
    torch = pytest.importorskip("torch")
    steps = tuple(step for step in program.steps if step[0] not in NOT_BESIDE_PYTORCH)
    shared = RandomProgram(steps, program.inputs, ("float64",) * len(program.inputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch warns of is not ours to mend
        theirs = of_both_orders(shared, torch)
    for a, b in zip(of_both_orders(shared, pb), theirs, strict=True):
        np.testing.assert_allclose(a, b, 1e-7, 1e-9, equal_nan=True)
