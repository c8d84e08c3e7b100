"""An index that names nothing: an error as by the reference, and nothing that outlives the call has changed."""

import itertools
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback import ops
from pullback.backends.native import executable
from pullback.base.errors import IndexOutOfRange
from tests.backends.native.comparing import numbers_in


class Table(pb.nn.Module):
    """Rows of a table, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.out = pb.nn.Parameter(pb.randn(11, 4)), pb.nn.Linear(4, 11)
        self.register_buffer("seen", pb.zeros(11))

    def forward(self, i: pb.Tensor) -> pb.Tensor:
        with pb.no_grad():
            self.seen.add_(pb.nn.functional.one_hot(i.clamp(0, 10), 11).sum(0))
        return self.out(self.rows[i])


def table_training(backend: str) -> tuple[Any, Any, Any]:
    pb.manual_seed(4)
    model = Table()
    optimizer = pb.optim.Adam(model.parameters(), lr=0.1)

    @pb.compile(backend=backend)
    def step(i: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        loss = pb.nn.functional.cross_entropy(model(i), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def state_of(model: Any, optimizer: Any) -> list[bytes]:
    return numbers_in([model.state_dict(), optimizer.state_dict(), [p.grad for p in model.parameters()]])


WRONG = [[1, 11], [-12, 3], [2**62, 3], [-(2**63), 3]]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rows", WRONG, ids=str)
def test_a_wrong_index_leaves_all_as_it_was(rows: list[int], threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executable, "SMALL_WORK", 0 if threads > 1 else executable.SMALL_WORK)
    monkeypatch.setenv("PULLBACK_THREADS", str(threads))
    good = pb.tensor([3, 10]), pb.tensor([1, 0])
    wrong = pb.tensor(rows), pb.tensor([0, 1])
    losses = {}
    for backend in ("reference", "native"):
        model, optimizer, step = table_training(backend)
        found = [step(*good).item() for _ in range(2)]
        for _ in range(2):
            before, kept = state_of(model, optimizer), [p.grad for p in model.parameters()]
            with pytest.raises(IndexOutOfRange):
                step(*wrong)
            assert state_of(model, optimizer) == before
            assert all(p.grad is g for p, g in zip(model.parameters(), kept, strict=True))
            found.append(step(*good).item())
        losses[backend] = found
    np.testing.assert_allclose(losses["native"], losses["reference"], 1e-5)


def test_a_wrong_index_in_the_first_call() -> None:
    """The trace has made the optimizer's state by then, all of it zeros."""
    model, optimizer, step = table_training("native")
    before = numbers_in(model.state_dict())
    with pytest.raises(IndexOutOfRange):
        step(pb.tensor([1, 99]), pb.tensor([0, 0]))
    assert numbers_in(model.state_dict()) == before
    assert not any(map(any, numbers_in(optimizer.state_dict()["state"])))
    assert all(p.grad is None for p in model.parameters())
    wanted = table_training("reference")[2](pb.tensor([1, 9]), pb.tensor([0, 0]))
    assert abs(step(pb.tensor([1, 9]), pb.tensor([0, 0])).item() - wanted.item()) < 1e-5


def test_a_wrong_index_where_it_comes_latest() -> None:
    """State and gradients that are written before, or by the very kernel that finds the wrong index."""
    table, w, v = pb.arange(5.0), pb.zeros(70), pb.zeros(3)
    p, q = pb.ones(900, requires_grad=True), pb.ones(3, requires_grad=True)

    @pb.compile(backend="native")
    def step(i: pb.Tensor) -> Any:
        w.add_(1.0)
        v.add_(table[i])
        loss = (p * p).sum() + (q * table[i] * q).sum()
        p.grad = q.grad = None
        loss.backward()
        with pb.no_grad():
            p.sub_(0.25 * p.grad)
        return loss, (table[i] * 2).exp().sum()

    step(pb.tensor([1, 2, 3]))
    things = [w, v, p, q, p.grad, q.grad]
    before = numbers_in(things)
    for _ in range(2):
        with pytest.raises(IndexOutOfRange):
            step(pb.tensor([1, 2, 9]))
        assert numbers_in(things) == before
        assert p.grad is things[4]
        assert q.grad is things[5]
    step(pb.tensor([1, 2, 3]))
    assert (w[0].item(), v.tolist(), p[0].item()) == (2, [2, 4, 6], 0.25)


