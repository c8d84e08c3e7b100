"""What all optimisers share: groups, errors, state that is saved and loaded, and their part in a compiled step."""

import copy
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError, ShapeError, StateError
from pullback.optim import SGD, Adagrad, Adam, AdamW, Muon, RMSprop
from tests.contracts.backends import Backend


def leaf(*numbers: float) -> pb.Tensor:
    return pb.tensor(list(numbers), requires_grad=True)


def with_gradient(*numbers: float) -> pb.Tensor:
    """A parameter whose gradient is the parameter itself."""
    p = leaf(*numbers)
    p.grad = p.detach()
    return p


# Groups
def test_options_of_a_group_go_before_the_defaults() -> None:
    w, b = leaf(1.0), leaf(2.0)
    optimiser = SGD([{"params": [w], "lr": 0.5}, {"params": b, "weight_decay": 0.1}], lr=0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.5, 0.25]
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0, 0.1]
    assert optimiser.param_groups[1]["params"] == [b]


def test_names_are_kept_beside_the_parameters() -> None:
    w, b = leaf(1.0), leaf(2.0)
    optimiser = SGD(iter([("w", w), ("b", b)]), lr=0.25)
    assert optimiser.param_groups[0]["param_names"] == ["w", "b"]
    assert optimiser.state_dict()["param_groups"][0]["param_names"] == ["w", "b"]
    assert [p is q for p, q in zip(optimiser.param_groups[0]["params"], [w, b], strict=True)] == [True, True]


def test_a_group_added_later_is_updated() -> None:
    w, b = with_gradient(1.0), with_gradient(2.0)
    optimiser = SGD([w], lr=0.5)
    optimiser.step()
    optimiser.add_param_group({"params": [b], "lr": 0.25})
    optimiser.step()
    assert (w.item(), b.item()) == (0.0, 1.5)


def test_the_group_that_was_given_is_not_written_to() -> None:
    given = {"params": [leaf(1.0)]}
    SGD([given])
    assert list(given) == ["params"]


def test_numbers_may_be_tensors_with_one_element() -> None:
    optimiser = Adam([leaf(1.0)], lr=pb.tensor(0.5), betas=(pb.tensor(0.5), pb.tensor(0.25)))
    assert optimiser.param_groups[0]["lr"] == 0.5
    assert optimiser.param_groups[0]["betas"] == (0.5, 0.25)


def result_of_others() -> pb.Tensor:
    return leaf(1.0) * 2


