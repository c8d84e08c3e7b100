"""Initialisers and dropout: the distributions that they draw from, and that the draws repeat."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback import nn
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.nn import init, initialisers
from tests.contracts.backends import Backend

COUNT = 200 * 300


def normal_quantiles(probabilities: np.ndarray) -> np.ndarray:
    """Where the normal distribution reaches these probabilities, by bisection."""
    low, high = np.full_like(probabilities, -9.0), np.full_like(probabilities, 9.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = np.vectorize(math.erf)(middle / math.sqrt(2)) / 2 + 0.5 < probabilities
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


def distance(numbers: np.ndarray, cumulative: Callable[[float], float]) -> float:
    """Kolmogorov's distance between numbers and a distribution function, times √n; above 2 with probability 0.0007."""
    ordered = np.sort(numbers.reshape(-1))
    expected = np.array([cumulative(x) for x in ordered])
    n = ordered.size
    steps = np.arange(n + 1) / n
    return float(max(np.max(steps[1:] - expected), np.max(expected - steps[:-1])) * math.sqrt(n))


def uniform(bound: float) -> Callable[[float], float]:
    return lambda x: min(max((x + bound) / (2 * bound), 0.0), 1.0)


def normal(std: float, mean: float = 0.0) -> Callable[[float], float]:
    return lambda x: 0.5 + 0.5 * math.erf((x - mean) / (std * math.sqrt(2)))


def truncated(mean: float, std: float, a: float, b: float) -> Callable[[float], float]:
    whole = normal(std, mean)
    return lambda x: (whole(x) - whole(a)) / (whole(b) - whole(a))


# 200 rows and 300 columns: fan_in is 300, fan_out 200.
DRAWS: list[tuple[str, Callable[[Any], Any], Callable[[float], float]]] = [
    ("uniform_", lambda w: init.uniform_(w, -2.0, 2.0), uniform(2.0)),
    ("normal_", lambda w: init.normal_(w, 1.0, 3.0), normal(3.0, 1.0)),
    ("xavier_uniform_", lambda w: init.xavier_uniform_(w, 2.0), uniform(2.0 * math.sqrt(6 / 500))),
    ("xavier_normal_", lambda w: init.xavier_normal_(w, 2.0), normal(2.0 * math.sqrt(2 / 500))),
    ("kaiming_uniform_", lambda w: init.kaiming_uniform_(w, nonlinearity="relu"), uniform(math.sqrt(6 / 300))),
    ("kaiming_uniform_ a", lambda w: init.kaiming_uniform_(w, math.sqrt(5)), uniform(1 / math.sqrt(300))),
    ("kaiming_normal_", lambda w: init.kaiming_normal_(w, mode="fan_out"), normal(math.sqrt(2 / 200))),
    ("trunc_normal_", init.trunc_normal_, truncated(0.0, 1.0, -2.0, 2.0)),
    ("trunc_normal_ moved", lambda w: init.trunc_normal_(w, 1.0, 2.0, -1.0, 1.5), truncated(1.0, 2.0, -1.0, 1.5)),
    ("Linear", lambda w: nn.Linear(300, 200).weight, uniform(1 / math.sqrt(300))),
    ("Bilinear", lambda w: nn.Bilinear(16, 60, 60).weight, uniform(1 / 4)),
]


@pytest.mark.parametrize(("draw", "cumulative"), [row[1:] for row in DRAWS], ids=[row[0] for row in DRAWS])
def test_numbers_are_distributed_as_they_should(
    draw: Callable[[Any], Any], cumulative: Callable[[float], float]
) -> None:
    pb.manual_seed(11)
    numbers = draw(nn.Parameter(pb.zeros(200, 300))).detach().double().numpy()
    assert distance(numbers, cumulative) < 2.0


def test_biases_are_drawn_from_the_fan_in_too() -> None:
    pb.manual_seed(11)
    assert distance(nn.Linear(16, 20_000).bias.detach().numpy(), uniform(0.25)) < 2.0
    assert nn.Linear(0, 3).bias.tolist() == [0.0, 0.0, 0.0]


def test_truncated_numbers_are_exact_where_they_are_known() -> None:
    y = pb.linspace(-0.999999, 0.999999, 41, dtype=pb.float64)
    quantiles = normal_quantiles(y.numpy() / 2 + 0.5) / math.sqrt(2)
    assert np.allclose(initialisers._inverse_erf(y).numpy(), quantiles, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (3, 2, 2)], ids=str)
def test_orthogonal_matrices_are_orthogonal(shape: tuple[int, ...]) -> None:
    w = init.orthogonal_(pb.empty(*shape, dtype=pb.float64), gain=2.0).reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    assert pb.allclose(product, 4.0 * pb.eye(product.shape[0], dtype=pb.float64))


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "orthogonal_", "kaiming_uniform_"])
def test_integers_are_not_filled_with_rounded_floats(name: str) -> None:
    with pytest.raises(DTypeError, match=r"int64 cannot hold: write tensor.float\(\)"):
        getattr(init, name)(pb.zeros(3, 3, dtype=pb.int64))
    with pytest.raises(DTypeError, match="fills a tensor; got ndarray"):
        init.normal_(np.zeros(3))  # type: ignore[arg-type]


