"""`step.over`: the results of calling step by step, in every bit, however many steps run in one native call."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pullback as pb
from tests.contracts.backends import Backend

DataLoader, TensorDataset = pb.utils.data.DataLoader, pb.utils.data.TensorDataset
ROWS, FEATURES = 23, 5  # batches of 4: the last one has 3 rows


def training(compile: Callable[[Any], Any], dropout: float = 0.3) -> tuple[Any, Any, Any]:
    """A compiled step of a small network, its schedule, and everything that it changes."""
    pb.manual_seed(3)
    model = pb.nn.Sequential(pb.nn.Linear(FEATURES, 8), pb.nn.Tanh(), pb.nn.Dropout(dropout), pb.nn.Linear(8, 3))
    optimizer = pb.optim.Adam(model.parameters(), lr=0.05)
    schedule = pb.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = pb.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return {"loss": loss, "rows": len(x), "mean": x.mean(0)}

    def state() -> list[bytes]:
        kept = [x for p in model.parameters() for x in optimizer.state[p].values()]
        tensors = [*model.parameters(), *kept, pb.get_rng_state()]
        return [x.detach().array().tobytes() for x in tensors]

    return compile(step), schedule, state


def dataset() -> Any:
    rng = np.random.default_rng(5)
    return TensorDataset(
        pb.tensor(rng.standard_normal((ROWS, FEATURES)).astype(np.float32)), pb.tensor(rng.integers(0, 3, ROWS))
    )


class OneByOne(pb.utils.data.Dataset):
    """The same rows, which are not rows of whole arrays to a loader."""

    def __init__(self) -> None:
        self.rows = dataset()

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, i: int) -> Any:
        return self.rows[i]


LOADERS: dict[str, Callable[[], Any]] = {
    "rows": lambda: DataLoader(dataset(), 4, shuffle=True, seed=2),
    "items": lambda: DataLoader(OneByOne(), 4, shuffle=True, seed=2),
    "whole": lambda: DataLoader(dataset(), ROWS),
}
EACH_LOADER = pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS.keys())


@EACH_LOADER
@pytest.mark.parametrize("most", [0, 1, 2])
def test_results_and_state_are_those_of_calling(loader: Callable[[], Any], most: int, backend: Backend) -> None:
    step, schedule, state = training(backend.compile)
    wanted, batches = [], loader()
    for _ in range(3):
        for x, y in batches:
            wanted.append(step(x, y))
            schedule.step()
    reached = state()

    step, schedule, state = training(backend.compile)
    found, batches = [], loader()
    for _ in range(3):
        for part in step.over(batches, advance=schedule.step, most=most):
            steps = len(part["loss"])
            assert not most or steps <= most
            found += [{"loss": part["loss"][i], "rows": part["rows"], "mean": part["mean"][i]} for i in range(steps)]
    assert [{k: np.asarray(v).tobytes() for k, v in r.items()} for r in map(plain, found)] == [
        {k: np.asarray(v).tobytes() for k, v in r.items()} for r in map(plain, wanted)
    ]
    assert state() == reached


def plain(result: dict[str, Any]) -> dict[str, Any]:
    return {k: v.detach().array() if isinstance(v, pb.Tensor) else v for k, v in result.items()}


@EACH_LOADER
def test_a_loader_stands_where_the_results_are(loader: Callable[[], Any], backend: Backend) -> None:
    """Whoever saves between two portions goes on with the very next batch, at the end of an epoch, too."""
    step, _, _ = training(backend.compile)
    batches = loader()
    for _ in range(3):  # from the second epoch on, portions are as long as they can be
        steps = 0
        for part in step.over(batches):
            steps += len(part["loss"])
            assert batches.state_dict()["position"] == steps
        assert steps == len(batches)
        assert batches.state_dict()["position"] == 0, "the epoch is over"


# Batches that are no loader's
def adding(backend: Backend) -> tuple[Any, pb.Tensor]:
    total = pb.zeros(())

    @backend.compile
    def step(x: Any) -> Any:
        total.add_(x.sum())
        return total * 1

    return step, total


def losses_of(portions: Iterator[Any]) -> list[float]:
    return [loss for part in portions for loss in part.tolist()]


def test_a_batch_that_stays(backend: Backend) -> None:
    step, _ = adding(backend)
    x = pb.ones(2)
    assert losses_of(step.over([x] * 5)) == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert losses_of(step.over([(x,)] * 40)) == [12.0 + 2 * i for i in range(40)]


WAYS: dict[str, Callable[[Any, int], Any]] = {
    "a tensor written into": lambda room, i: room["tensor"].fill_(float(i)),
    "an array written into": lambda room, i: np.copyto(room["array"], i) or room["array"],
    "new tensors": lambda room, i: pb.full((2,), float(i)),
    "the same for a while": lambda room, i: room["tensor"].fill_(float(i)) if i % 3 == 0 else room["tensor"],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_each_step_sees_the_numbers_of_its_own_batch(way: Callable[[Any, int], Any], backend: Backend) -> None:
    courses = []
    for together in (False, True):
        step, _ = adding(backend)
        for _ in range(2):  # the second time nothing is traced, and portions are long
            room = {"tensor": pb.zeros(2), "array": np.zeros(2, np.float32)}
            batches = (way(room, i) for i in range(9))
            if together:
                courses.append(losses_of(step.over(batches)))
            else:
                courses.append([step(x).item() for x in batches])
    assert courses[2:] == courses[:2]


def test_no_batches_no_results(backend: Backend) -> None:
    step, total = adding(backend)
    assert list(step.over([])) == []
    assert total.item() == 0


def test_what_python_must_do_is_done_step_by_step(backend: Backend) -> None:
    """Results that are differentiable outside, and arguments that are one tensor twice."""
    w = pb.ones(2, requires_grad=True)
    forward = backend.compile(lambda x: (x * w).sum())
    x = pb.ones(2)
    parts = list(forward.over([x] * 3))
    assert [part.tolist() for part in parts] == [[2.0]] * 3
    both = backend.compile(lambda x, y: (x + y).sum())
    assert losses_of(both.over([(x, x)] * 3)) == [4.0] * 3
