"""Functions of functions beyond torch.func: in compiled functions, over parameters, without a past, errors in words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from tests.contracts.backends import Backend
from tests.contracts.calls import spread


def numbers(*shape: int, seed: int = 1) -> pb.Tensor:
    return spread(*shape, seed=seed).tensor(pb).detach()


def loss(x: pb.Tensor) -> pb.Tensor:
    return (x.exp() * x.sin()).sum()


TRANSFORMED: dict[str, Callable[[pb.Tensor], Any]] = {
    "grad": pb.grad(loss),
    "value_and_grad": pb.value_and_grad(loss),
    "jacobian": pb.jacobian(lambda x: x * x.sum()),
    "hessian": pb.hessian(loss),
    "vjp": lambda x: pb.vjp(pb.sin, x)[1](x),
    "jvp": lambda x: pb.jvp(pb.sin, (x,), (x,)),
    "hvp": lambda x: pb.hvp(loss, (x,), (x,)),
    "grad of grad": pb.grad(lambda x: pb.grad(loss)(x).sum()),
}
EACH = pytest.mark.parametrize("name", TRANSFORMED)


def leaves(result: Any) -> list[pb.Tensor]:
    return [y for part in result for y in leaves(part)] if isinstance(result, tuple) else [result]


@EACH
def test_results_have_no_past(name: str) -> None:
    x = numbers(3)
    assert all(y.is_leaf and not y.requires_grad for y in leaves(TRANSFORMED[name](x)))
    assert not x.requires_grad
    assert x.grad is None


@EACH
def test_compiled_gives_the_same(name: str, backend: Backend) -> None:
    x = numbers(3)
    compiled = backend.compile(TRANSFORMED[name])
    for given in (x, x * 2):
        backend.assert_agrees(compiled(given), TRANSFORMED[name](given))
    assert compiled.traces == 1


@EACH
def test_differentiable_outside(name: str) -> None:
    x = numbers(2)
    assert pb.gradcheck(lambda x: leaves(TRANSFORMED[name](x)), x, eps=1e-4, rtol=1e-6, atol=1e-8)


@EACH
def test_works_within_no_grad(name: str) -> None:
    x = numbers(3)
    with pb.no_grad():
        inside = leaves(TRANSFORMED[name](x))
    assert [y.tolist() for y in inside] == [y.tolist() for y in leaves(TRANSFORMED[name](x))]


def test_gradients_reach_parameters_that_the_function_reads() -> None:
    w = numbers(3).requires_grad_()
    x = numbers(3, seed=2)
    (slope,) = leaves(pb.grad(lambda x: (w * x**2).sum())(x))
    slope.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * x.numpy())


def test_backward_goes_through_a_transform_of_a_variable() -> None:
    x = numbers(3).requires_grad_()
    pb.grad(loss)(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), pb.hessian(loss)(x.detach()).numpy().sum(0), rtol=1e-12)


def test_backward_inside_a_transformed_function_reaches_its_leaf() -> None:
    w = numbers(2).requires_grad_()

    def f(x: pb.Tensor) -> pb.Tensor:
        (w * 3).sum().backward()
        return x.sum()

    assert pb.grad(f)(numbers(2)).tolist() == [1.0, 1.0]
    assert w.grad.tolist() == [3.0, 3.0]


@dataclass
class Pair:
    left: pb.Tensor
    right: pb.Tensor


def test_trees_of_dataclasses() -> None:
    found = pb.grad(lambda p: (p.left * p.right).sum())(Pair(numbers(2), numbers(2, seed=3)))
    assert isinstance(found, Pair)
    assert found.left.tolist() == numbers(2, seed=3).tolist()


def test_name_and_docstring_stay() -> None:
    assert pb.grad(loss).__name__ == "loss"
    assert pb.hessian(loss).__wrapped__ is not None  # type: ignore[attr-defined]


def test_errors_say_what_was_wrong() -> None:
    x = numbers(2)
    with pytest.raises(ShapeError, match=r"gave shape \(2,\): use jacobian or vjp"):
        pb.grad(lambda x: x * 2)(x)
    with pytest.raises(ShapeError, match="this one gave float"):
        pb.grad(lambda x: 2.0)(x)
    with pytest.raises(DTypeError, match=r"argument 0 is differentiated.*got a tensor of int64"):
        pb.grad(lambda x: x.sum())(pb.tensor([1, 2]))
    with pytest.raises(DTypeError, match=r"argument 0 is differentiated.*got float"):
        pb.grad(lambda x: x)(2.0)
    with pytest.raises(ArgumentError, match="argnums 3 must name arguments; the function was called with 1"):
        pb.grad(loss, 3)(x)
    with pytest.raises(ShapeError, match="each tangent must have the shape of its primal"):
        pb.jvp(pb.sin, (x,), (numbers(3),))
    with pytest.raises(ShapeError, match="the value's structure and shapes"):
        pb.vjp(pb.sin, x)[1]((x, x))
    with pytest.raises(DTypeError, match="must give tensors"):
        pb.jacobian(lambda x: "text")(x)


def test_jacobian_of_no_elements() -> None:
    assert pb.jacobian(lambda x: x[:0] * 2)(numbers(3)).shape == (0, 3)
    assert pb.jacobian(lambda x: x * 2)(numbers(0, 2)).shape == (0, 2, 0, 2)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_jvp_and_vjp_agree_with_the_jacobian(shape: tuple[int, ...]) -> None:
    def f(x: pb.Tensor) -> pb.Tensor:
        return (x * x.sum()).tanh().reshape(-1)

    x, v = numbers(*shape), numbers(*shape, seed=5)
    full = pb.jacobian(f)(x).numpy().reshape(x.numel(), x.numel())
    u = numbers(x.numel(), seed=6)
    np.testing.assert_allclose(pb.jvp(f, (x,), (v,))[1].numpy(), full @ v.numpy().reshape(-1), rtol=1e-12)
    (pulled,) = pb.vjp(f, x)[1](u)
    np.testing.assert_allclose(pulled.numpy().reshape(-1), u.numpy() @ full, rtol=1e-12)


def test_jacobian_within_a_training_step() -> None:
    w = numbers(3).requires_grad_()

    @pb.compile
    def step(x: pb.Tensor) -> pb.Tensor:
        penalty = (pb.grad(lambda x: (w * x).tanh().sum())(x) ** 2).sum()
        w.grad = None
        penalty.backward()
        with pb.no_grad():
            w.sub_(0.1 * w.grad)
        return penalty

    x = numbers(3, seed=2)
    losses = [step(x).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert step.traces <= 2


@pytest.mark.parametrize("transform", [pb.jvp, pb.hvp])
def test_bare_tensors_are_no_tuple_of_primals(transform: Any) -> None:
    with pytest.raises(ArgumentError, match="primals is a tuple with one entry for each argument; got a Tensor"):
        transform(pb.sin, pb.tensor([1.0]), pb.tensor([1.0]))
