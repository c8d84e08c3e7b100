"""What is computed together: few sweeps over memory for what a step is made of, and on any program a valid order."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import pullback as pb
from pullback.ir.node import Value
from pullback.ir.program import Program
from pullback.passes import run_native_passes
from pullback.passes.fuse import Group, fuse
from pullback.passes.kinds import is_inlined, kind_of
from tests.backends.native.larger_programs import LargerProgram, larger_programs
from tests.backends.native.workloads import WORKLOADS
from tests.backends.random_programs import RandomProgram, random_programs

F = pb.nn.functional


def native_program(function: Callable[..., Any], *args: Any) -> Program:
    """The program of a function as the native backend gets it."""
    compiled = pb.compile(function, backend="reference")
    compiled(*args)
    return run_native_passes(compiled.latest.program)


def layer_norm(x: pb.Tensor) -> pb.Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred * ((centred * centred).mean(-1, keepdim=True) + 1e-5).rsqrt()


def with_backward(forward: Callable[..., pb.Tensor]) -> Callable[..., Any]:
    """A step with the gradients of an input and of a scale and a shift for each column."""
    x, w, b = (pb.ones(*shape, requires_grad=True) for shape in ((64, 129), (129,), (129,)))

    def step(g: pb.Tensor) -> Any:
        result = forward(x) * w + b
        for p in (x, w, b):
            p.grad = None
        (result * g).sum().backward()
        return result

    return step


def cross_entropy_step() -> Callable[..., Any]:
    logits = pb.randn(64, 129, requires_grad=True)

    def step(y: pb.Tensor) -> Any:
        loss = F.cross_entropy(logits, y)
        logits.grad = None
        loss.backward()
        return loss

    return step


def update(make: Callable[[Any], Any]) -> Callable[..., Any]:
    p = pb.ones(300, 200, requires_grad=True)
    optimizer = make([p])

    def step(g: pb.Tensor) -> None:
        p.grad = g
        optimizer.step()

    return step


X, Y, G = pb.ones(64, 129), pb.tensor(np.arange(64)), pb.ones(300, 200)

# What is traced, its arguments, and the sizes of the groups that sweep over more than the rows.
SMALL: dict[str, tuple[Callable[[], Callable[..., Any]], tuple[Any, ...], list[int]]] = {
    "softmax": (lambda: lambda x: x.softmax(1), (X,), [64 * 129]),
    "log softmax": (lambda: lambda x: x.log_softmax(1), (X,), [64 * 129]),
    "softmax of columns": (lambda: lambda x: x.softmax(0), (X,), 3 * [64 * 129]),
    "layer norm": (lambda: layer_norm, (X,), [64 * 129]),
    "gelu, scaled": (lambda: lambda x: F.gelu(x) * 2 + x, (X,), [64 * 129]),
    "softmax of a product's rows": (lambda: lambda x: (x @ x.T).softmax(1), (X,), [64 * 64]),
    "softmax and its gradient": (lambda: with_backward(lambda x: x.softmax(1)), (X,), [64 * 129]),
    "layer norm and its gradient": (lambda: with_backward(layer_norm), (X,), [64 * 129]),
    "cross-entropy": (lambda: lambda x, y: F.cross_entropy(x, y), (X, Y), [64 * 129]),
    "cross-entropy and its gradient": (cross_entropy_step, (Y,), [64 * 129]),
    "Adam": (lambda: update(lambda ps: pb.optim.Adam(ps, lr=0.1)), (G,), [60_000]),
    "AdamW": (lambda: update(lambda ps: pb.optim.AdamW(ps, lr=0.1)), (G,), [60_000]),
    "momentum": (lambda: update(lambda ps: pb.optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.1)), (G,), [60_000]),
    "RMSprop": (lambda: update(lambda ps: pb.optim.RMSprop(ps, lr=0.1)), (G,), [60_000]),
}


@pytest.mark.parametrize("name", SMALL)
def test_one_sweep_over_memory(name: str) -> None:
    make, args, sizes = SMALL[name]
    groups = fuse(native_program(make(), *args))
    assert [g.size for g in groups if g.kind == "loops" and g.size > 300] == sizes


def test_an_update_of_each_parameter_is_one_kernel() -> None:
    """And with the products, the activation, and the loss and its gradient that is all that a step of W2 sweeps."""
    groups = fuse(workload_program("W2"))
    large = [g for g in groups if g.kind == "loops" and g.size >= 64 * 10]
    assert sorted(g.size for g in large) == sorted([64 * 128, 64 * 128, 64 * 10, 784 * 128, 1280])
    assert sum(g.kind == "whole" for g in groups) == 5


def workload_program(name: str) -> Program:
    make, loss_of, optimiser, batches = WORKLOADS[name]
    model = make()
    optimizer = optimiser(model.parameters())

    def step(x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        loss = loss_of(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return native_program(step, *batches()[0])


# Any program
def assert_valid(program: Program, groups: Sequence[Group]) -> None:
    """Each value that must lie in memory is computed once, after all that it is made of."""
    owner: dict[Value, int] = {}
    for i, group in enumerate(groups):
        assert group.roots
        for value in group.roots:
            assert value not in owner, f"{value} is computed twice"
            owner[value] = i
    given = set(program.inputs) | {n.output for n in program.nodes if kind_of(n) == "leaf"}
    for value in program.outputs:
        assert value in owner or value in given, f"the output {value} is never computed"
    for i, group in enumerate(groups):
        for value in group.inputs:
            assert value in given or owner[value] < i, f"{value} is read before it is computed"
        assert_reaches_inputs(group)


def assert_reaches_inputs(group: Group) -> None:
    """All that a group needs is read from its inputs, is another root of it, or can be worked out on the spot."""
    to_do = [x for root in group.roots if root.node is not None for x in root.node.inputs]
    seen: set[Value] = set()
    while to_do:
        value = to_do.pop()
        if value in seen or value in group.inputs or value in group.roots:
            continue
        seen.add(value)
        assert value.node is not None, f"{value} is needed but not read"
        assert is_inlined(value.node), f"{value.node} cannot be worked out on the spot"
        to_do += value.node.inputs


def assert_levels_fit(group: Group) -> None:
    sizes = {"full": group.size, "row": group.rows, "column": group.cols, "total": 1}
    for value, level in group.roots.items():
        if group.kind == "loops":
            assert value.type.size == sizes[level], (value, level)


def check(program: Program) -> None:
    groups = fuse(program)
    assert_valid(program, groups)
    for group in groups:
        assert_levels_fit(group)


@pytest.mark.parametrize("name", WORKLOADS)
def test_workloads_are_put_in_order(name: str) -> None:
    check(workload_program(name))


@settings(max_examples=60)
@given(random_programs())
def test_small_programs_are_put_in_order(random: RandomProgram) -> None:
    state = pb.tensor(0.5, dtype=pb.float64)
    inputs = [x.requires_grad_() for x in random.tensors()]
    check(native_program(lambda *xs: random.train(list(xs), state), *inputs))


@settings(max_examples=25)
@given(larger_programs(most=14))
def test_larger_programs_are_put_in_order(random: LargerProgram) -> None:
    parameters = random.parameters()

    def step(x: pb.Tensor, y: pb.Tensor) -> Any:
        last, loss = random.loss(x, y, parameters)
        for p in parameters.values():
            p.grad = None
        loss.backward()
        return last, loss

    batch = [random.numbers(random.shape, seed, 1.0, 0.0) for seed in (10, 11)]
    check(native_program(step, *batch))


@pytest.mark.parametrize("fault", ["twice", "too late", "missing", "unread"])
def test_a_wrong_order_would_be_noticed(fault: str) -> None:
    program = native_program(lambda x: (x @ x.T).softmax(1).sum(0), X)
    groups = list(fuse(program))
    assert_valid(program, groups)
    if fault == "twice":
        groups[-1].roots |= groups[0].roots
    elif fault == "too late":
        groups.reverse()
    elif fault == "missing":
        groups.pop()
    else:
        groups[-1].inputs.clear()
    with pytest.raises((AssertionError, KeyError)):
        assert_valid(program, groups)
