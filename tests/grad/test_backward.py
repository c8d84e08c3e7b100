"""The reverse pass beyond what PyTorch can be asked: long chains, memory, errors in words, origins of nodes."""

import gc
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import DTypeError, GradientError, ShapeError


def leaf(*numbers: float) -> pb.Tensor:
    return pb.tensor(list(numbers), dtype=pb.float64, requires_grad=True)


def test_chain_of_a_hundred_thousand_ops() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(99_999):
        y = -y
    (y * 3).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-3.0]


def test_wide_fan_of_ten_thousand_uses() -> None:
    x = leaf(2.0)
    total = pb.zeros(1, dtype=pb.float64)
    for _ in range(10_000):
        total = total + x
    total.backward()
    assert x.grad.tolist() == [10_000.0]


def test_ladder_of_diamonds_takes_linear_time() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(60):  # 2⁶⁰ paths
        y = (y + y) * 0.5
    y.backward()
    assert x.grad.tolist() == [1.0]


def test_graph_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        x = leaf(1.0)
        h = x * 2
        node, value = weakref.ref(h.grad_fn), weakref.ref(h.value)
        loss = (h * h).sum()
        loss.backward()
        del h, loss
        assert node() is None
        assert value() is None
    finally:
        gc.enable()


def test_backward_lets_go_of_what_it_has_used() -> None:
    x = pb.ones(100_000, dtype=pb.float64, requires_grad=True)

    def held(retain: bool) -> int:
        tracemalloc.start()
        y = x
        for _ in range(10):
            y = (y * 1.5).sin()
        loss = y.sum()
        loss.backward(retain_graph=retain)
        del y
        now = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert loss.item() != 0
        return now

    assert held(retain=True) > 10 * 800_000
    assert held(retain=False) < 4 * 800_000


def test_gradients_flow_in_the_dtype_of_each_value() -> None:
    w = pb.ones(3, dtype=pb.bfloat16, requires_grad=True)
    (w.float() @ pb.ones(3)).backward()
    assert w.grad.dtype is pb.bfloat16


def test_error_of_a_second_pass_names_the_op_and_the_line() -> None:
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GradientError, match=r"through sum \(test_backward\.py:\d+\) already.*retain_graph=True"):
        y.backward()


def test_error_without_a_gradient_says_what_may_be_the_cause() -> None:
    with pytest.raises(GradientError, match=r"no_grad\(\), detached, or are the parameters frozen"):
        pb.ones(1).backward()


def test_error_of_a_shape_says_what_to_do() -> None:
    with pytest.raises(GradientError, match=r"shape \(2,\).*\.sum\(\) or \.mean\(\)"):
        (leaf(1.0, 2.0) * 2).backward()
    with pytest.raises(ShapeError, match=r"shape \(2,\) has that shape too; got \(3,\)"):
        (leaf(1.0, 2.0) * 2).backward(pb.ones(3))


def test_error_of_an_unused_input_names_its_place() -> None:
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(GradientError, match=r"do not depend on input 1.*allow_unused=True"):
        pb.autograd.grad(x.sum(), [x, y])


def test_error_of_writing_to_a_leaf_says_what_to_do() -> None:
    with pytest.raises(GradientError, match=r"add_\(\) writes into a leaf.*no_grad\(\).*clone\(\)"):
        leaf(1.0).add_(1)
    with pytest.raises(DTypeError, match="only tensors of floats can require gradients; this one is int64"):
        pb.ones(2, dtype=pb.int64, requires_grad=True)


def test_writing_to_a_view_is_refused() -> None:
    x = pb.ones(3)
    with pytest.raises(GradientError, match=r"writes into a view.*x\[0\] = y.*clone\(\)"):
        x[0].add_(1)
    with pytest.raises(GradientError, match="writes into a view"):
        x.reshape(3, 1)[0] = 5


def test_earlier_results_keep_their_numbers() -> None:
    x = pb.ones(3)
    y = x * 2
    x.zero_()
    assert y.tolist() == [2.0, 2.0, 2.0]
    w = leaf(1.0, 2.0)
    loss = (w * w).sum()
    with pb.no_grad():
        w.mul_(100)
    loss.backward()
    assert w.grad.tolist() == [2.0, 4.0]  # of the numbers that the loss was made from


def test_no_grad_keeps_no_past() -> None:
    x = leaf(1.0)
    with pb.no_grad():
        y = x * 2
    assert y.grad_fn is None
    assert y.is_leaf


def test_hook_that_returns_another_shape_is_refused() -> None:
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError):
        (x * 2).sum().backward()


def test_hooks_run_once_for_each_backward_pass() -> None:
    x = leaf(1.0)
    seen: list[float] = []
    x.register_hook(lambda g: seen.append(g.item()))
    for _ in range(3):
        (x * 2 + x).sum().backward()
    assert seen == [3.0, 3.0, 3.0]


def test_hooks_and_retain_grad_need_a_gradient() -> None:
    plain = pb.ones(2)
    for attempt in (plain.retain_grad, lambda: plain.register_hook(lambda g: g)):
        with pytest.raises(GradientError, match="requires a gradient"):
            attempt()


def test_a_gradient_that_nobody_holds_is_not_kept() -> None:
    x = leaf(1.0, 2.0)
    hidden = x * 2
    hidden.retain_grad()
    loss = (hidden * hidden).sum()
    del hidden
    loss.backward()
    assert x.grad.tolist() == [8.0, 16.0]


def test_nodes_know_their_line_and_their_forward_node() -> None:
    x = leaf(1.0)
    y = x.exp()
    (g,) = pb.autograd.grad(y.sum(), x, create_graph=True)
    assert y.grad_fn.origin.file == __file__
    assert y.grad_fn.origin.phase == "forward"
    assert g.grad_fn.origin.phase == "backward"
    assert g.grad_fn.origin.of is y.grad_fn
    assert g.grad_fn.origin.line == y.grad_fn.origin.line


@pytest.mark.parametrize("order", range(1, 7))
def test_derivatives_of_any_order(order: int) -> None:
    x = leaf(0.7)
    y: Any = x.exp() * 2
    for _ in range(order):
        (y,) = pb.autograd.grad(y.sum(), x, create_graph=True)
    assert y.item() == pytest.approx(2 * np.exp(0.7), rel=1e-14)


def test_threads_do_not_share_their_modes() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with pb.no_grad(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(pb.is_grad_enabled).result()
        assert not pb.is_grad_enabled()
