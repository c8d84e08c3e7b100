"""A compiled function that reads `.grad` sees the gradient that is there when it is called, on every backend."""

import pytest

import pullback as pb

EACH = pytest.mark.parametrize("backend", ["reference", "native"])


@EACH
def test_an_update_uses_the_gradient_of_each_backward(backend: str) -> None:
    w = pb.ones(3, requires_grad=True)
    optimizer = pb.optim.SGD([w], lr=1.0)

    @pb.compile(backend=backend)
    def update() -> pb.Tensor:
        optimizer.step()
        return w.detach().sum()

    found = []
    for i in range(1, 5):
        w.grad = None
        (w * float(i)).sum().backward()
        found.append(update().item())
    assert found == [0.0, -6.0, -15.0, -27.0]
    assert update.traces == 1


@EACH
def test_a_gradient_is_added_to_what_is_there(backend: str) -> None:
    v = pb.ones(3, requires_grad=True)

    @pb.compile(backend=backend)
    def backward(x: pb.Tensor) -> pb.Tensor:
        loss = (v * x).sum()
        loss.backward()
        return loss

    for _ in range(2):
        backward(pb.ones(3))
    assert v.grad.tolist() == [2.0] * 3
    v.grad = pb.full((3,), 10.0)
    kept = v.grad.detach()
    for _ in range(2):
        backward(pb.ones(3))
    assert v.grad.tolist() == [12.0] * 3
    assert kept.tolist() == [10.0] * 3, "a snapshot stays as it was"
    assert backward.traces == 2


@EACH
def test_a_gradient_that_is_changed_in_place_is_the_one_that_is_there(backend: str) -> None:
    u = pb.ones(3, requires_grad=True)

    @pb.compile(backend=backend)
    def halve() -> pb.Tensor:
        u.grad.mul_(0.5)
        return u.grad.sum()

    for size in (2.0, 4.0):
        u.grad = pb.full((3,), size)
        given = u.grad
        assert halve().item() == 1.5 * size
        assert given.tolist() == [size / 2] * 3
        assert u.grad is given
    assert halve.traces == 1


@EACH
def test_a_parameter_that_is_updated_and_returned_stays_a_leaf(backend: str) -> None:
    u = pb.ones(3, requires_grad=True)
    optimizer = pb.optim.SGD([u], lr=1.0)

    @pb.compile(backend=backend)
    def update() -> pb.Tensor:
        optimizer.step()
        return u.sum()

    (u * 3).sum().backward()
    update()
    assert u.is_leaf
    (u * 2).sum().backward()
    assert u.grad.tolist() == [5.0] * 3


@EACH
def test_a_hook_that_was_taken_away_traces_nothing_anew(backend: str) -> None:
    w = pb.ones(3, requires_grad=True)
    w.register_hook(lambda g: g * 2).remove()

    @pb.compile(backend=backend)
    def step(x: pb.Tensor) -> pb.Tensor:
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss

    for _ in range(3):
        step(pb.ones(3))
    assert step.traces == 1
    handle = w.register_hook(lambda g: g * 2)
    step(pb.ones(3))
    assert w.grad.tolist() == [2.0] * 3
    handle.remove()
    step(pb.ones(3))
    assert w.grad.tolist() == [1.0] * 3
    assert step.traces == 2