W = leaf(1.0)
WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: SGD([]), ArgumentError, "empty list"),
    (lambda: SGD(iter(())), ArgumentError, "used up before"),
    (lambda: SGD(W), DTypeError, r"\[tensor\]"),
    (lambda: SGD(pb.nn.Linear(1, 1)), DTypeError, r"write model.parameters\(\)"),
    (lambda: SGD({"params": [W]}), DTypeError, r"one dict: write \[group\]"),
    (lambda: SGD({"w": W}), DTypeError, r"one dict: write list"),
    (lambda: SGD([W, 1.0]), DTypeError, "parameter 1 is float"),
    (lambda: SGD({W}), DTypeError, "order"),
    (lambda: SGD([{"params": {W}}]), DTypeError, "order"),
    (lambda: SGD([W, result_of_others()]), ArgumentError, "parameter 1 is the result"),
    (lambda: SGD([("w", result_of_others())]), ArgumentError, "parameter w is the result"),
    (lambda: SGD([W, W]), ArgumentError, "twice"),
    (lambda: SGD([{"params": [W]}, {"params": [W]}]), ArgumentError, "twice"),
    (lambda: SGD([{"lr": 0.1}]), ArgumentError, "needs 'params'"),
    (lambda: SGD([{"params": [W]}, [leaf(1.0)]]), DTypeError, "dict with 'params'"),
    (lambda: SGD([("w", W), leaf(1.0)]), ArgumentError, "1 of 2"),
    (lambda: SGD([{"params": [("w", W)]}, {"params": [leaf(1.0)]}]), ArgumentError, "all parameter groups"),
    (lambda: SGD([{"params": [W], "weigth_decay": 0.1}]), ArgumentError, "did you mean 'weight_decay'"),
    (lambda: SGD([W], lr=-0.1), ArgumentError, r"SGD: lr must be a number that is at least 0; got -0.1"),
    (lambda: SGD([{"params": [W], "lr": -1}]), ArgumentError, "lr must be"),
    (lambda: SGD([W], lr=float("nan")), ArgumentError, "lr must be"),
    (lambda: SGD([W], lr="0.1"), DTypeError, "lr must be a number"),
    (lambda: SGD([W], momentum=-0.1), ArgumentError, "momentum must be"),
    (lambda: SGD([W], weight_decay=-0.1), ArgumentError, "weight_decay must be"),
    (lambda: SGD([W], dampening="much"), DTypeError, "dampening must be"),
    (lambda: SGD([W], nesterov=True), ArgumentError, "nesterov needs momentum"),
    (lambda: SGD([W], nesterov=True, momentum=0.9, dampening=0.1), ArgumentError, "dampening 0"),
    (lambda: SGD([W], differentiable=True), ArgumentError, "differentiable must be False"),
    (lambda: Adam([W], betas=(0.9, 1.0)), ArgumentError, r"betas must be two numbers in \[0, 1\)"),
    (lambda: Adam([W], betas=(-0.1, 0.9)), ArgumentError, "betas must be"),
    (lambda: Adam([W], betas=(0.9,)), ArgumentError, "betas must be"),
    (lambda: AdamW([W], betas=0.9), ArgumentError, "AdamW: betas must be"),
    (lambda: Adam([W], eps=-1e-8), ArgumentError, "eps must be"),
    (lambda: pb.optim.Lion([W], betas=(0.9, 2)), ArgumentError, "Lion: betas must be"),
    (lambda: pb.optim.Adadelta([W], rho=1.1), ArgumentError, "rho must be"),
    (lambda: RMSprop([W], alpha=-1), ArgumentError, "alpha must be"),
    (lambda: Adagrad([W], initial_accumulator_value=-1), ArgumentError, "initial_accumulator_value must be"),
    (lambda: pb.optim.NAdam([W], momentum_decay=-1), ArgumentError, "momentum_decay must be"),
    (lambda: Muon([W]), ShapeError, r"matrices; got a parameter of shape \(1,\)"),
    (lambda: Muon([pb.ones(2, 2)], adjust_lr_fn="mine"), ArgumentError, "match_rms_adamw"),
    (lambda: Muon([pb.ones(2, 2)], ns_steps=100), ArgumentError, "0 to 99"),
    (lambda: Muon([pb.ones(2, 2)], ns_coefficients=(1.0, 2.0)), ArgumentError, "three numbers"),
]


@pytest.mark.parametrize(("make", "kind", "words"), WRONG)
def test_errors_at_construction(make: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()


def test_a_refused_group_leaves_the_optimiser_as_it_was() -> None:
    optimiser = SGD([W])
    with pytest.raises(ArgumentError):
        optimiser.add_param_group({"params": [leaf(1.0), W]})
    assert len(optimiser.param_groups) == 1


# Steps
def test_parameters_without_gradient_are_passed_over() -> None:
    w, frozen = with_gradient(1.0), leaf(2.0)
    optimiser = Adam([w, frozen], weight_decay=0.1)
    optimiser.step()
    assert frozen.item() == 2.0
    assert list(optimiser.state_dict()["state"]) == [0]


def test_plain_sgd_keeps_no_state() -> None:
    optimiser = SGD([with_gradient(1.0)])
    optimiser.step()
    assert optimiser.state_dict()["state"] == {}


def test_zero_grad() -> None:
    w, b = with_gradient(1.0), leaf(1.0)
    optimiser = SGD([w, b])
    optimiser.zero_grad(set_to_none=False)
    assert w.grad is not None
    assert w.grad.tolist() == [0.0]
    assert b.grad is None
    optimiser.zero_grad()
    assert w.grad is None


def test_a_closure_is_called_with_gradients_and_its_loss_given_back() -> None:
    w = leaf(3.0)
    optimiser = SGD([w], lr=0.5)

    def closure() -> Any:
        optimiser.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with pb.no_grad():
        assert optimiser.step(closure).item() == 9.0
    assert w.item() == 0.0
    assert optimiser.step() is None


def test_the_parameter_stays_a_leaf_that_requires_a_gradient() -> None:
    w = with_gradient(1.0)
    Adam([w]).step()
    assert w.is_leaf
    assert w.requires_grad
    (w * w).sum().backward()


def test_momentum_switched_on_in_the_middle_begins_with_the_gradient() -> None:
    w = with_gradient(4.0)
    optimiser = SGD([w], lr=0.25, dampening=0.5)
    optimiser.step()
    optimiser.param_groups[0]["momentum"] = 0.5
    optimiser.step()
    assert optimiser.state[w]["momentum_buffer"].item() == 4.0
    optimiser.step()
    assert optimiser.state[w]["momentum_buffer"].item() == 0.5 * 4 + 0.5 * 4


def test_dampening_switched_on_in_the_middle_holds_at_once() -> None:
    w = with_gradient(4.0)
    optimiser = SGD([w], lr=0.25, momentum=0.5)
    optimiser.step()
    optimiser.param_groups[0]["dampening"] = 0.5
    optimiser.step()
    assert optimiser.state[w]["momentum_buffer"].item() == 0.5 * 4 + 0.5 * 4


def test_adagrad_keeps_state_from_the_beginning() -> None:
    w = leaf(1.0, 2.0)
    optimiser = Adagrad([w], initial_accumulator_value=0.5)
    assert optimiser.state[w]["sum"].tolist() == [0.5, 0.5]


def test_step_counts_in_float64_when_that_is_the_default() -> None:
    pb.set_default_dtype(pb.float64)
    try:
        w = with_gradient(1.0)
        optimiser = Adam([w])
        optimiser.step()
        assert optimiser.state[w]["step"].dtype is pb.float64
    finally:
        pb.set_default_dtype(pb.float32)


def test_repr_lists_the_groups() -> None:
    text = repr(SGD([W], lr=0.5))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n")
    assert "    lr: 0.5\n" in text
    assert "params" not in text


def test_a_copy_trains_on_its_own() -> None:
    w = with_gradient(1.0)
    optimiser = Adam([w])
    optimiser.step()
    twin = copy.deepcopy(optimiser)
    (v,) = twin.param_groups[0]["params"]
    v.grad = v.detach()
    before = w.item()
    twin.step()
    assert (w.item(), optimiser.state[w]["step"].item(), twin.state[v]["step"].item()) == (before, 1.0, 2.0)


def test_an_optimiser_of_ones_own_needs_a_rule() -> None:
    with pytest.raises(NotImplementedError, match="update"):
        pb.optim.Optimizer([with_gradient(1.0)], {"lr": 0.1}).step()


class Counting(pb.optim.Optimizer):
    """Written as PyTorch's tutorials do: a step of its own, and state of any kind."""

    def __init__(self, params: Any, lr: float = 0.5) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any = None) -> None:
        with pb.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state["count"] = state.get("count", 0) + 1
                    p.sub_(group["lr"] / state["count"] * p.grad)


