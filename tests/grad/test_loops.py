"""Loops: the same as the steps written one after the other, to second order, whatever they read, write and carry."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import PullbackError
from pullback.base.trees import tree_map
from pullback.ir.program import Program
from pullback.tensor.tracing import trace
from tests.contracts.backends import Backend
from tests.contracts.calls import spread

Step = Callable[[Any, Any], tuple[Any, Any]]
STEPS = 5


def numbers(*shape: int, seed: int = 1) -> pb.Tensor:
    return spread(*shape, seed=seed).tensor(pb).detach().requires_grad_()


W, U, BIAS = numbers(4, 4, seed=1), numbers(3, 4, seed=2), numbers(4, seed=3)
X, H = numbers(STEPS, 2, 3, seed=4), numbers(2, 4, seed=5)


def recurrent(h: pb.Tensor, x: pb.Tensor) -> tuple[pb.Tensor, pb.Tensor]:
    h = (h @ W + x @ U + BIAS).tanh()
    return h, h * h


def twice_used(h: pb.Tensor, x: pb.Tensor) -> tuple[pb.Tensor, pb.Tensor]:
    return (h @ W.T + (h * h) @ W + (x @ U) @ W.tanh()).sin(), x


def counting(carry: dict[str, Any], x: pb.Tensor) -> tuple[dict[str, Any], list[Any]]:
    h = (carry["h"] @ W + x @ U).tanh() / (carry["t"] + 1).to(pb.float64)
    return {"h": h, "t": carry["t"] + 1}, [h.sum(-1), carry["t"]]


def stacked(h: pb.Tensor, x: pb.Tensor) -> tuple[pb.Tensor, pb.Tensor]:
    deep = h.reshape(2, 1, 4) @ W.reshape(1, 4, 4).expand(2, 4, 4)
    return deep.reshape(2, 4).tanh() + (x @ U).max(0).values, deep.amax(-1)


def one_after_the_other(step: Step, init: Any, xs: pb.Tensor, reverse: bool = False) -> tuple[Any, Any]:
    carry, found = init, []
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        carry, y = step(carry, xs[t])
        found.append(y if isinstance(y, list) else [y])
    columns = zip(*(found[::-1] if reverse else found), strict=True)
    return carry, [pb.stack(column) for column in columns]


def total(tree: Any) -> pb.Tensor:
    return sum(((leaf * 1.5).sin().sum() for leaf in _leaves(tree) if leaf.dtype.is_floating_point), pb.tensor(0.0))


def _leaves(tree: Any) -> list[pb.Tensor]:
    if isinstance(tree, pb.Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree
    return [leaf for part in parts for leaf in _leaves(part)]


ROWS: dict[str, tuple[Step, Any]] = {
    "recurrent": (recurrent, H),
    "weights used twice": (twice_used, H),
    "a tree with a counter": (counting, {"h": H, "t": pb.tensor(0)}),
    "stacked products": (stacked, H),
}
EACH = pytest.mark.parametrize("name", list(ROWS))
VARIABLES = (W, U, X, H)


def gradients(loop: Callable[..., Any], name: str, reverse: bool, second: bool) -> list[pb.Tensor]:
    step, init = ROWS[name]
    found = pb.autograd.grad(total(loop(step, init, X, reverse=reverse)), VARIABLES, create_graph=second)
    if not second:
        return list(found)
    return list(pb.autograd.grad(sum((g * g * g).sum() for g in found), VARIABLES))


@EACH
@pytest.mark.parametrize("reverse", [False, True])
def test_values(name: str, reverse: bool) -> None:
    step, init = ROWS[name]
    found = pb.scan(step, init, X, reverse=reverse)
    wanted = one_after_the_other(step, init, X, reverse)
    for a, b in zip(_leaves(found), _leaves(wanted), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@EACH
@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
def test_gradients(name: str, second: bool) -> None:
    found = gradients(pb.scan, name, second, second)
    wanted = gradients(one_after_the_other, name, second, second)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)


@EACH
def test_compiled_agrees_with_eager(name: str, backend: Backend) -> None:
    for second in (False, True):
        found = pb.compile(lambda s=second: gradients(pb.scan, name, True, s), backend=backend.name)()
        for a, b in zip(found, gradients(pb.scan, name, True, second), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)


def cut_by_hand(step: Step, init: Any, xs: pb.Tensor, most: int, reverse: bool) -> tuple[Any, list[pb.Tensor]]:
    carry, found = init, []
    order = list(reversed(range(len(xs))) if reverse else range(len(xs)))
    for place, t in enumerate(order):
        if place and place % most == 0:
            carry = tree_map(pb.Tensor.detach, carry)
        carry, y = step(carry, xs[t])
        found.append(y if isinstance(y, list) else [y])
    columns = zip(*(found[::-1] if reverse else found), strict=True)
    return carry, [pb.stack(column) for column in columns]


@pytest.mark.parametrize("most", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["recurrent", "a tree with a counter"])
def test_truncated_is_as_if_detached_by_hand(name: str, most: int, reverse: bool) -> None:
    step, init = ROWS[name]
    found = pb.scan(step, init, X, reverse=reverse, truncate=most)
    wanted = cut_by_hand(step, init, X, most, reverse)
    for a, b in zip(_leaves(found), _leaves(wanted), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    gs, hs = (pb.autograd.grad(total(tree), VARIABLES, create_graph=True) for tree in (found, wanted))
    second = [pb.autograd.grad(sum((g * g).sum() for g in first), (W, U, X)) for first in (gs, hs)]
    for a, b in zip((*gs, *second[0]), (*hs, *second[1]), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_truncated_in_compiled_functions(backend: Backend) -> None:
    def step() -> list[pb.Tensor]:
        return list(pb.autograd.grad(total(pb.scan(recurrent, H, X, truncate=2)), VARIABLES))

    for a, b in zip(backend.compile(step)(), step(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)


def test_truncated_without_xs_and_without_gradients() -> None:
    assert pb.scan(lambda c, x: (c * 2.0, c), pb.tensor(1.0), length=5, truncate=2)[1].tolist() == [1, 2, 4, 8, 16]
    with pb.no_grad():
        assert pb.scan(lambda c, x: (c * 2.0, c), pb.tensor(1.0), length=5, truncate=2)[0].item() == 32.0


def nodes_of(steps: int) -> int:
    """The nodes of a training step with a loop of so many steps, those of programs within included."""
    xs = pb.zeros(steps, 2, 3, dtype=pb.float64)

    def count(program: Program) -> int:
        inner = [node.params["program"] for node in program.nodes if "program" in node.params]
        return len(program.nodes) + sum(map(count, inner))

    return count(trace(lambda: pb.autograd.grad(total(pb.scan(recurrent, H, xs)), (W, U, H))).program)


def test_program_does_not_grow_with_the_steps() -> None:
    assert nodes_of(2) == nodes_of(50)


def test_state_that_is_written_goes_on_from_step_to_step() -> None:
    count, total_so_far = pb.tensor(0), pb.zeros(2)

    def step(carry: pb.Tensor, x: pb.Tensor) -> tuple[pb.Tensor, pb.Tensor]:
        count.add_(1)
        total_so_far.copy_(total_so_far + x)
        return carry, total_so_far * 1.0

    _, ys = pb.scan(step, pb.tensor(0.0), pb.ones(3, 2))
    assert count.item() == 3
    assert total_so_far.tolist() == [3.0, 3.0]
    assert ys[:, 0].tolist() == [1.0, 2.0, 3.0]


def test_random_numbers_differ_from_step_to_step_and_repeat() -> None:
    def noisy() -> list[float]:
        pb.manual_seed(7)
        _, ys = pb.scan(lambda c, x: (c, pb.rand(1)), pb.tensor(0.0), length=4)
        return ys.flatten().tolist()

    first = noisy()
    assert len(set(first)) == 4
    assert noisy() == first
    pb.manual_seed(7)
    assert [pb.rand(1).item() for _ in range(4)] == first


def test_no_xs() -> None:
    power, ys = pb.scan(lambda c, x: (c * 2.0, None if x is None else c), pb.tensor(1.0), length=6)
    assert power.item() == 64.0
    assert ys is None


def cut_off(c: pb.Tensor, row: pb.Tensor) -> tuple[pb.Tensor, pb.Tensor]:
    with pb.no_grad():
        k = pb.tanh(c * row)
    return c * k + row, c * k


def detached(c: pb.Tensor, row: pb.Tensor) -> tuple[pb.Tensor, pb.Tensor]:
    k = pb.tanh(c * row).detach()
    return c * k + row, c * k


@pytest.mark.parametrize("step", [cut_off, detached])
def test_what_is_cut_off_stays_so_to_second_order_and_under_vmap(step: Step) -> None:
    x = pb.tensor([0.5, 1.0, 1.5], dtype=pb.float64, requires_grad=True)

    def first(loop: Any) -> pb.Tensor:
        carry, ys = loop(step, x[0], x)
        (g,) = pb.autograd.grad(carry.sin() + total(ys), x, create_graph=True)
        return g

    for second in (False, True):
        found, wanted = (
            pb.autograd.grad(first(loop).sin().sum(), x)[0] if second else first(loop)
            for loop in (pb.scan, one_after_the_other)
        )
        np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), rtol=1e-10)
    rows = pb.stack([x, x * 2]).detach()
    slopes = pb.vmap(pb.grad(lambda v: pb.scan(step, v[0], v)[1].sum()))(rows)
    wanted = pb.stack([pb.grad(lambda v: one_after_the_other(step, v[0], v)[1][0].sum())(row) for row in rows])
    np.testing.assert_allclose(slopes.numpy(), wanted.numpy(), rtol=1e-10)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_product_among_other_terms_of_a_gradient(order: tuple[int, ...]) -> None:
    w = numbers(3, 3)

    def step(c: pb.Tensor, row: pb.Tensor) -> tuple[pb.Tensor, pb.Tensor]:
        terms = [(w * row).sum(0), (w * c).sum(0), row @ w]
        return sum(terms[i] for i in order).tanh(), c

    x = numbers(STEPS, 3, seed=6).detach()
    start = pb.ones(3, dtype=pb.float64)
    (found,) = pb.autograd.grad(total(pb.scan(step, start, x)), w)
    (wanted,) = pb.autograd.grad(total(one_after_the_other(step, start, x)), w)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-10)


def test_a_loop_that_is_half_needed_behind_another(backend: Backend) -> None:
    x = pb.tensor([0.5, 1.0, 1.5])

    def run(x: pb.Tensor) -> Any:
        _, (a, b) = pb.scan(lambda c, r: (c, (r * 2, r * 3)), pb.zeros(()), x)
        _, (y, _) = pb.scan(lambda c, r: (c, (r[0] + 1, r[1] + 1)), pb.zeros(()), (x, pb.exp(a)))
        return b, y

    backend.assert_agrees(backend.compile(run)(x), run(x))


def test_memory_of_what_is_kept_is_freed() -> None:
    h = numbers(2, 4)
    last, ys = pb.scan(recurrent, h, X)
    assert last.value.beside
    node = last.value.node
    del last, ys
    assert node is not None
    assert all(y is None for y in node.outputs)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pb.scan(lambda c, x: (c.float(), x), H, X), "carries on float32[2, 4] as leaf 0"),
        (lambda: pb.scan(lambda c, x: (c[0], x), H, X), "carries on float64[4] as leaf 0"),
        (lambda: pb.scan(lambda c, x: c, H, X), "must give a pair"),
        (lambda: pb.scan(lambda c, x: ([c], x), H, X), "a tree like the one"),
        (lambda: pb.scan(lambda c, x: (c, x), H, [X, X[:3]]), "equally many"),
        (lambda: pb.scan(lambda c, x: (c, x), H, X[:0]), "at least one"),
        (lambda: pb.scan(lambda c, x: (c, x), H), "`length`"),
        (lambda: pb.scan(lambda c, x: (c, x), H, X, length=3), "`length`"),
        (lambda: pb.scan(lambda c, x: (c, x), 1.0, X), "found float in it"),
        (lambda: pb.scan(lambda c, x: (c, x), H, X, truncate=0), "1 or more; got 0"),
        (lambda: pb.scan(lambda c, x: (c, x), H, X[:0], truncate=2), "at least one"),
    ],
)
def test_wrong_use(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(PullbackError, match=re.escape(words)):
        call()
