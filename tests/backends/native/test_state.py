"""Tensors are values: a native step that writes state where it stands changes nothing that somebody else holds.

Every row is a training loop with something done between its steps; the reference does the same, and all that was
kept on the way is looked at again in the end.
"""

import concurrent.futures
import contextlib
import copy
import gc
import multiprocessing
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.backends.native import executable
from pullback.base.trees import flatten
from tests.backends.native.comparing import numbers_in

STEPS = 7


@dataclass
class Training:
    """A small model in training, and what was kept on the way: the thing, and its numbers when it was kept."""

    backend: str
    model: Any
    optimizer: Any
    step: Any
    measure: Any
    x: pb.Tensor
    y: pb.Tensor
    kept: list[tuple[Any, list[bytes]]] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)

    def keep(self, thing: Any) -> None:
        """Remember a tensor, array or tree of them, with its present numbers."""
        self.kept.append((thing, numbers_in(thing)))

    def weights(self) -> list[pb.Tensor]:
        return list(self.model.parameters())


class Net(pb.nn.Module):
    """Two layers, and a buffer that training moves."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = pb.nn.Linear(6, 40), pb.nn.Linear(40, 3)
        self.register_buffer("mean", pb.zeros(40))

    def forward(self, x: pb.Tensor) -> pb.Tensor:
        h = self.first(x).tanh()
        if self.training:
            with pb.no_grad():
                self.mean.mul_(0.9).add_(h.detach().mean(0) * 0.1)
        return self.second(h - self.mean)


def training(backend: str) -> Training:
    pb.manual_seed(2)
    model = Net().double()
    optimizer = pb.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)

    @pb.compile(backend=backend)
    def step(x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        loss = pb.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    @pb.compile(backend=backend)
    def measure(x: pb.Tensor) -> pb.Tensor:
        with pb.no_grad():
            return model(x).argmax(1), model.first.weight, model.mean * 1.0

    rng = np.random.default_rng(1)
    x, y = pb.tensor(rng.standard_normal((9, 6))), pb.tensor(rng.integers(0, 3, 9))
    return Training(backend, model, optimizer, step, measure, x, y)


def swap(t: Training) -> None:
    """The two moments of a weight change places."""
    state = t.optimizer.state_dict()["state"][0]
    state["exp_avg"], state["exp_avg_sq"] = state["exp_avg_sq"].abs(), state["exp_avg"].abs()
    held = t.optimizer.state_dict()
    held["state"][0] = state
    t.optimizer.load_state_dict(held)


def eager_graph(t: Training) -> None:
    """A graph of eager ops that holds the weights of now and is used later."""
    held = [w.detach().requires_grad_() for w in t.weights()]
    losses = [sum((w * w * w).sum() for w in ws) for ws in (held, t.weights())]
    t.memory.setdefault("graphs", []).append((losses, held))
    t.keep([w.detach() for w in t.weights()])


def end_of_graphs(t: Training) -> None:
    for (loss, other), held in t.memory.get("graphs", []):
        t.keep(list(pb.autograd.grad(loss, held)))
        if other.requires_grad:
            other.backward()


def eager_step(t: Training) -> None:
    """A step of eager ops between the compiled ones."""
    loss = pb.nn.functional.cross_entropy(t.model(t.x), t.y)
    t.optimizer.zero_grad()
    loss.backward()
    t.optimizer.step()


def write_weights(t: Training) -> None:
    with pb.no_grad():
        for w in t.weights():
            w.copy_(w * 0.5 + 0.1)


def write_a_part(t: Training) -> None:
    with pb.no_grad():
        t.model.first.weight[0] = 1.5
        t.model.mean.add_(0.25)


def load_snapshot(t: Training) -> None:
    """Back to what was there two steps ago."""
    snapshots = t.memory.setdefault("snapshots", [])
    snapshots.append((t.model.state_dict(), t.optimizer.state_dict()))
    if len(snapshots) >= 3:
        model, optimizer = copy.deepcopy(snapshots[-3])
        t.model.load_state_dict(model)
        t.optimizer.load_state_dict(optimizer)


def put_data(t: Training) -> None:
    t.model.second.weight.data = t.model.second.weight.detach() * 0.5


def freeze(t: Training) -> None:
    w = t.model.first.weight
    w.requires_grad_(not w.requires_grad)
    if not w.requires_grad:
        w.grad = None


def set_gradients(t: Training) -> None:
    for w in t.weights():
        w.grad = pb.ones_like(w.detach())
        t.keep(w.grad)


def drop_gradients(t: Training) -> None:
    for w in t.weights():
        w.grad = None


def change_gradients(t: Training) -> None:
    for w in t.weights():
        if w.grad is not None:
            w.grad.mul_(3.0)


def accumulate(t: Training) -> None:
    """Gradients of eager ops are added to those that the step left."""
    t.keep([w.grad.detach() for w in t.weights() if w.grad is not None])
    sum((w * w).sum() for w in t.weights() if w.requires_grad).backward()
    t.keep([w.grad.clone() for w in t.weights() if w.grad is not None])


def measured(t: Training) -> None:
    t.model.eval()
    t.keep(t.measure(t.x))
    t.model.train()


def given_as_argument(t: Training) -> None:
    """The state itself is what the other function is given."""
    t.keep(pb_scaled(t.backend)(t.model.first.weight.detach(), t.model.mean))


def pb_scaled(backend: str) -> Any:
    return pb.compile(lambda a, b: (a * 2, b + 1, a), backend=backend)


def hook(t: Training) -> None:
    """Hooks of a weight are called by eager ops alone; adding one must not lose the weight's place."""
    seen = t.memory.setdefault("seen", [])
    t.model.second.bias.register_hook(lambda g: seen.append(g.shape))