def test_an_optimiser_with_a_step_of_its_own_is_saved_and_loaded() -> None:
    w = with_gradient(1.0)
    optimiser = Counting([w])
    optimiser.step()
    other = Counting([w])
    other.load_state_dict(optimiser.state_dict())
    other.step()
    assert other.state[w]["count"] == 2
    assert w.item() == 0.25


# State dicts
def trained(kind: type = Adam, **options: Any) -> pb.optim.Optimizer:
    optimiser = kind([with_gradient(1.0, 2.0), with_gradient(3.0)], **options)
    optimiser.step()
    return optimiser


def changed(edit: Callable[[dict[str, Any]], Any], kind: type = Adam) -> dict[str, Any]:
    saved = trained(kind).state_dict()
    edit(saved)
    return saved


UNFIT: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda s: s.pop("state"), "state missing"),
    (lambda s: s["param_groups"].append(s["param_groups"][0]), "2 parameter groups, this optimiser 1"),
    (lambda s: s["param_groups"][0]["params"].pop(), "group 0 has 1 parameters in the state dict and 2"),
    (lambda s: s["param_groups"][0].pop("betas"), "lacks betas; is it of another optimiser"),
    (lambda s: s["state"].update({2: {}}), "state for parameter 2; this optimiser has 2"),
    (lambda s: s["state"].update({"w": {}}), "parameter 'w'"),
    (lambda s: s["state"][0].update({"exp_avg_squ": 1.0}), "'exp_avg_squ'. Did you mean 'exp_avg_sq'"),
    (lambda s: s["state"][1].pop("step"), "lacks step of parameter 1"),
    (lambda s: s["state"][0].update(exp_avg=pb.zeros(3)), r"exp_avg of parameter 0 must have the shape \(2,\).*\(3,\)"),
    (lambda s: s["state"][0].update(step=pb.zeros(1)), r"step of parameter 0 must have the shape \(\)"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "words"), UNFIT)
def test_a_state_dict_that_does_not_fit_changes_nothing(edit: Callable[[dict[str, Any]], Any], words: str) -> None:
    optimiser = trained()
    before = repr(optimiser.state_dict())
    with pytest.raises(StateError, match=words):
        optimiser.load_state_dict(changed(edit))
    assert repr(optimiser.state_dict()) == before


