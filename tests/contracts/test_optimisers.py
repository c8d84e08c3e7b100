"""What holds for every optimiser and every schedule, row by row. Courses beside PyTorch's are in test_oracle.py."""

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import pullback as pb
from tests.contracts import rows_optimisers, rows_schedules
from tests.contracts.backends import Backend
from tests.contracts.rows_optimisers import ROWS, STEPS, OptimiserRow
from tests.contracts.rows_schedules import ScheduleRow, rates_and_momentum

SCHEDULES = rows_schedules.ORACLE_ROWS
over_rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
over_schedules = pytest.mark.parametrize("row", SCHEDULES, ids=lambda row: row.name)


def test_every_optimiser_and_schedule_has_a_row() -> None:
    bases = {"Optimizer", "LRScheduler", "lr_scheduler"}
    assert {row.optimiser for row in ROWS} == set(pb.optim.__all__) - bases
    assert {row.schedule for row in SCHEDULES} == set(pb.optim.lr_scheduler.__all__) - bases
    assert rows_optimisers.ORACLE_ROWS


# Compiled and eager
def training_step(params: list[Any], optimiser: Any) -> Callable[[Any], Any]:
    """One step of training on a noisy bowl."""

    def step(noise: Any) -> Any:
        optimiser.zero_grad()
        loss = sum((((p - 0.5) ** 2).sum() * (1 + place) + (p * noise[place]).sum()) for place, p in enumerate(params))
        loss.backward()
        optimiser.step()
        return loss

    return step


@over_rows
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_steps_are_those_of_eager(row: OptimiserRow, dtype: str, backend: Backend) -> None:
    results = []
    for compiled in (False, True):
        params = row.parameters(pb, dtype)
        optimiser = row.build(pb, params)
        step = training_step(params, optimiser)
        step = backend.compile(step) if compiled else step
        for number in range(5):
            scale_numbers(optimiser, number)
            step(pb.tensor(np.random.default_rng(number).standard_normal(len(params)), dtype=getattr(pb, dtype)))
        results.append([*params, *[x for p in params for x in optimiser.state[p].values()]])
    assert step.traces == 1
    backend.assert_agrees(results[1], results[0])


def scale_numbers(optimiser: Any, number: int) -> None:
    """Change every number that steers the update, as schedules do; no switch is turned."""
    for group in optimiser.param_groups:
        for name in ("lr", "weight_decay", "momentum", "eps", "alpha", "rho", "lambd"):
            if isinstance(group.get(name), float):
                group[name] *= 0.99**number
        if "betas" in group:
            group["betas"] = tuple(0.99 * beta for beta in group["betas"])


@over_rows
def test_state_is_made_once_and_named_after_the_parameter(row: OptimiserRow) -> None:
    params = row.parameters(pb, "float32")
    optimiser = row.build(pb, [(f"layer.{place}", p) for place, p in enumerate(params)])
    step = pb.compile(training_step(params, optimiser))
    step(pb.zeros(len(params)))
    kept = {id(x) for p in params for x in optimiser.state[p].values()}
    step(pb.zeros(len(params)))
    assert {id(x) for p in params for x in optimiser.state[p].values()} == kept
    for place, p in enumerate(params):
        assert all(x.label == f"layer.{place}.{name}" for name, x in optimiser.state[p].items())
    updates = [node for node in step.latest.program.nodes if node.origin.phase == "update"]
    assert {node.origin.detail for node in updates} == {f"layer.{place}" for place in range(len(params))}


# Saving and loading
@over_rows
def test_training_goes_on_exactly_where_it_was_saved(row: OptimiserRow) -> None:
    params = row.parameters(pb, "float64")
    optimiser = row.build(pb, params)
    course = row.take_steps(pb, params, optimiser, range(7))
    saved, weights = optimiser.state_dict(), [p.detach() for p in params]
    course = row.take_steps(pb, params, optimiser, range(7, STEPS))

    resumed = [w.clone().requires_grad_() for w in weights]
    again = getattr(pb.optim, row.optimiser)(resumed)
    again.load_state_dict(through_json(saved))
    np.testing.assert_array_equal(row.take_steps(pb, resumed, again, range(7, STEPS)), course)