def test_a_wrong_index_within_an_epoch() -> None:
    """The steps before it are done, it and those after it are not; the next epoch is right."""
    rows = np.arange(24) % 11
    rows[17] = 11
    found = []
    for way in ("steps", "epoch"):
        model, optimizer, step = table_training("native")
        data = pb.utils.data.TensorDataset(pb.tensor(rows), pb.tensor(rows % 3))
        loader = pb.utils.data.DataLoader(data, batch_size=4)
        with pytest.raises(IndexOutOfRange):
            list(step.over(loader) if way == "epoch" else itertools.starmap(step, loader))
        found.append([state_of(model, optimizer)])
        good = pb.utils.data.TensorDataset(pb.tensor(rows[:16]), pb.tensor(rows[:16] % 3))
        losses = [loss for part in step.over(pb.utils.data.DataLoader(good, batch_size=4)) for loss in part.tolist()]
        found[-1] += [losses, state_of(model, optimizer)]
    assert found[0] == found[1]


def scattered_into(backend: str) -> tuple[pb.Tensor, Any]:
    """State that is read by rows and as a whole before a scatter takes its place, with another index between."""
    state = pb.tensor(np.arange(12.0).reshape(4, 3))

    @pb.compile(backend=backend)
    def step(i: pb.Tensor, j: pb.Tensor) -> pb.Tensor:
        rows, turned = state.index_select(0, i), state.flip(0) * 2
        picked = pb.arange(5).index_select(0, j)
        state.copy_(pb.Tensor(ops.scatter_add(turned.value, i.value, rows.value, axis=0)))
        return rows.sum() + picked.sum()

    return state, step


def test_what_a_scatter_replaces_is_read_before_and_kept_after_a_wrong_index() -> None:
    i = pb.tensor([0, 2])
    left = {}
    for backend in ("reference", "native"):
        state, step = scattered_into(backend)
        step(i, i)
        left[backend] = state.tolist()
        with pytest.raises(IndexOutOfRange):
            step(i, pb.tensor([0, 77]))
        assert state.tolist() == left[backend]
    assert left["native"] == left["reference"]


def test_a_scatter_whose_index_is_what_it_writes_into() -> None:
    order = np.random.default_rng(0).permutation(300)[:, None]
    found = []
    for backend in ("reference", "native"):
        state = pb.tensor(order)

        @pb.compile(backend=backend)
        def step(u: pb.Tensor, state: pb.Tensor = state) -> pb.Tensor:
            index = state.reshape(300)
            picked = u.index_select(0, index).sum()
            state.copy_(pb.Tensor(ops.scatter(state.value, index.value, u.value, axis=0)))
            return picked

        step(pb.tensor(order[::-1].copy()))
        found.append(state.tolist())
    assert found[0] == found[1]


def test_a_wrong_index_within_a_loop() -> None:
    table = pb.randn(5, 2)
    for backend in ("reference", "native"):
        total = pb.zeros(2)

        @pb.compile(backend=backend)
        def step(rows: pb.Tensor, total: pb.Tensor = total) -> pb.Tensor:
            last, ys = pb.scan(lambda c, i: (c + table[i], c), total * 1.0, rows)
            total.copy_(last)
            return ys

        step(pb.tensor([0, 1, 4]))
        before = total.tolist()
        with pytest.raises(IndexOutOfRange):
            step(pb.tensor([0, 5, 4]))
        assert total.tolist() == before
        step(pb.tensor([2, 3, 1]))
        assert total.tolist() != before
