"""Programs put together at random: what is written inside a line, left to NumPy or named gives the same bits."""

from collections.abc import Callable

import numpy as np
import pytest

from pullback import ops
from pullback.base.dtypes import float32, float64
from pullback.emit import body
from pullback.ir.node import Value
from tests.emit.emitted import Array, assert_same, recorded

Rng = np.random.Generator


def unary(rng: Rng, known: list[Value]) -> Value:
    """A function of one value."""
    function = [ops.neg, ops.exp, ops.tanh, ops.sigmoid, ops.abs_, ops.detach][rng.integers(6)]
    return function(pick(rng, known))


def binary(rng: Rng, known: list[Value]) -> Value:
    """A function of two values of one shape, of which one may be a number or repeated."""
    x = pick(rng, known)
    function = [ops.add, ops.sub, ops.mul, ops.div, ops.maximum, ops.pow_][rng.integers(6)]
    pair = [x, partner(rng, x, known)]
    return function(*(pair if rng.random() < 0.5 else pair[::-1]))


def partner(rng: Rng, x: Value, known: list[Value]) -> Value:
    """Another value of the same shape: a number, one that is there, one repeated, or the value itself."""
    kind = rng.integers(4)
    if kind == 0:
        return ops.filled_like(x, float(rng.choice([0, 1, 2, 0.5, -0.1])))
    if kind == 1:
        axes = tuple(i for i in range(len(x.shape)) if rng.random() < 0.5)
        return ops.broadcast(ops.sum_(x, axes=axes, keepdims=True), shape=x.shape) if axes else x
    alike = [y for y in known if y.shape == x.shape]
    return alike[rng.integers(len(alike))]


def choice(rng: Rng, known: list[Value]) -> Value:
    """One of two values, place by place."""
    x = pick(rng, known)
    return ops.where(ops.lt(x, partner(rng, x, known)), x, partner(rng, x, known))


def moved(rng: Rng, known: list[Value]) -> Value:
    """Axes in another order, another shape, or a part."""
    x = pick(rng, known)
    kind = rng.integers(3)
    if kind == 0:
        return ops.permute(x, axes=tuple(int(i) for i in rng.permutation(len(x.shape))))
    if kind == 1:
        return ops.reshape(x, shape=(*x.shape[:-2], x.shape[-1], x.shape[-2]))
    return ops.flip(x, axes=(int(rng.integers(len(x.shape))),))


def product(rng: Rng, known: list[Value]) -> Value:
    """A matrix product of a value with its own transpose, or a sum that is repeated."""
    x = pick(rng, known)
    turned = ops.permute(x, axes=(*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2))
    return ops.matmul(ops.matmul(x, turned), x)


def converted(rng: Rng, known: list[Value]) -> Value:
    """There and back through another dtype."""
    return ops.cast(ops.cast(pick(rng, known), dtype=float64), dtype=float32)


MAKERS: list[Callable[[Rng, list[Value]], Value]] = [
    unary,
    binary,
    binary,
    binary,
    choice,
    moved,
    moved,
    product,
    converted,
]


def pick(rng: Rng, known: list[Value]) -> Value:
    """A value, rather a late one."""
    return known[-1 - min(int(rng.exponential(2)), len(known) - 1)]


def run(seed: int, shape: tuple[int, ...], count: int) -> str:
    """Make a program, and compare its emitted form with the interpreter; the text."""
    rng = np.random.default_rng(seed)
    arrays: list[Array] = [rng.standard_normal(shape).astype(np.float32) / 8 for _ in range(2)]
    arrays.append(np.ascontiguousarray(arrays[0].T).T)

    def function(*inputs: Value) -> list[Value]:
        known = list(inputs)
        for _ in range(count):
            known.append(MAKERS[rng.integers(len(MAKERS))](rng, known))
        return [known[-1], ops.sum_(known[-1], axes=tuple(range(len(known[-1].shape))), keepdims=False), known[-2]]

    return assert_same(recorded(function, arrays), arrays, f"seed {seed}, shape {shape}")


@pytest.mark.parametrize("shape", [(5, 7), (1, 6), (4, 1), (3, 1, 4), (1, 2, 1, 3), (0, 3)])
def test_small(shape: tuple[int, ...]) -> None:
    for seed in range(40):
        run(seed, shape, 14)


def test_with_temporaries_that_numpy_reuses() -> None:
    for seed in range(12):
        run(seed, (270, 260), 10)


def test_reused_temporaries_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy puts the sum into the transposed product's memory when both stand in one line: another layout."""

    def function(x: Value) -> list[Value]:
        return [ops.add(ops.mul(ops.permute(x, axes=(1, 0)), ops.permute(x, axes=(1, 0))), x)]

    x = np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32)
    assert_same(recorded(function, [x]), [x])
    monkeypatch.setattr(body, "ELIDED", 10**9)
    with pytest.raises(AssertionError):
        assert_same(recorded(function, [x]), [x])
