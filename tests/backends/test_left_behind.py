"""What a compiled function may not leave behind, and hooks on the leaves that it reads."""

from types import SimpleNamespace
from typing import Any

import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, TraceError


def test_a_tensor_kept_in_a_variable_is_refused() -> None:
    average: Any = 0.0

    @pb.compile
    def step(x: pb.Tensor) -> pb.Tensor:
        nonlocal average
        average = 0.9 * average + 0.1 * x.mean()
        return x

    with pytest.raises(TraceError, match=r"kept a tensor that it made in average.*average\.copy_"):
        step(pb.ones(2))


def test_a_tensor_kept_in_an_attribute_is_refused() -> None:
    memory = SimpleNamespace(state=pb.zeros(2))

    @pb.compile
    def step(x: pb.Tensor) -> pb.Tensor:
        memory.state = memory.state + x
        return x

    with pytest.raises(TraceError, match=r"memory\.state"):
        step(pb.ones(2))


def test_writing_into_a_tensor_made_outside_is_right() -> None:
    average = pb.zeros(())

    @pb.compile
    def step(x: pb.Tensor) -> pb.Tensor:
        average.copy_(0.5 * average + 0.5 * x.mean())
        return average.clone()

    assert [step(pb.ones(2)).item() for _ in range(3)] == [0.5, 0.75, 0.875]
    assert average.item() == 0.875


@pytest.mark.parametrize("change", [lambda d: d.update(y=d["x"]), lambda d: d.update(x=d["x"] * 2)])
def test_a_changed_argument_is_refused(change: Any) -> None:
    @pb.compile
    def step(batch: dict[str, pb.Tensor]) -> pb.Tensor:
        change(batch)
        return batch["x"]

    with pytest.raises(TraceError, match="list or dict that it was given"):
        step({"x": pb.ones(2)})


def test_compile_takes_functions_and_modules() -> None:
    model = pb.compile(pb.nn.Linear(2, 1))
    assert len(list(model.parameters())) == 2
    assert model(pb.ones(3, 2)).shape == (3, 1)
    with pytest.raises(ArgumentError, match="got a int"):
        pb.compile(3)
    with pytest.raises(ArgumentError, match="generator"):
        pb.compile(lambda: (yield))


@pytest.mark.parametrize("compiled", [False, True])
def test_hooks_of_a_leaf_outlive_its_updates(compiled: bool) -> None:
    w = pb.ones(2, requires_grad=True)
    handle = w.register_hook(lambda g: g * 0)
    optimizer = pb.optim.SGD([w], lr=0.1)

    def plain(x: pb.Tensor) -> pb.Tensor:
        optimizer.zero_grad()
        loss = (w * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    step = pb.compile(plain) if compiled else plain
    for _ in range(3):
        step(pb.ones(2))
        assert w.grad is not None
        assert w.grad.tolist() == [0.0, 0.0]
    handle.remove()
    step(pb.ones(2))
    assert w.grad is not None
    assert w.grad.tolist() == [1.0, 1.0]