def slower(t: Training) -> None:
    for group in t.optimizer.param_groups:
        group["lr"] *= 0.5


def collect(t: Training) -> None:
    t.memory["weak"] = [weakref.ref(w) for w in t.weights()]
    gc.collect()


def other_batch(t: Training) -> None:
    t.keep((t.x, t.y))
    t.x, t.y = t.x * 1.5, t.y.flip(0)


def write_batch(t: Training) -> None:
    t.x.mul_(0.5)


BETWEEN: dict[str, Callable[[Training], None]] = {
    "nothing": lambda t: None,
    "detached weights are kept": lambda t: t.keep([w.detach() for w in t.weights()]),
    "state dicts are kept": lambda t: t.keep([t.model.state_dict(), t.optimizer.state_dict()]),
    "arrays are kept": lambda t: t.keep([w.detach().array() for w in t.weights()]),
    "views of arrays are kept": lambda t: t.keep([w.detach().array()[..., :1] for w in t.weights()]),
    "copies are kept": lambda t: t.keep([w.detach().numpy() for w in t.weights()]),
    "parts are kept": lambda t: t.keep([t.model.first.weight[1:3].detach(), t.model.mean[:5]]),
    "transposed weights are kept": lambda t: t.keep([w.T.detach() for w in t.weights()]),
    "deep copies are kept": lambda t: t.keep([copy.deepcopy(w).detach() for w in t.weights()]),
    "gradients are kept": lambda t: t.keep([w.grad for w in t.weights() if w.grad is not None]),
    "detached gradients are kept": lambda t: t.keep([w.grad.detach() for w in t.weights() if w.grad is not None]),
    "arrays of gradients are kept": lambda t: t.keep([w.grad.array() for w in t.weights() if w.grad is not None]),
    "eager graphs hold the weights": eager_graph,
    "eager steps": eager_step,
    "weights are written": write_weights,
    "a part of them is written": write_a_part,
    "data is put in": put_data,
    "snapshots are loaded": load_snapshot,
    "moments change places": swap,
    "frozen and freed": freeze,
    "gradients are set": set_gradients,
    "gradients are dropped": drop_gradients,
    "gradients are changed": change_gradients,
    "gradients are added to": accumulate,
    "another function reads the state": measured,
    "the state is an argument": given_as_argument,
    "hooks": hook,
    "the rate changes": slower,
    "rubbish is collected": collect,
    "other batches": other_batch,
    "the batch is written to": write_batch,
}


def carry_out(t: Training, names: list[str]) -> list[Any]:
    """Seven steps with these things in between, in turn."""
    losses = []
    for k in range(STEPS):
        losses.append(t.step(t.x, t.y))
        BETWEEN[names[k % len(names)]](t)
    end_of_graphs(t)
    gradients = [w.grad for w in t.weights()]
    values = [losses, t.model.state_dict(), t.optimizer.state_dict(), gradients, [thing for thing, _ in t.kept]]
    return [x for x in flatten(values)[0] if isinstance(x, (pb.Tensor, np.ndarray))]


