"""Modules within compiled functions: what is traced anew, what is not, and what is written back."""

from collections.abc import Callable
from typing import Any

import pytest

import pullback as pb
from pullback import nn
from tests.contracts.backends import Backend


def compiled_call(net: nn.Module, compile: Any = pb.compile) -> Any:
    @compile
    def call(x: Any) -> Any:
        return net(x)

    return call


def step_of(net: nn.Module, loss: nn.Module) -> Callable[[Any, Any], Any]:
    def step(x: Any, y: Any) -> Any:
        net.zero_grad()
        found = loss(net(x), y)
        found.backward()
        with pb.no_grad():
            for p in net.parameters():
                p.sub_(0.1 * p.grad)
        return found

    return step


def digits_like() -> tuple[Any, Any]:
    pb.manual_seed(1)
    return pb.randn(8, 6), pb.randint(0, 3, (8,))


def network() -> nn.Sequential:
    pb.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.3), nn.Linear(5, 3))


def test_a_training_step_is_traced_once_and_is_that_of_eager(backend: Backend) -> None:
    x, y = digits_like()
    courses = []
    for wrap in (lambda f: f, backend.compile):
        net = network()
        step = wrap(step_of(net, nn.CrossEntropyLoss()))
        courses.append([[step(x, y).detach() for _ in range(5)], list(net.parameters())])
    assert step.traces == 1
    backend.assert_agrees(courses[1], courses[0])


def test_train_and_eval_are_two_traces() -> None:
    net = network()
    call = compiled_call(net)
    x = pb.ones(4, 6)
    assert not pb.equal(call(x), call(x)), "dropout draws afresh at each call"
    net.eval()
    assert pb.equal(call(x), call(x))
    net.train()
    call(x)
    net.eval()
    call(x)
    assert call.traces == 2


def test_mode_does_not_matter_to_a_network_that_never_asks() -> None:
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU())
    call = compiled_call(net)
    call(pb.ones(4, 6))
    net.eval()
    call(pb.ones(4, 6))
    assert call.traces == 1


def replace_layer(net: nn.Sequential) -> None:
    net[0] = nn.Linear(6, 5)


def replace_parameter(net: nn.Sequential) -> None:
    net[0].weight = nn.Parameter(pb.ones(5, 6))


def remove_bias(net: nn.Sequential) -> None:
    net[0].bias = None


def change_constant(net: nn.Sequential) -> None:
    net[1].negative_slope = 0.7


def append_layer(net: nn.Sequential) -> None:
    net.append(nn.Tanh())


def add_hook(net: nn.Sequential) -> None:
    net[1].register_forward_hook(lambda module, args, output: output * 2)


EDITS = [replace_layer, replace_parameter, remove_bias, change_constant, append_layer, add_hook]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_network_is_traced_anew(edit: Callable[[nn.Sequential], None], backend: Backend) -> None:
    net = nn.Sequential(nn.Linear(6, 5), nn.LeakyReLU(0.1))
    call = compiled_call(net, backend.compile)
    x = pb.randn(4, 6)
    before = call(x)
    edit(net)
    backend.assert_agrees(call(x), net(x))
    assert not pb.allclose(call(x), before, 1e-3), "the edit changes nothing, so that this test sees nothing"
    call(x)
    assert call.traces == 2


def test_an_edit_elsewhere_traces_nothing_anew() -> None:
    net = nn.Sequential(nn.Linear(6, 5), nn.LeakyReLU(0.1))
    call = compiled_call(net)
    call(pb.ones(4, 6))
    network().append(nn.Tanh())
    net[0].note = "an attribute that forward does not read"
    call(pb.ones(4, 6))
    assert call.traces == 1


def test_a_constant_that_comes_back_finds_its_first_trace() -> None:
    net = nn.Sequential(nn.LeakyReLU(0.1))
    call = compiled_call(net)
    for slope in (0.1, 0.5, 0.1, 0.5):
        net[0].negative_slope = slope
        assert call(pb.tensor([-2.0])).item() == pytest.approx(-2.0 * slope)
    assert call.traces == 2


def test_new_numbers_trace_nothing_anew() -> None:
    net = nn.Linear(2, 1)
    call = compiled_call(net)
    call(pb.ones(2))
    net.load_state_dict({"weight": pb.tensor([[2.0, 3.0]]), "bias": pb.tensor([1.0])})
    assert call(pb.ones(2)).item() == 6.0
    assert call.traces == 1


class Average(nn.Module):
    """Keeps a running mean, which it assigns or writes in place."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.register_buffer("mean", pb.zeros(3))
        self.in_place = in_place

    def forward(self, x: Any) -> Any:
        new = 0.5 * self.mean + 0.5 * x.mean(0)
        if self.in_place:
            self.mean.copy_(new)
        else:
            self.mean = new
        return x - self.mean


@pytest.mark.parametrize("in_place", [True, False])
def test_buffers_are_written_back(in_place: bool, backend: Backend) -> None:
    eager, compiled = Average(in_place), Average(in_place)
    held = compiled.mean
    call = compiled_call(compiled, backend.compile)
    for seed in range(3):
        pb.manual_seed(seed)
        x = pb.randn(4, 3)
        backend.assert_agrees(call(x), eager(x))
    backend.assert_agrees(compiled.mean, eager.mean)
    assert compiled.mean is held
    assert call.traces == 1


def test_gradients_flow_through_a_buffer_that_was_just_assigned(backend: Backend) -> None:
    gradients = []
    for wrap in (lambda f: f, backend.compile):
        module = Average(in_place=False)
        x = pb.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]], requires_grad=True)

        def step(x: Any, module: nn.Module = module) -> None:
            module(x).square().sum().backward()

        wrap(step)(x)
        gradients.append(x.grad)
    backend.assert_agrees(gradients[1], gradients[0])


def test_a_module_itself_can_be_compiled(backend: Backend) -> None:
    net = nn.Linear(2, 3)
    backend.assert_agrees(backend.compile(net)(pb.ones(4, 2)), net(pb.ones(4, 2)))


def test_programs_know_modules_and_parameters_by_path() -> None:
    net = nn.Sequential(nn.Linear(6, 5), nn.Sequential(nn.ReLU(), nn.Linear(5, 3)))
    call = compiled_call(net)
    call(pb.ones(4, 6))
    program = call.latest.traced.program
    paths = [node.origin.module_path for node in program.nodes if node.op.name == "matmul"]
    assert paths == ["0", "1.1"]
    assert [x.name for x in program.inputs[1:]] == ["0.weight", "0.bias", "1.1.weight", "1.1.bias"]


def test_backward_hooks_work_in_compiled_steps(backend: Backend) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    net[0].register_full_backward_hook(lambda module, at_input, at_output: (at_input[0] * 2,))
    gradients = []
    for wrap in (lambda f: f, backend.compile):
        x = pb.ones(4, 2, requires_grad=True)

        def step(x: Any) -> None:
            net(x).sum().backward()

        wrap(step)(x)
        gradients.append(x.grad)
    backend.assert_agrees(gradients[1], gradients[0])


def test_classes_that_do_not_exist_make_a_compiled_loss_nan() -> None:
    loss = pb.compile(nn.CrossEntropyLoss())
    assert not loss(pb.zeros(2, 3), pb.tensor([0, 2])).isnan()
    assert loss(pb.zeros(2, 3), pb.tensor([0, 3])).isnan()
    assert loss(pb.zeros(2, 3), pb.tensor([0, -1])).isnan()
    assert not loss(pb.zeros(2, 3), pb.tensor([0, -100])).isnan()
    assert loss.traces == 1
