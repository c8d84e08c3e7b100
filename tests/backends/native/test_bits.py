"""The same machine gives the same bits: with any number of threads, from run to run, by steps or by epochs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.backends.native import executable
from tests.backends.native.workloads import WORKLOADS, digest, train

ROOT = Path(__file__).parents[3]
THREADS = (1, 2, 3, 8)


@pytest.fixture(scope="module")
def by_threads() -> dict[int, dict[str, str]]:
    """The digest of each workload, for each number of threads."""
    found = {}
    for threads in THREADS:
        environment = {**os.environ, "PULLBACK_THREADS": str(threads)}
        command = [sys.executable, "-m", "tests.backends.native.workloads"]
        told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert told.returncode == 0, told.stderr
        found[threads] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("name", [*WORKLOADS, *(f"{name}, cut finely" for name in WORKLOADS if name != "W4")])
def test_any_number_of_threads_gives_the_same_bits(name: str, by_threads: dict[int, dict[str, str]]) -> None:
    assert len({found[name] for found in by_threads.values()}) == 1, [f[name] for f in by_threads.values()]


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_run_gives_the_same_bits(name: str, by_threads: dict[int, dict[str, str]]) -> None:
    """Also in this process, where other programs may have left their numbers in memory."""
    assert {digest(train(name, "native")) for _ in range(2)} == {by_threads[1][name]}


@pytest.mark.parametrize("name", WORKLOADS)
def test_it_is_what_the_reference_gives(name: str) -> None:
    wanted, found = train(name, "reference"), train(name, "native")
    for a, b in zip(wanted["losses"], found["losses"], strict=True):
        assert abs(a.item() - b.item()) <= 2e-5 * abs(a.item())
    for key, value in wanted["model"].items():
        np.testing.assert_allclose(found["model"][key].array(), value.array(), 2e-3, 2e-4, err_msg=key)


# By epochs
def model_with_dropout() -> Any:
    nn = pb.nn
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 5))


def loaders(batch: int, shuffle: bool) -> Callable[[], Any]:
    def make() -> Any:
        rng = np.random.default_rng(0)
        x, y = rng.random((103, 20), dtype=np.float32), rng.integers(0, 5, 103)
        generator = pb.Generator().manual_seed(4) if shuffle else None
        data = pb.utils.data.TensorDataset(pb.tensor(x), pb.tensor(y))
        return pb.utils.data.DataLoader(data, batch_size=batch, shuffle=shuffle, generator=generator)

    return make


def run(loader: Any, epochs: int, by_epoch: bool, most: int = 0, schedule: bool = True) -> dict[str, Any]:
    """Train either way: losses and all state."""
    pb.manual_seed(6)
    model = model_with_dropout()
    optimizer = pb.optim.AdamW(model.parameters(), lr=0.01)
    schedules = [pb.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)] if schedule else []

    @pb.compile(backend="native")
    def step(x: pb.Tensor, y: pb.Tensor) -> Any:
        logits = model(x)
        loss = pb.nn.functional.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss, "right": (logits.argmax(1) == y).sum()}

    losses: list[Any] = []

    def advance() -> None:
        for each in schedules:
            each.step()

    for _ in range(epochs):
        if by_epoch:
            for portion in step.over(loader, advance=advance, most=most):
                losses += zip(portion["loss"].tolist(), portion["right"].tolist(), strict=True)
            continue
        for batch in loader:
            found = step(*batch)
            losses.append((found["loss"].item(), found["right"].item()))
            advance()
    gradients = [p.grad for p in model.parameters()]
    state = [model.state_dict(), optimizer.state_dict(), gradients, pb.get_rng_state()]
    return {"losses": losses, "state": digest(state), "rate": optimizer.param_groups[0]["lr"]}


@pytest.mark.parametrize(
    ("schedule", "most"), [(False, 0), (True, 0), (True, 3)], ids=["fixed rate", "schedule", "schedule, by threes"]
)
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
@pytest.mark.parametrize("batch", [103, 16, 7], ids=["whole", "with a shorter last batch", "many"])
def test_an_epoch_is_its_steps(batch: int, shuffle: bool, schedule: bool, most: int) -> None:
    make = loaders(batch, shuffle)
    wanted = run(make(), 3, by_epoch=False, schedule=schedule)
    assert run(make(), 3, by_epoch=True, most=most, schedule=schedule) == wanted


class Repeats:
    """The same batch again and again, not the rows of a data set."""

    def __init__(self, count: int) -> None:
        self.batch = tuple(next(iter(loaders(16, False)())))
        self.count = count

    def __iter__(self) -> Iterator[Any]:
        return iter([self.batch] * self.count)


def test_the_same_batch_over_and_over() -> None:
    assert run(Repeats(9), 2, by_epoch=True) == run(Repeats(9), 2, by_epoch=False)


@pytest.mark.parametrize("threads", [2, 3])
def test_an_epoch_on_several_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    make = loaders(16, True)
    wanted = run(make(), 2, by_epoch=False)
    monkeypatch.setattr(executable, "SMALL_WORK", 0)
    monkeypatch.setenv("PULLBACK_THREADS", str(threads))
    assert run(make(), 2, by_epoch=True) == wanted