def check(names: list[str]) -> None:
    reference, native = training("reference"), training("native")
    wanted, found = carry_out(reference, names), carry_out(native, names)
    for (thing, before), (same, before_there) in zip(native.kept, reference.kept, strict=True):
        # A gradient that is kept may be added to; nothing else changes.
        assert numbers_in(thing) == before or numbers_in(same) != before_there, f"{names}: what was kept has changed"
    assert len(wanted) == len(found), names
    for a, b in zip(wanted, found, strict=True):
        x, y = (np.asarray(v.detach().array() if isinstance(v, pb.Tensor) else v) for v in (a, b))
        np.testing.assert_allclose(y, x, 1e-8, 1e-10, err_msg=str(names))
    assert native.memory.get("seen") == reference.memory.get("seen")


@pytest.mark.parametrize("name", BETWEEN)
def test_after_each_step(name: str) -> None:
    check([name])


@pytest.mark.parametrize("name", BETWEEN)
def test_now_and_then(name: str) -> None:
    """After a few steps in a row that nothing disturbs."""
    check(["nothing", "nothing", name])


@pytest.mark.parametrize("seed", [*range(12), *[pytest.param(s, marks=pytest.mark.slow) for s in range(12, 150)]])
def test_all_mixed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [n for n in BETWEEN if n != "deep copies are kept"]
    check([names[i] for i in rng.integers(len(names), size=STEPS)])


# State, results and arguments that are one another
def native_and_reference(function: Callable[[str], list[Any]]) -> None:
    wanted, found = function("reference"), function("native")
    for a, b in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(b, a)


def test_a_result_that_is_the_state() -> None:
    """Handed out, it is the numbers of its time."""

    def run(backend: str) -> list[Any]:
        w = pb.zeros(3)
        step = pb.compile(lambda x: (w.add_(x), w, w * 1)[1:], backend=backend)
        results = [step(pb.ones(3)) for _ in range(4)]
        return [[y.tolist() for y in pair] for pair in results] + [w.tolist()]

    native_and_reference(run)


def test_a_result_kept_as_it_was() -> None:
    """The same, for a clone of the state and for large results, whose memory is new for each call."""

    def run(backend: str) -> list[Any]:
        w = pb.zeros(70, 80)
        step = pb.compile(lambda x: (w.add_(x), w.clone(), w + 1, (w + 1).sum())[1:], backend=backend)
        results = [step(pb.ones(70, 80)) for _ in range(4)]
        return [[y.array() for y in three] for three in results] and [r[i].array() for r in results for i in range(3)]

    native_and_reference(run)


def test_the_same_array_as_argument_and_as_state() -> None:
    def run(backend: str) -> list[Any]:
        array = np.arange(5.0)
        w = pb.tensor(array)
        step = pb.compile(lambda x: w.mul_(2).add_(x).sum(), backend=backend)
        found = [
            step(array).item(),
            step(w.detach()).item(),
            step(w.detach().array()).item(),
            step(pb.ones(5) * 1.0).item(),
        ]
        return [*found, w.tolist(), array]

    native_and_reference(run)


def test_two_states_change_places() -> None:
    def run(backend: str) -> list[Any]:
        a, b, c = pb.arange(4.0), pb.arange(4.0) * 10, pb.zeros(4)

        def turn() -> pb.Tensor:
            old_a, old_b, old_c = a.clone(), b.clone(), c.clone()
            a.copy_(old_b)
            b.copy_(old_c + 1)
            c.copy_(old_a)
            return old_a.sum()

        step = pb.compile(turn, backend=backend)
        sums = [step().item() for _ in range(5)]
        return [sums, a.tolist(), b.tolist(), c.tolist()]

    native_and_reference(run)


def test_states_that_share_their_numbers() -> None:
    """Two tensors with one array: each is a value of its own."""

    def run(backend: str) -> list[Any]:
        a = pb.arange(4.0)
        b = a.detach()
        step = pb.compile(lambda: (a.add_(b), b.mul_(2), a.sum())[2], backend=backend)
        sums = [step().item() for _ in range(4)]
        return [sums, a.tolist(), b.tolist()]

    native_and_reference(run)


