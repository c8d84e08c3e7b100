"""Modules on their own; what PyTorch has, too, is compared in tests/contracts/rows_modules.py."""

from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback import nn
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, StateError


def test_parameters_are_leaves_that_require_gradients() -> None:
    source = pb.ones(2, requires_grad=True)
    parameter = nn.Parameter(source * 3)
    assert parameter.is_leaf
    assert parameter.requires_grad
    assert not nn.Parameter(pb.ones(2), requires_grad=False).requires_grad
    assert nn.Parameter([1.0, 2.0]).shape == (2,)
    assert nn.Parameter().shape == (0,)


def test_a_parameter_of_integers_is_refused() -> None:
    with pytest.raises(DTypeError, match=r"holds floats; got int64.*\.float\(\)"):
        nn.Parameter(pb.tensor([1]))
    assert nn.Parameter(pb.tensor([1]), requires_grad=False).dtype is pb.int64


def test_a_parameter_prints_as_such() -> None:
    assert repr(nn.Parameter(pb.zeros(2))) == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"


class Forgetful(nn.Module):
    """Does not call super().__init__()."""

    def __init__(self, part: Any) -> None:
        self.part = part


@pytest.mark.parametrize("part", [nn.Parameter(pb.ones(1)), nn.Identity()], ids=["parameter", "module"])
def test_a_forgotten_super_init_is_named(part: Any) -> None:
    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) in Forgetful before"):
        Forgetful(part)


def test_a_forgotten_super_init_is_named_at_the_call() -> None:
    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) in Forgetful before"):
        Forgetful(3)(pb.ones(1))


def test_a_forgotten_forward_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"Module needs a method forward\(self, ...\)"):
        nn.Module()(pb.ones(1))


def test_unknown_attributes_name_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"Linear has no attribute 'wieght'. Did you mean 'weight'"):
        _ = nn.Linear(1, 1).wieght


class Failing(nn.Module):
    """A property that fails by itself."""

    @property
    def width(self) -> int:
        return self.size  # type: ignore[no-any-return]


def test_a_property_that_fails_shows_its_own_error() -> None:
    with pytest.raises(AttributeError, match="Failing has no attribute 'size'"):
        _ = Failing().width


def test_bad_names_and_parts_are_refused() -> None:
    module = nn.Module()
    with pytest.raises(ArgumentError, match=r"without dots that is not empty; got 'a.b'"):
        module.register_parameter("a.b", nn.Parameter(pb.ones(1)))
    with pytest.raises(ArgumentError, match="not empty; got ''"):
        module.register_module("", nn.Identity())
    with pytest.raises(ArgumentError, match="has an attribute 'forward' already"):
        module.register_buffer("forward", pb.ones(1))
    with pytest.raises(DTypeError, match=r"must be an nn.Parameter \(write nn.Parameter\(x\)\); got Tensor"):
        module.register_parameter("w", pb.ones(1))
    with pytest.raises(DTypeError, match=r"must be an nn.Module \(an instance, not a class\); got the class ReLU"):
        module.register_module("act", nn.ReLU)
    with pytest.raises(DTypeError, match="must be a tensor; got ndarray"):
        module.register_buffer("b", np.ones(1))


def test_a_class_instead_of_a_module_in_a_sequential_is_refused() -> None:
    with pytest.raises(DTypeError, match="an instance, not a class"):
        nn.Sequential(nn.ReLU)


def test_a_list_of_modules_says_what_to_call_instead() -> None:
    for container in (nn.ModuleList([nn.ReLU()]), nn.ModuleDict({"act": nn.ReLU()})):
        with pytest.raises(NotImplementedError, match="has no forward: call the modules that it holds"):
            container(pb.ones(1))


def test_places_outside_a_container_are_refused() -> None:
    with pytest.raises(IndexOutOfRange, match="index 3 is out of range for a Sequential of 1"):
        nn.Sequential(nn.ReLU())[3]
    with pytest.raises(KeyError, match=r"there is no module 'heed'. Did you mean 'head'"):
        nn.ModuleDict({"head": nn.ReLU()})["heed"]


def test_paths_that_lead_nowhere_name_the_part_that_fails() -> None:
    net = nn.Sequential(nn.ModuleDict({"query": nn.Linear(1, 1)}))
    with pytest.raises(AttributeError, match=r"no module 'qeury' in '0.qeury' of Sequential. Did you mean 'query'"):
        net.get_parameter("0.qeury.weight")
    with pytest.raises(AttributeError, match=r"no parameter '0.query.wait' in Sequential. Did you mean 'weight'"):
        net.get_parameter("0.query.wait")


# State
def test_every_fault_of_a_state_dict_is_told_and_nothing_is_loaded() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = net.state_dict()
    given = {
        "0.weight": pb.zeros(3, 3),
        "0.bais": pb.zeros(3),
        "1.weight": pb.zeros(1, 3),
        "1.bias": pb.zeros(1),
        "2.weight": pb.zeros(1),
    }
    with pytest.raises(StateError) as caught:
        net.load_state_dict(given)
    assert str(caught.value) == (
        "the state dict does not fit Sequential; nothing was loaded:\n"
        "  missing key '0.bias'. Did you mean '0.bais'?\n"
        "  unexpected key '0.bais'. Did you mean '0.bias'?\n"
        "  unexpected key '2.weight'.\n"
        "  wrong shape for '0.weight': the module has (3, 2), the state dict (3, 3)."
    )
    assert all(pb.equal(x, before[name]) for name, x in net.state_dict().items())


