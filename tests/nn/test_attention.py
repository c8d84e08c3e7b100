"""Attention: its derivatives, compiled and eager; what it draws, what it keeps, what it refuses."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import PullbackError
from pullback.nn.functional import scaled_dot_product_attention
from tests.contracts.backends import Backend
from tests.contracts.calls import of, spread
from tests.contracts.rows_attention import FLOATS, SOME

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"is_causal": True},
    "bools": {"attn_mask": SOME},
    "floats": {"attn_mask": FLOATS},
    "bias": {"attn_mask": spread(2, 3, 5, seed=4)},
    "shared": {"enable_gqa": True},
    "dropped": {"dropout_p": 0.5, "attn_mask": SOME},
}


def case(label: str) -> tuple[list[pb.Tensor], dict[str, Any]]:
    """The inputs, and the options but for those that require a gradient, which are inputs too."""
    heads = 1 if label == "shared" else 2
    inputs = [spread(*sizes).tensor(pb) for sizes in ((2, 3, 2), (heads, 5, 2), (heads, 5, 1))]
    options = {k: v.tensor(pb) if hasattr(v, "tensor") else v for k, v in OPTIONS[label].items()}
    if label == "bias":
        inputs.append(options.pop("attn_mask"))
    return inputs, options


def attend(label: str) -> tuple[list[pb.Tensor], Callable[..., pb.Tensor]]:
    inputs, options = case(label)

    def function(*given: pb.Tensor) -> pb.Tensor:
        pb.manual_seed(3)
        return scaled_dot_product_attention(*given, **options)

    return inputs, function


@pytest.mark.parametrize("label", OPTIONS)
def test_gradients(label: str) -> None:
    inputs, function = attend(label)
    assert pb.gradcheck(function, inputs, eps=1e-4, atol=1e-7, rtol=1e-6, second_order=True)


@pytest.mark.parametrize("label", OPTIONS)
def test_compiled_agrees_with_eager(label: str, backend: Backend) -> None:
    inputs, options = case(label)

    def step(*given: pb.Tensor) -> list[pb.Tensor]:
        y = scaled_dot_product_attention(*given, **options)
        return [y, *pb.autograd.grad((y * y).sum(), given)]

    pb.manual_seed(3)
    eager = step(*inputs)
    pb.manual_seed(3)
    backend.assert_agrees(backend.compile(step)(*inputs), eager)


def test_dropped_weights_are_those_of_the_forward_pass() -> None:
    value = pb.eye(40, requires_grad=True).reshape(1, 40, 40)
    x = pb.zeros(1, 40, 8)
    y = scaled_dot_product_attention(x, x, value, dropout_p=0.5)  # the weights themselves
    (g,) = pb.autograd.grad(y.sum(-1) @ pb.arange(40.0), value)
    np.testing.assert_allclose(g[0, :, 0].numpy(), (pb.arange(40.0) @ y.detach()[0]).numpy(), rtol=1e-5)
    assert 0.4 < (y == 0).float().mean().item() < 0.6
    np.testing.assert_allclose(sorted(set(y.flatten().tolist())), [0.0, 2 / 40], rtol=1e-6)


def test_one_mask_for_all_heads_and_one_for_each_row_of_a_batch() -> None:
    x = spread(3, 2, 4, 4).tensor(pb)
    lengths = pb.tensor([4, 2, 1])
    padded = scaled_dot_product_attention(x, x, x, (pb.arange(4) < lengths[:, None])[:, None, None])
    for i, n in enumerate(lengths.tolist()):
        alone = scaled_dot_product_attention(x[i], x[i, :, :n], x[i, :, :n])
        np.testing.assert_allclose(padded[i].tolist(), alone.tolist(), rtol=1e-12)


def peak(t: int, function: Callable[[pb.Tensor], pb.Tensor]) -> int:
    """The bytes that a graph holds between its forward and its backward pass."""
    x = pb.ones(2, 4, t, 8, requires_grad=True)
    gc.collect()
    tracemalloc.start()
    y = function(x)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert y.requires_grad
    return held


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"dropout_p": 0.5}])
def test_weights_are_not_kept_for_the_backward_pass(options: dict[str, Any]) -> None:
    t = 256
    bytes_of_weights = 2 * 4 * t * t * 4
    assert peak(t, lambda x: scaled_dot_product_attention(x, x, x, **options)) < bytes_of_weights / 4
    assert peak(t, lambda x: (x @ x.mT).softmax(-1) @ x) > bytes_of_weights


def test_nothing_is_recorded_without_gradients() -> None:
    x = pb.ones(2, 3, 4, requires_grad=True)
    with pb.no_grad():
        assert not scaled_dot_product_attention(x, x, x).requires_grad
    assert not scaled_dot_product_attention(x.detach(), x.detach(), x.detach()).requires_grad


X = pb.ones(2, 4, 3, 8)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"attn_mask": pb.ones(3, 3), "is_causal": True}, "is_causal is a mask of its own"),
    ({"attn_mask": pb.ones(4, 3)}, "must broadcast to the scores (..., queries, keys) (2, 4, 3, 3); got (4, 3)"),
    ({"attn_mask": pb.ones(3, 3).long()}, "True: a query may look"),
    ({"key": pb.ones(2, 2, 3, 8)}, "write enable_gqa=True"),
    ({"key": pb.ones(2, 3, 3, 8), "enable_gqa": True}, "a multiple of those of key and value"),
    ({"key": pb.ones(2, 4, 3, 7)}, "queries and keys of one size"),
    ({"value": pb.ones(2, 4, 5, 7)}, "as many values as keys"),
    ({"value": X.double()}, "got float32 as query, float32 as key, float64 as value"),
    ({"value": pb.ones(8)}, "a value (..., time, size); got the shape (8,)"),
    ({"value": 3.0}, "needs a tensor as value; got float"),
    ({"dropout_p": 1.5}, "from 0 to 1; got 1.5"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PullbackError) as caught:
        scaled_dot_product_attention(**{"query": X, "key": X, "value": X, **changes})
    assert words in str(caught.value)


def test_a_mask_of_one_query_hides_keys() -> None:
    x = of(np.eye(3)[None]).tensor(pb)
    y = scaled_dot_product_attention(x, x, x, pb.tensor([[True, False, False]]))
    assert y.tolist() == [[[1.0, 0.0, 0.0]] * 3]