def test_hyperparameters_out_of_range_are_refused_when_loaded() -> None:
    optimiser = trained()
    with pytest.raises(ArgumentError, match="lr must be"):
        optimiser.load_state_dict(changed(lambda s: s["param_groups"][0].update(lr=-1.0)))
    assert optimiser.param_groups[0]["lr"] == 1e-3


def test_the_state_of_another_optimiser_is_refused() -> None:
    with pytest.raises(StateError, match="lacks momentum, dampening"):
        trained(SGD).load_state_dict(trained(Adam).state_dict())


def test_switches_that_came_later_may_be_missing() -> None:
    saved = changed(lambda s: [s["param_groups"][0].pop(key) for key in ("maximize", "fused", "amsgrad")])
    optimiser = trained(amsgrad=True)
    optimiser.load_state_dict(saved)
    assert optimiser.param_groups[0]["amsgrad"] is False


def test_loaded_groups_keep_what_schedules_put_there() -> None:
    optimiser = trained()
    optimiser.load_state_dict(changed(lambda s: s["param_groups"][0].update(initial_lr=0.5, note="mine")))
    assert (optimiser.param_groups[0]["initial_lr"], optimiser.param_groups[0]["note"]) == (0.5, "mine")


def test_state_is_cast_to_the_parameters_dtype_and_the_step_is_not() -> None:
    optimiser = Adam([pb.ones(2, dtype=pb.bfloat16, requires_grad=True), pb.ones(1, requires_grad=True)])
    optimiser.load_state_dict(trained().state_dict())
    (w, _) = optimiser.param_groups[0]["params"]
    assert [optimiser.state[w][name].dtype for name in ("step", "exp_avg")] == [pb.float32, pb.bfloat16]


def test_adamw_stays_decoupled_with_adams_state() -> None:
    optimiser = trained(AdamW)
    optimiser.load_state_dict(trained(Adam).state_dict())
    assert optimiser.param_groups[0]["decoupled_weight_decay"] is True


def test_parameters_without_saved_state_begin_anew() -> None:
    optimiser = trained()
    optimiser.load_state_dict(changed(lambda s: s["state"].pop(1)))
    _, b = optimiser.param_groups[0]["params"]
    optimiser.step()
    assert optimiser.state[b]["step"].item() == 1.0


def test_an_empty_momentum_as_older_files_have_it_begins_anew() -> None:
    saved = trained(SGD).state_dict()
    saved["state"] = {0: {"momentum_buffer": None}}
    saved["param_groups"][0]["momentum"] = 0.5
    optimiser = trained(SGD, momentum=0.5)
    optimiser.load_state_dict(saved)
    optimiser.step()
    (w, _) = optimiser.param_groups[0]["params"]
    assert optimiser.state[w]["momentum_buffer"].tolist() == [1.0, 2.0]


# In a compiled step
def compiled_step(optimiser: pb.optim.Optimizer, compile: Any = pb.compile) -> Any:
    @compile
    def step() -> None:
        optimiser.zero_grad()
        sum((p * p).sum() for group in optimiser.param_groups for p in group["params"] if p.requires_grad).backward()
        optimiser.step()

    return step


def test_switches_are_watched() -> None:
    optimiser = SGD([leaf(1.0)], lr=0.25)
    step = compiled_step(optimiser)
    group = optimiser.param_groups[0]
    step()
    for name, on in [("weight_decay", 0.5), ("momentum", 0.5), ("nesterov", True), ("maximize", True)]:
        traces = step.traces
        group[name] = on
        step()
        assert step.traces == traces + 1, name
        step()
        assert step.traces == traces + 1, name


def test_choices_are_watched(backend: Backend) -> None:
    ends = []
    for compiled in (False, True):
        w = pb.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        optimiser = Muon([w], lr=0.1)
        step = compiled_step(optimiser, backend.compile)
        for steps, adjust in [(5, None), (2, None), (2, "match_rms_adamw")]:
            optimiser.param_groups[0].update(ns_steps=steps, adjust_lr_fn=adjust)
            (step if compiled else step.function)()
        ends.append(w.detach())
    assert step.traces == 3
    backend.assert_agrees(ends[1], ends[0])


def test_a_new_group_is_seen() -> None:
    optimiser = SGD([leaf(1.0)], lr=0.25)
    step = compiled_step(optimiser)
    step()
    added = leaf(4.0)
    optimiser.add_param_group({"params": [added]})
    step()
    assert added.item() == 2.0
    assert step.traces == 2


