"""Derived parameters in compiled steps, and what else they must not disturb."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback import nn
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.nn.utils import parametrizations, parametrize
from tests.contracts.backends import Backend

NORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "both": lambda layer: parametrizations.spectral_norm(parametrizations.weight_norm(layer)),
}


class Doubled(nn.Module):
    def forward(self, x: Any) -> Any:
        return 2 * x


class Widened(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.double()


def network(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
    pb.manual_seed(6)
    return nn.Sequential(norm(nn.Linear(3, 4)), nn.Tanh(), norm(nn.Linear(4, 2)))


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS.keys())
def test_a_compiled_step_trains_what_the_weight_is_derived_from(
    norm: Callable[[nn.Module], nn.Module], backend: Backend
) -> None:
    pb.manual_seed(5)
    x = pb.randn(6, 3)
    courses, traces = [], []
    for wrap in (lambda f: f, backend.compile):
        net = network(norm)
        before = {name: y.tolist() for name, y in net.state_dict().items()}
        optimizer = pb.optim.SGD(net.parameters(), lr=0.1)

        def step(x: Any, net: nn.Module = net, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        wrapped = wrap(step)
        courses.append([[wrapped(x).detach() for _ in range(3)], list(net.state_dict().values()), net.eval()(x)])
        assert all(y.tolist() != before[name] for name, y in net.state_dict().items())
        traces.append(getattr(wrapped, "traces", 1))
    backend.assert_agrees(courses[1], courses[0], scale=4.0)
    assert traces == [1, 1]


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS.keys())
def test_gradients_of_both_orders(norm: Callable[[nn.Module], nn.Module]) -> None:
    net = network(norm).double().eval()  # in training spectral_norm takes its vectors for constants and moves them
    x = pb.randn(2, 3, dtype=pb.float64, requires_grad=True)
    variables = (x, *net.parameters())
    pb.gradcheck(lambda x, *rest: net(x), variables, eps=1e-4, atol=1e-6, rtol=1e-5, second_order=True)


def test_registering_and_removing_are_seen_by_compiled_functions(backend: Backend) -> None:
    layer = nn.Linear(3, 2, bias=False)
    call = backend.compile(lambda x: layer(x))
    x = pb.ones(4, 3)
    plain = call(x)
    parametrize.register_parametrization(layer, "weight", Doubled())
    backend.assert_agrees(call(x), 2 * plain)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    backend.assert_agrees(call(x), plain)


def test_optimisers_keep_hold_of_a_parameter_that_is_parametrized_and_back() -> None:
    layer = nn.Linear(3, 2)
    weight = layer.weight
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert layer.parametrizations.weight.original is weight
    parametrize.remove_parametrizations(layer, "weight")
    assert layer.weight is weight


def test_a_copy_has_parametrizations_of_its_own() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    twin = copy.deepcopy(layer)
    parametrize.remove_parametrizations(twin, "weight")
    assert type(twin) is nn.Linear
    assert parametrize.is_parametrized(layer, "weight")
    assert layer(pb.ones(3)).tolist() == pytest.approx(twin(pb.ones(3)).tolist())


def test_the_class_stays_the_user_s() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    assert isinstance(layer, nn.Linear)
    assert type(layer).__doc__ == nn.Linear.__doc__
    assert type(layer) is type(parametrizations.weight_norm(nn.Linear(1, 1)))


def test_state_dicts_go_back_and_forth() -> None:
    first, second = (parametrizations.spectral_norm(nn.Linear(3, 2)) for _ in range(2))
    second.load_state_dict(first.state_dict())
    assert pb.equal(first.eval().weight, second.eval().weight)


def test_spectral_norm_finds_the_largest_singular_value() -> None:
    pb.manual_seed(2)
    layer = parametrizations.spectral_norm(nn.Linear(5, 4), n_power_iterations=100)
    assert np.linalg.svd(layer.weight.detach().numpy())[1][0] == pytest.approx(1.0, abs=1e-5)


def test_errors_say_what_was_wanted() -> None:
    with pytest.raises(ArgumentError, match=r"Linear has no parameter and no buffer 'wieght'.*Did you mean 'weight'"):
        parametrizations.weight_norm(nn.Linear(3, 2), "wieght")
    with pytest.raises(ShapeError, match=r"Flatten changes the shape from \(2, 3\) to \(6,\); pass unsafe=True"):
        parametrize.register_parametrization(nn.Linear(3, 2), "weight", nn.Flatten(0))
    with pytest.raises(DTypeError, match="Widened changes the dtype from float32 to float64"):
        parametrize.register_parametrization(nn.Linear(3, 2), "weight", Widened())
    layer = parametrize.register_parametrization(nn.Linear(3, 2), "weight", Doubled())
    with pytest.raises(ArgumentError, match="Doubled has no right_inverse"):
        layer.weight = pb.ones(2, 3)
    with pytest.raises(ArgumentError, match="'bias' of ParametrizedLinear is not parametrized"):
        parametrize.remove_parametrizations(layer, "bias")
    with pytest.raises(ArgumentError, match="at least one power iteration; got 0"):
        parametrizations.spectral_norm(nn.Linear(3, 2), n_power_iterations=0)
    assert type(nn.Linear(3, 2)) is nn.Linear