def through_json(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict with its groups as they are after a file of JSON, and its tensors as NumPy arrays."""
    return {"state": as_arrays(saved["state"]), "param_groups": json.loads(json.dumps(saved["param_groups"]))}


def as_arrays(tree: Any, tensor: Callable[[np.ndarray], Any] = np.asarray) -> Any:
    """A tree with every tensor of any library made an array, or what `tensor` makes of that."""
    if isinstance(tree, Mapping):
        return {key: as_arrays(x, tensor) for key, x in tree.items()}
    return tensor(tree.detach().numpy()) if hasattr(tree, "detach") else tree


@over_rows
def test_a_saved_state_is_not_changed_by_later_steps(row: OptimiserRow) -> None:
    params = row.parameters(pb, "float32")
    optimiser = row.build(pb, params)
    row.take_steps(pb, params, optimiser, range(3))
    saved = optimiser.state_dict()
    before = json.dumps(as_arrays(saved, np.ndarray.tolist))
    row.take_steps(pb, params, optimiser, range(3, 6))
    assert json.dumps(as_arrays(saved, np.ndarray.tolist)) == before


@over_rows
def test_loading_into_a_compiled_step_traces_nothing_anew(row: OptimiserRow) -> None:
    params = row.parameters(pb, "float32")
    optimiser = row.build(pb, params)
    step = pb.compile(training_step(params, optimiser))
    noise = pb.zeros(len(params))
    step(noise)
    saved, weights = optimiser.state_dict(), [p.detach() for p in params]
    step(noise)
    reached = [p.detach().numpy() for p in params]
    optimiser.load_state_dict(saved)
    with pb.no_grad():
        for p, weight in zip(params, weights, strict=True):
            p.copy_(weight)
    step(noise)
    assert step.traces == 1
    for p, there in zip(params, reached, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), there)


@pytest.mark.oracle
@pytest.mark.parametrize("row", rows_optimisers.ORACLE_ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("there", [True, False], ids=["to PyTorch", "from PyTorch"])
def test_training_goes_on_in_the_other_library(row: OptimiserRow, there: bool) -> None:
    torch = pytest.importorskip("torch")
    first, second = (pb, torch) if there else (torch, pb)
    params = row.parameters(first, "float64")
    optimiser = row.build(first, params)
    row.take_steps(first, params, optimiser, range(7))
    moved = [second.tensor(p.detach().numpy()).requires_grad_() for p in params]
    other = getattr(second.optim, row.optimiser)(moved)
    other.load_state_dict(as_arrays(optimiser.state_dict(), second.tensor))
    ours = row.take_steps(first, params, optimiser, range(7, STEPS))
    theirs = row.take_steps(second, moved, other, range(7, STEPS))
    np.testing.assert_allclose(ours, theirs, 0, row.tolerance["float64"][1])


# What each rule is, without PyTorch
def adam_like(p: np.ndarray, g: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    return p - o["lr"] * g / (np.abs(g) + o["eps"])


def nadam(p: np.ndarray, g: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    beta = o["betas"][0]
    mu, after = (beta * (1 - 0.5 * 0.96 ** (t * o["momentum_decay"])) for t in (1, 2))
    mu = float(np.float32(mu))  # the product of all mu is kept in float32
    return p - o["lr"] * (1 + after * (1 - beta) / (1 - mu * after)) * g / (np.abs(g) + o["eps"])


def adadelta(p: np.ndarray, g: np.ndarray, o: dict[str, Any]) -> np.ndarray:
    return p - o["lr"] * np.sqrt(o["eps"]) / np.sqrt((1 - o["rho"]) * g * g + o["eps"]) * g


FIRST_STEP: dict[str, Callable[[np.ndarray, np.ndarray, dict[str, Any]], np.ndarray]] = {
    "SGD": lambda p, g, o: p - o["lr"] * g,
    "Adagrad": adam_like,
    "RMSprop": lambda p, g, o: p - o["lr"] * g / (np.sqrt(1 - o["alpha"]) * np.abs(g) + o["eps"]),
    "Adadelta": adadelta,
    "Adam": adam_like,
    "AdamW": lambda p, g, o: adam_like(p * (1 - o["lr"] * o["weight_decay"]), g, o),
    "NAdam": nadam,
    "RAdam": lambda p, g, o: p - o["lr"] * g,
    "Adamax": adam_like,
    "ASGD": lambda p, g, o: p * (1 - o["lambd"] * np.float32(o["lr"])) - np.float32(o["lr"]) * g,
    "Lion": lambda p, g, o: p - o["lr"] * np.sign(g),
    "SparseAdam": lambda p, g, o: p - o["lr"] * g / (np.abs(g) + o["eps"] / np.sqrt(1 - o["betas"][1])),
}


@pytest.mark.parametrize("name", FIRST_STEP)
def test_first_step_in_closed_form(name: str) -> None:
    start, g = np.array([1.0, -2.0, 0.5]), np.array([0.3, -4.0, 20.0])
    p = pb.tensor(start, requires_grad=True)
    p.grad = pb.tensor(g)
    optimiser = getattr(pb.optim, name)([p])
    optimiser.step()
    np.testing.assert_allclose(p.detach().numpy(), FIRST_STEP[name](start, g, optimiser.defaults), 1e-7)


def test_every_optimiser_has_a_closed_form() -> None:
    assert set(FIRST_STEP) == {row.optimiser for row in ROWS} - {"Muon"}


@pytest.mark.parametrize("row", [row for row in ROWS if row.optimiser == "Lion"], ids=lambda row: row.name)
def test_lion_beside_numpy(row: OptimiserRow) -> None:
    o = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0, "maximize": False} | row.options
    weights, momenta, course = row.start(), [np.zeros(shape) for shape in row.shapes], []
    for step in range(STEPS):
        for place, p in enumerate(weights):
            g = row.gradient(step, place, p)
            if g is None:
                continue
            g = -g if o["maximize"] else g
            direction = np.sign(o["betas"][0] * momenta[place] + (1 - o["betas"][0]) * g)
            weights[place] = p - o["lr"] * (direction + o["weight_decay"] * p)
            momenta[place] = o["betas"][1] * momenta[place] + (1 - o["betas"][1]) * g
        course.append(np.concatenate([p.ravel() for p in weights]))
    np.testing.assert_allclose(row.run(pb)["float64"], course, 0, 1e-12)


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9)])
def test_muon_keeps_the_singular_vectors_and_levels_the_singular_values(shape: tuple[int, int], rng: Any) -> None:
    g = rng.standard_normal(shape)
    p = pb.zeros(shape, requires_grad=True)
    p.grad = pb.tensor(g, dtype=pb.float32)
    pb.optim.Muon([p], lr=1.0, adjust_lr_fn="original").step()
    u, _, v = np.linalg.svd(g, full_matrices=False)
    inner = u.T @ -p.detach().numpy() @ v.T / np.sqrt(max(1, shape[0] / shape[1]))
    levels = np.diag(inner)
    assert (levels > 0.5).all()
    assert (levels < 1.3).all()
    assert np.abs(inner - np.diag(levels)).max() < 0.05


# Groups, dtypes
@over_rows
def test_groups_are_updated_each_with_their_own_numbers(row: OptimiserRow) -> None:
    together = row.parameters(pb, "float64")
    rates = [0.01 * (place + 1) for place in range(len(together))]
    options = {name: x for name, x in row.options.items() if name != "lr"}
    groups = [{"params": [p], "lr": lr} for p, lr in zip(together, rates, strict=True)]
    row.take_steps(pb, together, getattr(pb.optim, row.optimiser)(groups, **options), range(3))
    for place, lr in enumerate(rates):
        alone = row.parameters(pb, "float64")
        row.take_steps(pb, alone, getattr(pb.optim, row.optimiser)([alone[place]], lr=lr, **options), range(3))
        np.testing.assert_array_equal(together[place].detach().numpy(), alone[place].detach().numpy())


@over_rows
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_follows_the_course_of_float32(row: OptimiserRow, dtype: str) -> None:
    ends = []
    for kind in (dtype, "float32"):
        params = [p.detach().to(getattr(pb, kind)).requires_grad_() for p in row.parameters(pb, dtype)]
        optimiser = row.build(pb, params)
        for step in range(5):
            for place, p in enumerate(params):
                p.grad = pb.tensor(row.gradient(step + 10, place, row.start()[place])).to(p.dtype)
            optimiser.step()
        assert all(p.dtype is getattr(pb, kind) for p in params)
        assert all(np.isfinite(x.float().numpy()).all() for p in params for x in optimiser.state[p].values())
        ends.append(np.concatenate([p.detach().float().numpy().ravel() for p in params]))
    # Each of 5 steps rounds numbers of up to about 4 to 8 or 11 bits.
    assert np.abs(ends[0] - ends[1]).max() < 5 * 4 * 2.0 ** (-8 if dtype == "bfloat16" else -11) + 1e-2


@over_rows
def test_half_precision_survives_a_gradient_of_zero(row: OptimiserRow) -> None:
    # eps is too small for float16: 0 / (0 + eps) would be NaN there.
    params = [p.detach().to(pb.float16).requires_grad_() for p in row.parameters(pb, "float16")]
    for p in params:
        p.grad = pb.zeros_like(p)
    row.build(pb, params).step()
    assert all(np.isfinite(p.detach().numpy()).all() for p in params)


# Schedules
@over_schedules
def test_a_schedule_goes_on_exactly_where_it_was_saved(row: ScheduleRow) -> None:
    optimiser = row.optimiser_of(pb)
    schedule = row.build(pb, optimiser)
    steps = row.steps(schedule)
    half = len(steps) // 2
    for step in steps[:half]:
        optimiser.step()
        step()
    saved = json.loads(json.dumps([schedule.state_dict(), optimiser.state_dict()]))
    course = follow(optimiser, steps[half:])

    other = row.optimiser_of(pb)
    resumed = row.build(pb, other)
    resumed.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    assert resumed.get_last_lr() == saved[0]["_last_lr"]
    assert follow(other, row.steps(resumed)[half:]) == course


def follow(optimiser: Any, steps: list[Callable[[], None]]) -> list[list[float]]:
    """The rates after each of the steps."""
    course = []
    for step in steps:
        optimiser.step()
        step()
        course.append(rates_and_momentum(optimiser))
    return course


@pytest.mark.oracle
@over_schedules
@pytest.mark.parametrize("there", [True, False], ids=["to PyTorch", "from PyTorch"])
def test_a_schedule_goes_on_in_the_other_library(row: ScheduleRow, there: bool) -> None:
    torch = pytest.importorskip("torch")
    first, second = (pb, torch) if there else (torch, pb)
    optimiser, other = row.optimiser_of(first), row.optimiser_of(second)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch warns of is not ours to mend
        schedule, resumed = row.build(first, optimiser), row.build(second, other)
        follow(optimiser, row.steps(schedule)[:4])
        resumed.load_state_dict(schedule.state_dict())
        other.load_state_dict(optimiser.state_dict())
        course, continued = (follow(o, row.steps(s)[4:]) for o, s in ((optimiser, schedule), (other, resumed)))
    np.testing.assert_allclose(course, continued, 1e-11, 1e-15)


@over_schedules
def test_stepping_a_schedule_traces_nothing_anew(row: ScheduleRow, backend: Backend) -> None:
    ends = []
    for compiled in (False, True):
        optimiser = row.optimiser_of(pb)
        weights = [group["params"][0].requires_grad_() for group in optimiser.param_groups]
        schedule = row.build(pb, optimiser)
        step = training_step(weights, optimiser)
        step = backend.compile(step) if compiled else step
        for next_epoch in row.steps(schedule)[:9]:
            step(pb.ones(2))
            next_epoch()
        ends.append(weights)
    assert step.traces == 1
    backend.assert_agrees(ends[1], ends[0], scale=1.0)