def test_initialisers_fill_in_place_and_repeat_with_their_generator() -> None:
    for fill in (init.normal_, init.trunc_normal_, init.orthogonal_, init.kaiming_normal_):
        first, second = nn.Parameter(pb.zeros(4, 3)), nn.Parameter(pb.zeros(4, 3))
        assert fill(first, generator=pb.Generator().manual_seed(5)) is first
        fill(second, generator=pb.Generator().manual_seed(5))
        assert pb.equal(first, second)
        assert first.is_leaf
        assert first.requires_grad


def test_the_seed_decides_how_a_network_starts() -> None:
    states = []
    for seed in (3, 3, 4):
        pb.manual_seed(seed)
        states.append(nn.Linear(5, 5).weight)
    assert pb.equal(states[0], states[1])
    assert not pb.equal(states[0], states[2])


def test_wrong_use_of_initialisers_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"at least two dims .*; got the shape \(3,\)"):
        init.xavier_uniform_(pb.zeros(3))
    with pytest.raises(ShapeError, match="fills matrices"):
        init.eye_(pb.zeros(3))
    with pytest.raises(ShapeError, match="fills matrices and more dims"):
        init.orthogonal_(pb.zeros(3))
    with pytest.raises(ArgumentError, match=r"got 'fanin'. Did you mean 'fan_in'"):
        init.kaiming_normal_(pb.zeros(3, 3), mode="fanin")
    with pytest.raises(ArgumentError, match=r"no gain is known for 'relo'. Did you mean 'relu'"):
        init.calculate_gain("relo")
    with pytest.raises(ArgumentError, match="a < b and std > 0"):
        init.trunc_normal_(pb.zeros(3), a=1.0, b=1.0)


# Dropout
def test_dropout_drops_the_share_that_it_should_and_keeps_the_mean() -> None:
    pb.manual_seed(3)
    y = nn.Dropout(0.3)(pb.ones(COUNT)).numpy()
    assert set(np.unique(y)) == {np.float32(0.0), np.float32(1 / 0.7)}
    assert abs((y == 0).mean() - 0.3) < 4 * math.sqrt(0.21 / COUNT)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    pb.manual_seed(3)
    y = nn.AlphaDropout(0.3)(pb.randn(COUNT)).numpy()
    assert abs(y.mean()) < 0.02
    assert abs(y.var() - 1.0) < 0.02


CHANNELS = [
    (nn.Dropout1d(0.3), (300, 20, 3), 2),
    (nn.Dropout1d(0.3), (6000, 3), 1),
    (nn.Dropout2d(0.3), (300, 20, 2, 2), 2),
    (nn.Dropout2d(0.3), (300, 20, 3), 2),
    (nn.Dropout3d(0.3), (300, 20, 2, 1, 2), 2),
    (nn.Dropout3d(0.3), (6000, 2, 1, 2), 1),
    (nn.FeatureAlphaDropout(0.3), (300, 20, 2, 2), 2),
]


@pytest.mark.parametrize(("layer", "shape", "leading"), CHANNELS, ids=lambda x: str(x))
def test_whole_channels_are_dropped(layer: nn.Module, shape: tuple[int, ...], leading: int) -> None:
    pb.manual_seed(3)
    channels = layer(pb.ones(*shape)).numpy().reshape(*shape[:leading], -1)
    assert (channels == channels[..., :1]).all()
    share = (channels[..., 0] == channels.min()).mean()
    assert abs(share - 0.3) < 4 * math.sqrt(0.21 / 6000)


def test_feature_alpha_dropout_keeps_mean_and_variance() -> None:
    pb.manual_seed(3)
    y = nn.FeatureAlphaDropout(0.3)(pb.randn(COUNT // 2, 2)).numpy()
    assert abs(y.mean()) < 0.03
    assert abs(y.var() - 1.0) < 0.03


def test_dropout_passes_gradients_where_it_keeps() -> None:
    x = pb.ones(1000, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert pb.equal(x.grad, y.detach())


def test_dropout_drops_what_is_infinite() -> None:
    pb.manual_seed(1)
    x = pb.full((64,), float("inf"), requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert not y.isnan().any()
    assert not x.grad.isnan().any()


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.AlphaDropout(0.5)], ids=repr)
def test_draws_repeat_by_seed_eager_and_compiled(layer: nn.Module, backend: Backend) -> None:
    courses = []
    for call in (layer, backend.compile(lambda x: layer(x))):
        pb.manual_seed(9)
        courses.append([call(pb.ones(32)) for _ in range(3)])
    backend.assert_agrees(courses[1], courses[0])
    assert courses[0][0].tolist() != courses[0][1].tolist()


def test_the_draw_does_not_depend_on_the_dtype() -> None:
    kept = []
    for dtype in (pb.float32, pb.float64, pb.bfloat16):
        pb.manual_seed(9)
        kept.append((nn.Dropout(0.5)(pb.ones(64, dtype=dtype)) != 0).tolist())
    assert kept[0] == kept[1] == kept[2]


def test_a_probability_that_changes_is_seen_by_compiled_functions() -> None:
    layer = nn.Dropout(0.0)
    call = pb.compile(lambda x: layer(x))
    assert call(pb.ones(8)).tolist() == [1.0] * 8
    layer.p = 1.0
    assert call(pb.ones(8)).tolist() == [0.0] * 8


def test_impossible_probabilities_are_refused() -> None:
    for make in (nn.Dropout, nn.AlphaDropout):
        with pytest.raises(ArgumentError, match=r"from 0 to 1; got 1.5"):
            make(1.5)
    with pytest.raises(ArgumentError, match=r"from 0 to 1; got -0.1"):
        nn.functional.dropout(pb.ones(1), -0.1)
