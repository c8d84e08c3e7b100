"""Gradients written by the user: what they may be, and what goes wrong when they are not."""

from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.autograd import Function, GradcheckError
from pullback.base.errors import GradientError, ShapeError
from tests.contracts.backends import Backend
from tests.contracts.calls import spread


def numbers(*shape: int, seed: int = 1) -> pb.Tensor:
    return spread(*shape, seed=seed).tensor(pb).detach()


class Exp(Function):
    """eˣ, whose backward pass uses the output."""

    @staticmethod
    def forward(ctx: Any, x: pb.Tensor) -> pb.Tensor:
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: pb.Tensor) -> pb.Tensor:
        (y,) = ctx.saved_tensors
        return g * y


class Scaled(Function):
    """x · w · k with a plain number k."""

    @staticmethod
    def forward(ctx: Any, x: pb.Tensor, w: pb.Tensor, k: float) -> pb.Tensor:
        ctx.save_for_backward(x, w)
        ctx.k = k
        return x * w * k

    @staticmethod
    def backward(ctx: Any, g: pb.Tensor) -> Any:
        x, w = ctx.saved_tensors
        return g * w * ctx.k, g * x * ctx.k, None


def test_gradients_of_both_orders() -> None:
    assert pb.gradcheck(Exp.apply, numbers(3), eps=1e-4, rtol=1e-6, atol=1e-8, second_order=True)
    inputs = (numbers(3), numbers(3, seed=2), 2.5)
    assert pb.gradcheck(Scaled.apply, inputs, eps=1e-4, rtol=1e-6, atol=1e-8, second_order=True)


def test_within_a_compiled_step(backend: Backend) -> None:
    w = numbers(3).requires_grad_()

    def step(x: pb.Tensor) -> pb.Tensor:
        w.grad = None
        loss = (Scaled.apply(x, w, 2.0) * Exp.apply(w)).sum()
        loss.backward()
        return loss

    x = numbers(3, seed=2)
    eager = [step(x), w.grad]
    compiled = backend.compile(step)
    for _ in range(2):
        backend.assert_agrees([compiled(x), w.grad], eager)
    other = x * 3
    eager = [step(other), w.grad]
    backend.assert_agrees([compiled(other), w.grad], eager)
    assert compiled.traces <= 2


def test_within_checkpoint_and_transforms() -> None:
    x = numbers(3)
    (g,) = pb.autograd.grad(pb.checkpoint(lambda x: Exp.apply(x).sum(), v := x.clone().requires_grad_()), v)
    assert g.tolist() == x.exp().tolist()
    assert pb.grad(lambda x: Exp.apply(x).sum())(x).tolist() == x.exp().tolist()
    np.testing.assert_allclose(pb.hessian(lambda x: Exp.apply(x).sum())(x).numpy(), np.diag(np.exp(x.numpy())))


def test_backward_is_not_asked_without_need() -> None:
    class Never(Function):
        @staticmethod
        def forward(ctx: Any, x: pb.Tensor) -> pb.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: pb.Tensor) -> pb.Tensor:
            raise AssertionError("was asked")

    assert Never.apply(numbers(2)).requires_grad is False
    with pb.no_grad():
        assert Never.apply(numbers(2).requires_grad_()).requires_grad is False


def test_needs_input_grad_says_which() -> None:
    seen: list[tuple[bool, ...]] = []

    class Add(Function):
        @staticmethod
        def forward(ctx: Any, x: pb.Tensor, y: pb.Tensor, k: int) -> pb.Tensor:
            return x + y * k

        @staticmethod
        def backward(ctx: Any, g: pb.Tensor) -> Any:
            seen.append(ctx.needs_input_grad)
            return g, None, None

    x = numbers(2).requires_grad_()
    Add.apply(x, numbers(2), 2).sum().backward()
    assert seen == [(True, False, False)]


def test_an_output_without_a_gradient_counts_as_zero() -> None:
    class Two(Function):
        @staticmethod
        def forward(ctx: Any, x: pb.Tensor) -> Any:
            return x * 2, x * 3

        @staticmethod
        def backward(ctx: Any, a: pb.Tensor, b: pb.Tensor) -> pb.Tensor:
            return a * 2 + b * 3

    x = numbers(2).requires_grad_()
    first, _ = Two.apply(x)
    first.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def wrong(result: Any) -> type[Function]:
    """A function whose backward gives this."""

    class Wrong(Function):
        @staticmethod
        def forward(ctx: Any, x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
            return x * y

        @staticmethod
        def backward(ctx: Any, g: pb.Tensor) -> Any:
            return result(g)

    return Wrong


def test_a_wrong_number_of_gradients_is_refused() -> None:
    x, y = numbers(2).requires_grad_(), numbers(2).requires_grad_()
    with pytest.raises(GradientError, match=r"Wrong\.backward must give a gradient .* each of the 2 arguments.*gave 1"):
        wrong(lambda g: g).apply(x, y).sum().backward()


def test_a_gradient_of_a_wrong_shape_is_refused() -> None:
    x, y = numbers(2).requires_grad_(), numbers(2).requires_grad_()
    with pytest.raises(ShapeError, match=r"Wrong\.backward gave float64\[\] for argument 1, which is float64\[2\]"):
        wrong(lambda g: (g, g.sum())).apply(x, y).sum().backward()


def test_a_gradient_that_is_no_tensor_is_refused() -> None:
    x, y = numbers(2).requires_grad_(), numbers(2).requires_grad_()
    with pytest.raises(GradientError, match=r"Wrong\.backward gave float for argument 0"):
        wrong(lambda g: (1.0, None)).apply(x, y).sum().backward()


def test_a_gradient_of_another_dtype_is_cast() -> None:
    x, y = numbers(2).requires_grad_(), numbers(2).requires_grad_()
    wrong(lambda g: (g.float(), g)).apply(x, y).sum().backward()
    assert x.grad.dtype is pb.float64


def test_what_is_missing_is_named() -> None:
    class Empty(Function):
        pass

    with pytest.raises(NotImplementedError, match=r"static method forward\(ctx, \*args\)"):
        Empty.apply(numbers(2))


def test_the_checker_names_the_function() -> None:
    with pytest.raises(GradcheckError, match=r"the gradient of wrong\.<locals>\.Wrong \(test_function\.py:\d+\)"):
        pb.gradcheck(wrong(lambda g: (g, g)).apply, (numbers(2), numbers(2)))


def test_straight_through_in_training() -> None:
    class Sign(Function):
        @staticmethod
        def forward(ctx: Any, x: pb.Tensor) -> pb.Tensor:
            return x.sign()

        @staticmethod
        def backward(ctx: Any, g: pb.Tensor) -> pb.Tensor:
            return g

    w = pb.tensor([0.3, -0.2], requires_grad=True)
    for _ in range(20):
        loss = ((Sign.apply(w) - pb.tensor([-1.0, 1.0])) ** 2).sum()
        w.grad = None
        loss.backward()
        with pb.no_grad():
            w -= 0.1 * w.grad
    assert Sign.apply(w).tolist() == [-1.0, 1.0]


def test_non_tensor_results_and_inplace_are_as_they_are() -> None:
    class Twice(Function):
        @staticmethod
        def forward(ctx: Any, x: pb.Tensor) -> pb.Tensor:
            y = x.clone()
            y.mul_(2)
            return y

        @staticmethod
        def backward(ctx: Any, g: pb.Tensor) -> pb.Tensor:
            return g * 2

    x = numbers(2).requires_grad_()
    y = Twice.apply(x)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
