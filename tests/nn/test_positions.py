"""Positions against their papers' formulas in NumPy, and what they are for: products that know distances."""

from typing import Any

import numpy as np
import pytest

import pullback as pb
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from tests.contracts.backends import Backend
from tests.contracts.calls import spread


def turned(x: np.ndarray[Any, Any], base: float, offset: int, interleaved: bool) -> np.ndarray[Any, Any]:
    """Pairs as complex numbers, each times e^(i · place · frequency)."""
    t, k = x.shape[-2:]
    frequencies = base ** (-2 * np.arange(k // 2) / k)
    unit = np.exp(1j * (offset + np.arange(t))[:, None] * frequencies)
    first, second = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., : k // 2], x[..., k // 2 :])
    z = (first + 1j * second) * unit
    y = np.empty_like(x)
    if interleaved:
        y[..., ::2], y[..., 1::2] = z.real, z.imag
    else:
        y[..., : k // 2], y[..., k // 2 :] = z.real, z.imag
    return y


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(("base", "offset"), [(10000.0, 0), (500000.0, 3), (2.0, 100)])
def test_rotary_is_a_product_of_complex_numbers(base: float, offset: int, interleaved: bool) -> None:
    x = spread(2, 3, 5, 8).array
    wanted = turned(x, base, offset, interleaved)
    for given in (offset, pb.tensor(offset)):
        found = F.rotary_embedding(pb.tensor(x), base, given, interleaved)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12, atol=1e-12)
    module = pb.nn.RotaryEmbedding(8, base, interleaved)
    np.testing.assert_allclose(module(pb.tensor(x), offset).numpy(), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_of_the_first_numbers_alone(interleaved: bool) -> None:
    x = spread(3, 5, 8).array
    found = F.rotary_embedding(pb.tensor(x), interleaved=interleaved, dim=4).numpy()
    np.testing.assert_allclose(found[..., :4], turned(x[..., :4], 10000.0, 0, interleaved), rtol=1e-12)
    assert (found[..., 4:] == x[..., 4:]).all()


@pytest.mark.parametrize("interleaved", [False, True])
def test_products_of_turned_vectors_know_the_distance_alone(interleaved: bool) -> None:
    q, k = (spread(8, seed=s).tensor(pb).detach().expand(6, 8) for s in (1, 2))
    scores = [
        F.rotary_embedding(q, offset=o, interleaved=interleaved)
        @ F.rotary_embedding(k, offset=o, interleaved=interleaved).T
        for o in (0, 1000)
    ]
    np.testing.assert_allclose(scores[0].numpy(), scores[1].numpy(), atol=1e-10)
    for distance in range(-5, 6):
        np.testing.assert_allclose(np.ptp(np.diagonal(scores[0].numpy(), distance)), 0, atol=1e-12)


def test_far_places_are_exact_in_single_precision() -> None:
    x = pb.ones(1, 64)
    narrow = F.rotary_embedding(x, offset=1_000_000).double()
    np.testing.assert_allclose(narrow.numpy(), F.rotary_embedding(x.double(), offset=1_000_000).numpy(), atol=3e-7)


def test_sinusoidal_positions() -> None:
    p, i = np.arange(7, 17)[:, None], np.arange(6)
    angles = p / 10000 ** ((i - i % 2) / 6)
    wanted = np.where(i % 2, np.cos(angles), np.sin(angles))
    np.testing.assert_allclose(F.sinusoidal_positions(10, 6, offset=7, dtype=pb.float64).numpy(), wanted, rtol=1e-12)
    x = spread(2, 10, 6)
    module = pb.nn.SinusoidalPositionalEmbedding(6)
    np.testing.assert_allclose(module(x.tensor(pb), offset=7).detach().numpy(), x.array + wanted, rtol=1e-12)


def test_learned_positions() -> None:
    module = pb.nn.LearnedPositionalEmbedding(6, 4)
    x = pb.zeros(2, 3, 4)
    for offset in (2, pb.tensor(2)):
        assert pb.equal(module(x, offset)[1], module.weight[2:5])
    for offset in (4, -1, pb.tensor(4)):
        with pytest.raises(IndexOutOfRange):
            module(x, offset)


PAPER = {  # the slopes that the paper's own code gives
    1: [1 / 256],
    2: [1 / 16, 1 / 256],
    6: [1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 2, 1 / 8],
    8: [2.0**-i for i in range(1, 9)],
    12: [2.0**-i for i in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5],
    16: [2 ** (-i / 2) for i in range(1, 17)],
}


@pytest.mark.parametrize("heads", PAPER)
def test_alibi_slopes(heads: int) -> None:
    np.testing.assert_allclose(F.alibi_slopes(heads, dtype=pb.float64).numpy(), PAPER[heads], rtol=1e-15)


def test_alibi_bias() -> None:
    far = np.abs(np.arange(3)[:, None] + 2 - np.arange(5))
    bias = F.alibi_bias(2, 3, 5, offset=2, dtype=pb.float64).numpy()
    np.testing.assert_array_equal(bias, -np.array([1 / 16, 1 / 256])[:, None, None] * far)
    hidden = F.alibi_bias(2, 3, 5, offset=pb.tensor(2), is_causal=True, dtype=pb.float64).numpy()
    np.testing.assert_array_equal(hidden, np.where(np.arange(5) > np.arange(3)[:, None] + 2, -np.inf, bias))
    x = pb.randn(2, 2, 4, 8)
    last = F.scaled_dot_product_attention(x[:, :, 3:], x, x, F.alibi_bias(2, 1, 4, offset=3, is_causal=True))
    whole = F.scaled_dot_product_attention(x, x, x, F.alibi_bias(2, 4, is_causal=True))
    np.testing.assert_allclose(last.numpy(), whole[:, :, 3:].numpy(), rtol=1e-5)


def test_swiglu() -> None:
    net = pb.nn.SwiGLU(3, 5, 2, bias=True).double()
    x = spread(4, 3).tensor(pb)
    gate, up = net.gate_proj(x), net.up_proj(x)
    wanted = net.down_proj(gate / (1 + (-gate).exp()) * up)
    np.testing.assert_allclose(net(x).detach().numpy(), wanted.detach().numpy(), rtol=1e-12)


def test_an_offset_in_a_compiled_step_is_state(backend: Backend) -> None:
    x, place = spread(2, 1, 8).tensor(pb).detach(), pb.tensor(0)

    def step(x: pb.Tensor) -> list[pb.Tensor]:
        found = [F.rotary_embedding(x, offset=place), F.sinusoidal_positions(1, 4, offset=place)]
        place.add_(1)
        return found

    compiled = backend.compile(step)
    for i in range(4):
        wanted = [F.rotary_embedding(x, offset=i), F.sinusoidal_positions(1, 4, offset=i)]
        backend.assert_agrees(compiled(x), wanted)
    assert compiled.traces == 1


WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda: F.rotary_embedding(pb.ones(3, 5)), ShapeError, "must be even; got 5"),
    (lambda: F.rotary_embedding(pb.ones(4)), ShapeError, "floats (..., time, size)"),
    (lambda: F.rotary_embedding(pb.ones(3, 4), dim=6), ShapeError, "first 6 of 4"),
    (lambda: F.rotary_embedding(pb.ones(3, 4), base=0.0), ArgumentError, "above 0; got 0.0"),
    (lambda: F.rotary_embedding(pb.ones(3, 4), offset=pb.tensor([1])), DTypeError, "one integer"),
    (lambda: F.sinusoidal_positions(3, 5), ShapeError, "must be even; got 5"),
    (lambda: F.alibi_slopes(0), ArgumentError, "at least one head; got 0"),
    (lambda: pb.nn.RotaryEmbedding(4)(pb.ones(3, 6)), ShapeError, "takes inputs (..., time, 4); got (3, 6)"),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG, ids=[words for _, _, words in WRONG])
def test_refusals(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)
