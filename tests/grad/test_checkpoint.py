"""Checkpoint: the same gradients from less memory; random numbers repeat; parameters, nesting, higher orders."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from tests.contracts.backends import Backend
from tests.contracts.calls import spread


def numbers(*shape: int, seed: int = 1) -> pb.Tensor:
    return spread(*shape, seed=seed).tensor(pb).detach()


def block(x: pb.Tensor, w: pb.Tensor) -> pb.Tensor:
    return ((x @ w).tanh() * x).exp().sum()


def gradients(function: Callable[..., Any], *inputs: pb.Tensor) -> list[list[Any]]:
    given = [x.clone().detach().requires_grad_() for x in inputs]
    function(*given).backward()
    return [x.grad.tolist() for x in given]


def test_values_and_gradients_are_bit_for_bit_the_same() -> None:
    x, w = numbers(3, 3), numbers(3, 3, seed=2)
    plain = gradients(block, x, w)
    assert gradients(lambda x, w: pb.checkpoint(block, x, w), x, w) == plain
    assert pb.checkpoint(block, x, w).tolist() == block(x, w).tolist()


def test_second_order() -> None:
    inputs = (numbers(3, 3), numbers(3, 3, seed=2))
    assert pb.gradcheck(
        lambda x, w: pb.checkpoint(block, x, w), inputs, eps=1e-4, rtol=1e-6, atol=1e-8, second_order=True
    )
    x = numbers(2).requires_grad_()
    y: Any = pb.checkpoint(lambda x: x.exp() * x, x)
    for _ in range(3):
        (y,) = pb.autograd.grad(y.sum(), x, create_graph=True)
    np.testing.assert_allclose(y.detach().numpy(), np.exp(x.tolist()) * (np.array(x.tolist()) + 3), rtol=1e-12)


def test_parameters_that_the_function_reads_get_their_gradients() -> None:
    w = numbers(3).requires_grad_()
    x = numbers(3, seed=2).requires_grad_()
    pb.checkpoint(lambda: (w * x).sin().sum()).backward()
    np.testing.assert_allclose(w.grad.numpy(), np.cos(np.array(w.tolist()) * x.tolist()) * x.tolist())
    np.testing.assert_allclose(x.grad.numpy(), np.cos(np.array(w.tolist()) * x.tolist()) * w.tolist())


def test_random_numbers_repeat() -> None:
    x = pb.ones(1000, requires_grad=True)

    def noisy(x: pb.Tensor) -> pb.Tensor:
        return x * (pb.rand(1000) > 0.5).to(pb.float32) * 2

    pb.manual_seed(5)
    y = pb.checkpoint(noisy, x)
    after = pb.get_rng_state().tolist()
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()  # the mask of the backward pass is that of the forward pass
    assert pb.get_rng_state().tolist() == after
    pb.manual_seed(5)
    assert noisy(x).tolist() == y.tolist()
    assert pb.get_rng_state().tolist() == after


def test_dropout_inside() -> None:
    dropout = pb.nn.Dropout(0.5)
    x = pb.ones(1000, requires_grad=True)
    y = pb.checkpoint(dropout, x)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert 300 < sum(v == 0 for v in y.tolist()) < 700


def test_nested() -> None:
    x = numbers(4)

    def inner(x: pb.Tensor) -> pb.Tensor:
        return (x * x).sin()

    def outer(x: pb.Tensor) -> pb.Tensor:
        return pb.checkpoint(inner, pb.checkpoint(inner, x) * 2).sum()

    assert gradients(lambda x: pb.checkpoint(outer, x), x) == gradients(lambda x: inner(inner(x) * 2).sum(), x)


def test_several_results_some_unused() -> None:
    x = numbers(4)

    def f(x: pb.Tensor) -> Any:
        return {"a": x.exp(), "b": [x.sin(), x > 0], "c": 3}

    found = pb.checkpoint(f, x)
    assert found["c"] == 3
    assert found["b"][1].dtype is pb.bool
    assert gradients(lambda x: pb.checkpoint(f, x)["b"][0].sum(), x) == gradients(lambda x: x.sin().sum(), x)


def test_keyword_arguments_and_what_requires_no_gradient() -> None:
    x = numbers(3)
    y = pb.checkpoint(
        lambda x, power=1, scale=None: x**power * scale, x, power=3, scale=pb.tensor(2.0, dtype=pb.float64)
    )
    np.testing.assert_allclose(y.numpy(), 2 * x.numpy() ** 3)
    assert not y.requires_grad


def test_whole_numbers_among_the_inputs() -> None:
    x, places = numbers(4), pb.tensor([2, 0, 2])
    assert gradients(lambda x: pb.checkpoint(lambda x, i: x[i].exp().sum(), x, places), x) == gradients(
        lambda x: x[places].exp().sum(), x
    )


def test_within_a_compiled_step(backend: Backend) -> None:
    w = numbers(3, 3).requires_grad_()

    def step(x: pb.Tensor, wrap: Callable[..., Any]) -> pb.Tensor:
        w.grad = None
        loss = wrap(block, x, w)
        loss.backward()
        return loss

    x = numbers(3, 3, seed=2)
    eager = [step(x, lambda f, *args: f(*args)), w.grad]
    compiled = backend.compile(lambda x: step(x, pb.checkpoint))
    backend.assert_agrees([compiled(x), w.grad], eager)


def test_a_compiled_function_inside() -> None:
    x = numbers(3, 3)
    inner = pb.compile(lambda x: (x @ x).tanh().sum())
    assert gradients(lambda x: pb.checkpoint(inner, x), x) == gradients(inner, x)


def test_gradient_may_be_none_at_some_inputs() -> None:
    x, unused = numbers(2).requires_grad_(), numbers(2).requires_grad_()
    pb.checkpoint(lambda x, u: x * 2, x, unused).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    assert unused.grad is None or unused.grad.tolist() == [0.0, 0.0]


def test_a_state_written_inside_is_written_once() -> None:
    count = pb.zeros(())

    def f(x: pb.Tensor) -> pb.Tensor:
        count.add_(1)
        return x * 2

    x = numbers(2).requires_grad_()
    pb.checkpoint(f, x).sum().backward()
    assert count.item() == 1


def test_hooks_and_retained_gradients_outside_still_work() -> None:
    x = numbers(2).requires_grad_()
    h = x * 2
    h.retain_grad()
    pb.checkpoint(lambda h: (h * h).sum(), h).backward()
    np.testing.assert_allclose(h.grad.numpy(), 2 * h.detach().numpy())


def test_errors_come_through() -> None:
    with pytest.raises(ZeroDivisionError):
        pb.checkpoint(lambda x: x * (1 // 0), numbers(2))
    assert (numbers(2) * 2).array().shape == (2,)  # nothing is being recorded any more


WIDTH, DEPTH = 50_000, 24


def deep(x: pb.Tensor) -> pb.Tensor:
    for _ in range(4):
        x = (x * 1.01).sin()
    return x


def peak(layer: Callable[[pb.Tensor], pb.Tensor]) -> int:
    """The most bytes held at once by forward and backward of a deep chain."""
    x = pb.ones(WIDTH, requires_grad=True)
    gc.collect()
    tracemalloc.start()
    y = x
    for _ in range(DEPTH):
        y = layer(y)
    y.sum().backward()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert x.grad is not None
    return most


def test_memory_is_really_lower() -> None:
    bytes_of_one = WIDTH * 4
    plain, saved = peak(deep), peak(lambda x: pb.checkpoint(deep, x))
    assert plain > DEPTH * 6 * bytes_of_one
    assert saved < (DEPTH + 16) * bytes_of_one
    assert saved < plain / 3


def f_with_a_constant_part(x: pb.Tensor) -> pb.Tensor:
    with pb.no_grad():
        scale = x.sum()
    return (x * scale).sum()


def f_with_a_gradient_taken_as_constant(x: pb.Tensor) -> pb.Tensor:
    (slope,) = pb.autograd.grad((x**3).sum(), x)
    return (slope * x).sum()


WRAPPINGS: dict[str, Callable[[Any], Any]] = {
    "checkpoint": lambda f: lambda x: pb.checkpoint(f, x),
    "checkpoint twice": lambda f: lambda x: pb.checkpoint(lambda x: pb.checkpoint(f, x), x),
    "compiled, differentiated outside": pb.compile,
    "compiled checkpoint": lambda f: pb.compile(lambda x: pb.checkpoint(f, x)),
    "vmap": lambda f: lambda x: pb.vmap(f)(x.unsqueeze(0)).sum(),
    "loop": lambda f: lambda x: pb.scan(lambda c, row: (c + f(row), c), x.sum() * 0, x.unsqueeze(0))[0],
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("f", [f_with_a_constant_part, f_with_a_gradient_taken_as_constant])
def test_what_was_cut_off_stays_cut_off(f: Callable[[Any], Any], wrapping: str) -> None:
    """A function that is run again gets no gradient where it wanted none: within no_grad, or of a gradient."""
    found = []
    for function in (f, WRAPPINGS[wrapping](f)):
        x = spread(3).tensor(pb)
        function(x).backward()
        found.append(x.grad.numpy())
    np.testing.assert_allclose(found[1], found[0], 1e-12)
