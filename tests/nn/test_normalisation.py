"""Normalisation in compiled steps: the running statistics are state, the modes are traces of their own."""

from collections.abc import Callable
from typing import Any

import pytest

import pullback as pb
from pullback import nn
from pullback.base.errors import DTypeError, ShapeError
from tests.contracts.backends import Backend

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "batch": lambda: nn.BatchNorm1d(3),
    "batch, mean of all": lambda: nn.BatchNorm1d(3, momentum=None),
    "instance": lambda: nn.InstanceNorm1d(3, affine=True, track_running_stats=True),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
def test_running_statistics_of_compiled_steps_are_those_of_eager_ones(
    make: Callable[[], nn.Module], backend: Backend
) -> None:
    eager, compiled = make(), make()
    held = list(compiled.buffers())
    call = backend.compile(lambda x: compiled(x))
    for seed in range(3):
        pb.manual_seed(seed)
        x = pb.randn(4, 3, 5)
        backend.assert_agrees(call(x), eager(x))
        backend.assert_agrees(list(compiled.buffers()), list(eager.buffers()))
    assert all(a is b for a, b in zip(compiled.buffers(), held, strict=True))
    assert call.traces == 1
    backend.assert_agrees((compiled.eval(), call(x))[1], eager.eval()(x))
    before = [b.tolist() for b in compiled.buffers()]
    call(x)
    assert [b.tolist() for b in compiled.buffers()] == before, "evaluation leaves the statistics as they are"
    assert call.traces == 2


def test_a_compiled_training_step_moves_parameters_and_statistics(backend: Backend) -> None:
    courses = []
    pb.manual_seed(5)
    x = pb.randn(6, 3)
    for wrap in (lambda f: f, backend.compile):
        pb.manual_seed(4)
        net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.LayerNorm(4), nn.Linear(4, 1))
        optimizer = pb.optim.SGD(net.parameters(), lr=0.1)

        def step(x: Any, net: nn.Module = net, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        wrapped = wrap(step)
        courses.append([[wrapped(x).detach() for _ in range(3)], list(net.state_dict().values())])
    backend.assert_agrees(courses[1], courses[0], scale=4.0)


def test_no_gradient_flows_into_running_statistics() -> None:
    layer = nn.BatchNorm1d(2)
    layer(pb.randn(4, 2).requires_grad_())
    assert not any(b.requires_grad for b in layer.buffers())


def test_one_number_per_channel_is_an_error_in_training_alone() -> None:
    layer = nn.BatchNorm2d(2)
    with pytest.raises(ShapeError, match=r"more than one number per channel.*eval\(\)"):
        layer(pb.ones(1, 2, 1, 1))
    assert layer.eval()(pb.ones(1, 2, 1, 1)).shape == (1, 2, 1, 1)


def test_errors_say_what_was_wanted() -> None:
    with pytest.raises(ShapeError, match=r"BatchNorm2d takes inputs of 4 dims; got \(2, 3\)"):
        nn.BatchNorm2d(3)(pb.ones(2, 3))
    with pytest.raises(ShapeError, match=r"batch_norm of an input \(2, 3\) needs a running_mean \(3,\); got \(4,\)"):
        nn.BatchNorm1d(4)(pb.ones(2, 3))
    with pytest.raises(ShapeError, match=r"layer_norm over \(4,\) takes inputs \(..., 4\); got \(2, 3\)"):
        nn.LayerNorm(4)(pb.ones(2, 3))
    with pytest.raises(DTypeError, match="layer_norm needs floats; got int64"):
        nn.LayerNorm(3)(pb.ones(2, 3, dtype=pb.int64))
    with pytest.raises(DTypeError, match=r"needs a weight of the input's dtype, float64; got float32"):
        nn.LayerNorm(3)(pb.ones(2, 3, dtype=pb.float64))