def test_a_wrong_shape_is_refused_without_strict_too() -> None:
    layer = nn.Linear(2, 1)
    with pytest.raises(StateError, match="wrong shape for 'weight'"):
        layer.load_state_dict({"weight": pb.zeros(2, 2), "bias": pb.ones(1)}, strict=False)
    assert not pb.equal(layer.bias, pb.ones(1))


def test_a_state_dict_is_of_its_moment() -> None:
    layer = nn.Linear(1, 1)
    state = layer.state_dict()
    with pb.no_grad():
        layer.weight.zero_()
    assert state["weight"].item() != 0.0
    assert not state["weight"].requires_grad
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight


def test_arrays_load_and_are_cast() -> None:
    layer = nn.Linear(2, 1).half()
    layer.load_state_dict({"weight": np.array([[1.5, 2.5]]), "bias": pb.tensor([3.0], dtype=pb.float64)})
    assert layer.weight.dtype is pb.float16
    assert layer.weight.requires_grad
    assert layer.weight.tolist() == [[1.5, 2.5]]


def test_what_is_no_state_dict_is_refused() -> None:
    with pytest.raises(DTypeError, match="a state dict maps names to tensors; got list"):
        nn.Linear(1, 1).load_state_dict([])  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="holds str under 'weight'"):
        nn.Linear(1, 1).load_state_dict({"weight": "abc", "bias": pb.ones(1)})


def test_buffers_that_do_not_persist_stay_out() -> None:
    module = nn.Module()
    module.register_buffer("kept", pb.ones(1))
    module.register_buffer("passing", pb.ones(1), persistent=False)
    assert list(module.state_dict()) == ["kept"]
    module.register_buffer("passing", pb.ones(1))
    assert list(module.state_dict()) == ["kept", "passing"]


# Modes and conversion
def test_train_takes_a_bool() -> None:
    with pytest.raises(ArgumentError, match=r"train\(\) takes True or False; got 'eval'"):
        nn.Identity().train("eval")  # type: ignore[arg-type]


def test_conversion_keeps_gradients_and_the_parameters_themselves() -> None:
    layer = nn.Linear(2, 1)
    weight = layer.weight
    layer(pb.ones(2)).backward()
    layer.double()
    assert layer.weight is weight
    assert weight.dtype is pb.float64
    assert weight.grad.dtype is pb.float64
    assert weight.is_leaf
    assert weight.requires_grad


def test_modules_hold_floats_on_the_cpu() -> None:
    with pytest.raises(DTypeError, match="parameters are floats; got int64"):
        nn.Linear(1, 1).to(pb.int64)
    with pytest.raises(ArgumentError, match="device 'cuda' does not exist"):
        nn.Linear(1, 1).to("cuda")
    assert nn.Linear(1, 1).to("cpu", non_blocking=True).to("cpu", pb.float64, True).weight.dtype is pb.float64
    assert nn.Linear(1, 1).to("cpu").to(pb.ones(1, dtype=pb.float64)).weight.dtype is pb.float64


def test_a_hook_lasts_as_long_as_its_with_block() -> None:
    layer = nn.Identity()
    with layer.register_forward_hook(lambda module, args, output: output + 1) as handle:
        assert layer(pb.tensor(1)).item() == 2
    assert layer(pb.tensor(1)).item() == 1
    handle.remove()  # twice is once


def test_backward_hooks_need_tensors_as_output() -> None:
    class Named(nn.Module):
        def forward(self, x: Any) -> Any:
            return {"y": x}

    module = Named()
    module.register_full_backward_hook(lambda *args: None)
    with pytest.raises(DTypeError, match="a tensor or a tuple of tensors; Named gave dict"):
        module(pb.ones(1))


# The table
def test_the_table_of_a_model() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 2, bias=False)), nn.Identity())
    net[0].requires_grad_(False)
    assert nn.summary(net, (5, 4)).splitlines() == [
        "module  type        output  parameters  FLOPs",
        "(all)   Sequential  (5, 2)          21    420",
        "0       Linear      (5, 3)          15    135",
        "1       Sequential  (5, 2)           6    285",
        "  0     Tanh        (5, 3)           0    225",
        "  1     Linear      (5, 2)           6     60",
        "2       Identity    (5, 2)           0      0",
        "21 parameters (0.0 MB), 6 of them trained, 15 frozen",
    ]


def test_the_table_changes_nothing() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Dropout())
    state = pb.get_rng_state()
    nn.summary(net, pb.ones(5, 4))
    assert pb.equal(pb.get_rng_state(), state)
    assert all(p.grad is None for p in net.parameters())
    assert not any(net[0]._hooks.values())


def test_the_table_of_modules_with_several_arguments_and_of_unused_ones() -> None:
    net = nn.Bilinear(2, 3, 4)
    net.idle = nn.Linear(1, 1)
    lines = nn.summary(net, (pb.ones(5, 2), pb.ones(5, 3))).splitlines()
    assert lines[1].split()[:4] == ["(all)", "Bilinear", "(5,", "4)"]
    assert lines[2].split() == ["idle", "Linear", "–", "2", "0"]
    with pytest.raises(ArgumentError, match="takes a tensor, a tuple of tensors or a shape"):
        nn.summary(net, "5x4")


def test_other_tensors_in_the_place_of_a_modules_are_refused() -> None:
    layer = nn.Linear(1, 1)
    with pytest.raises(ArgumentError, match=r"assign=True.*leave it out"):
        layer.load_state_dict({name: p + 1 for name, p in layer.state_dict().items()}, assign=True)
    layer.load_state_dict({"weight": pb.ones(1, 1), "bias": pb.ones(1)}, assign=False)
    assert layer.weight.tolist() == [[1.0]]