def test_state_that_is_turned_or_repeated() -> None:
    """Numbers that do not lie row by row at first."""

    def run(backend: str) -> list[Any]:
        a, b = pb.zeros(3, 2), pb.zeros(4, 3)
        a.data, b.data = pb.arange(6.0).reshape(2, 3).T, pb.ones(1, 3).expand(4, 3)
        c = pb.arange(12.0).reshape(3, 4).T  # only read
        step = pb.compile(
            lambda x: (a.mul_(x), b.add_(a[:1, :1]), (a.sum() + b.sum() + c[1]).sum())[2], backend=backend
        )
        sums = [step(pb.tensor(1.5)).item() for _ in range(3)]
        return [sums, a.tolist(), b.tolist()]

    native_and_reference(run)


def test_shifted_state_is_read_before_it_is_written() -> None:
    """What one place gets stands in another place: reversed, shifted, summed up."""

    def run(backend: str) -> list[Any]:
        size = 90_001  # several chunks
        state = [pb.tensor(np.arange(size) % 97.0) for _ in range(4)]

        def turn() -> pb.Tensor:
            a, b, c, d = state
            a.copy_(a.flip(0))
            b.copy_(b.roll(1, 0) + 1)
            c.copy_(pb.cat([c[1:], c[:1]]) * 1.0)
            d.sub_(d.amax() - a.sum() * 0)
            return a[0] + b[0]

        step = pb.compile(turn, backend=backend)
        sums = [step().item() for _ in range(3)]
        return [sums, *(x.array() for x in state)]

    native_and_reference(run)


def test_functions_that_share_state_in_turn() -> None:
    def run(backend: str) -> list[Any]:
        w = pb.arange(8.0, dtype=pb.float64)
        add = pb.compile(lambda x: (w.add_(x), w.sum())[1], backend=backend)
        scale = pb.compile(lambda x: (w.mul_(x), w.sum())[1], backend=backend)
        read = pb.compile(lambda: w * 2, backend=backend)
        found = []
        for k in range(12):
            found.append((add, scale)[k % 2](pb.tensor(1.0 + 0.25 * k, dtype=pb.float64)).item())
            if k % 3 == 0:
                found.append(read().sum().item())
        return [found, w.tolist()]

    native_and_reference(run)


# Threads and processes
def large_step(seed: int) -> tuple[Any, pb.Tensor]:
    """A step that several threads share, on state of its own."""
    w = pb.tensor(np.random.default_rng(seed).standard_normal((300, 200)))
    step = pb.compile(lambda x: (w.mul_(0.5).add_((w @ x).tanh().softmax(1)), w.sum())[1], backend="native")
    return step, w


def outcome(seed: int, steps: int = 12) -> float:
    step, _ = large_step(seed)
    x = pb.tensor(np.random.default_rng(99).standard_normal((200, 200)))
    return [step(x).item() for _ in range(steps)][-1]


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three threads in every step."""
    monkeypatch.setattr(executable, "SMALL_WORK", 0)
    monkeypatch.setenv("PULLBACK_THREADS", "3")


def test_steps_from_several_python_threads(team: None) -> None:
    wanted = [outcome(seed) for seed in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(outcome, range(4))) == wanted


def test_one_step_from_several_python_threads(team: None) -> None:
    """Each call is whole: the additions are all there."""
    w, count = pb.zeros(50_000), 25
    step = pb.compile(lambda x: (w.add_(x), w.amax())[1], backend="native")
    x = pb.ones(50_000)
    seen: list[float] = []
    threads = [threading.Thread(target=lambda: seen.extend(step(x).item() for _ in range(count))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 4 * count + 1))
    assert set(w.tolist()) == {4.0 * count}


def in_child(seed: int) -> float:
    return outcome(seed, 5)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_after_a_fork(team: None) -> None:
    """The child has no threads of the parent; it makes its own. The parent goes on."""
    step, _ = large_step(1)
    x = pb.tensor(np.random.default_rng(99).standard_normal((200, 200)))
    step(x)
    wanted = in_child(3)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # no test framework here: leave without cleaning up
        with contextlib.suppress(BaseException):
            os.write(writer, repr([in_child(3), step(x).item()]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read().decode()
    assert os.waitpid(child, 0)[1] == 0
    again = step(x).item()
    assert told == repr([wanted, again])
    assert in_child(3) == wanted


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_in_a_pool_of_processes(way: str, team: None) -> None:
    wanted = [in_child(seed) for seed in (1, 2)]
    with multiprocessing.get_context(way).Pool(2) as pool:
        assert pool.map_async(in_child, (1, 2)).get(timeout=120) == wanted