def test_state_that_was_thrown_away_begins_anew() -> None:
    optimiser = Adam([leaf(1.0)])
    (w,) = optimiser.param_groups[0]["params"]
    step = compiled_step(optimiser)
    step()
    step()
    optimiser.state.clear()
    step()
    assert optimiser.state[w]["step"].item() == 1.0
    assert step.traces == 2


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "a new value": lambda optimiser, w: optimiser.state[w].update(step=pb.tensor(7.0)),
    "a new dict": lambda optimiser, w: optimiser.state.update({w: {**optimiser.state[w], "step": pb.tensor(7.0)}}),
    "a dict joined": lambda optimiser, w: optimiser.state.__ior__({w: {**optimiser.state[w], "step": pb.tensor(7.0)}}),
    "a new state": lambda optimiser, w: setattr(
        optimiser, "state", {w: {**optimiser.state[w], "step": pb.tensor(7.0)}}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_state_that_is_put_in_anew_is_seen(change: Callable[[Any, Any], Any]) -> None:
    optimiser = Adam([leaf(1.0)])
    (w,) = optimiser.param_groups[0]["params"]
    step = compiled_step(optimiser)
    for _ in range(3):
        step()
    change(optimiser, w)
    step()
    assert optimiser.state[w]["step"].item() == 8.0
    step()
    optimiser.state[w]["step"] = pb.tensor(3.0)  # what was put in is watched, too
    step()
    assert optimiser.state[w]["step"].item() == 4.0


def test_a_layer_that_is_frozen_is_no_longer_updated() -> None:
    w, b = leaf(1.0), leaf(1.0)
    optimiser = Adam([w, b])
    step = compiled_step(optimiser)
    step()
    b.requires_grad_(False)
    after_one = b.item()
    step()
    step()
    assert b.item() == after_one
    assert optimiser.state[b]["step"].item() == 1.0
    assert optimiser.state[w]["step"].item() == 3.0
    assert step.traces == 2


def test_loading_from_elsewhere_into_a_compiled_step() -> None:
    optimiser = Adam([leaf(1.0)])
    (w,) = optimiser.param_groups[0]["params"]
    step = compiled_step(optimiser)
    step()
    saved = optimiser.state_dict()
    saved["state"][0] = {name: np.asarray(x.numpy()) for name, x in saved["state"][0].items()}
    saved["state"][0]["step"] = 7
    optimiser.load_state_dict(saved)
    step()
    assert optimiser.state[w]["step"].item() == 8.0
    assert step.traces == 1


def test_a_closure_is_traced_too() -> None:
    w = leaf(3.0)
    optimiser = SGD([w], lr=0.25)

    @pb.compile
    def step() -> Any:
        def closure() -> Any:
            optimiser.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            return loss

        return optimiser.step(closure)

    assert [step().item(), step().item()] == [9.0, 2.25]
    assert step.traces == 1


def test_programs_name_state_and_numbers() -> None:
    optimiser = AdamW([("layer.weight", leaf(1.0))])
    step = compiled_step(optimiser)
    step()
    names = {value.name for value in step.latest.program.inputs}
    assert {"layer.weight.exp_avg", "layer.weight.step", "lr", "beta1", "beta2", "eps", "weight_decay"} <= names


def test_without_names_updates_carry_the_parameters_number() -> None:
    optimiser = SGD([{"params": [leaf(1.0)]}, {"params": [leaf(1.0)]}])
    step = compiled_step(optimiser)
    step()
    nodes = step.latest.program.nodes
    assert {node.origin.detail for node in nodes if node.origin.phase == "update"} == {"0", "1"}


def test_a_discarded_optimiser_can_be_collected() -> None:
    optimiser = trained()
    gone = weakref.ref(optimiser)
    del optimiser
    assert gone() is None


NO_STATES = {
    "a number": 3,
    "groups that are a number": {"state": {}, "param_groups": 3},
    "groups that are text": {"state": {}, "param_groups": ["lr"]},
    "a group without parameters": {"state": {}, "param_groups": [{"lr": 0.1}]},
    "a count of parameters": {"state": {}, "param_groups": [{"lr": 0.1, "params": 1}]},
    "state that is a list": {"state": [1], "param_groups": [{"params": [0]}]},
    "state of numbers": {"state": {0: 1.0}, "param_groups": [{"params": [0]}]},
}


@pytest.mark.parametrize("given", NO_STATES.values(), ids=NO_STATES.keys())
def test_what_is_no_state_of_an_optimiser_is_refused_in_words(given: Any) -> None:
    optimiser = Adam([leaf(1.0)], lr=0.25)
    with pytest.raises(StateError, match="state dict"):
        optimiser.load_state_dict(given)
    assert optimiser.param_groups[0]["lr"] == 0.25
