"""What stands in an emitted step: names, state, arguments, numbers, results; and what cannot be emitted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pullback as pb
import pullback.nn as nn
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, TraceError
from pullback.emit.compiled import latest_call
from pullback.emit.constants import UNPACK, Constants
from pullback.emit.names import Names
from pullback.emit.step import Step
from pullback.emit.table import table
from tests.emit.emitted import namespace_of, strides
from tests.emit.isolated import run_steps

Array = np.ndarray[Any, np.dtype[Any]]


def emitted(step: Any) -> Any:
    """The emitted function."""
    return namespace_of(pb.source(step))[Step(step.function, latest_call(step)).name]


def test_what_cannot_be_emitted() -> None:
    with pytest.raises(ArgumentError, match=r"compiled with pb\.compile, or a Program; got function"):
        pb.source(test_what_cannot_be_emitted)
    with pytest.raises(TraceError, match="halve has not been called yet"):
        pb.source(pb.compile(halve))
    with pytest.raises(ArgumentError, match="got int"):
        table(3)


def halve(x: Any) -> Any:
    """A function to compile."""
    return x / 2


def test_a_function_without_state_takes_its_arguments_alone() -> None:
    step = pb.compile(halve)
    step(pb.ones(3))
    assert "def halve(x):" in pb.source(step)
    assert emitted(step)(np.array([1.0, 2.0, 3.0])).tolist() == [0.5, 1.0, 1.5]
    with pytest.raises(AssertionError):
        emitted(step)(np.ones(4))


def test_names_come_from_assignments_callers_and_modules() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

        def forward(self, x: Any) -> Any:
            x = self.first(x)
            for block in self.blocks:
                x = block(x).tanh()
            return (x - 1).exp()

    model = Model()

    @pb.compile
    def predict(batch: Any) -> Any:
        outcome = model(batch)
        return outcome, 1

    predict(pb.ones(2, 4))
    text = pb.source(predict)
    assert "x = batch @ first_weight.T + first_bias" in text
    assert "linear0 = x @ blocks_0_weight.T + blocks_0_bias" in text
    assert "x_2 = np.tanh(linear0)" in text
    assert "outcome = np.exp(x_3 - 1.0)" in text
    assert 'blocks_1_weight = state["blocks.1.weight"]' in text
    assert "# x = block(x).tanh()" in text


def test_numbers_that_change_from_step_to_step_are_keywords(tmp_path: Path) -> None:
    pb.manual_seed(1)
    w = pb.randn(5, requires_grad=True)
    optimizer = pb.optim.Adam([w], lr=0.1)
    schedule = pb.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)

    @pb.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = ((w * x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    batches = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
    for batch in batches[:2]:
        step(batch)
    before = Step(step.function, latest_call(step)).state_arrays()
    text = pb.source(step)
    numbers, losses = [], []
    for batch in batches[2:]:
        schedule.step()
        numbers.append({"lr": optimizer.param_groups[0]["lr"]})
        losses.append(step(batch).array())
    state, results = run_steps(text, "step", before, [batches[2:]], numbers, tmp_path)
    assert len({n["lr"] for n in numbers}) > 2
    assert [r.tobytes() for r in results] == [y.tobytes() for y in losses]
    assert state["w"].tobytes() == w.detach().numpy().tobytes()


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_gradients_that_add_up_are_state(backend: str, tmp_path: Path) -> None:
    w = pb.ones(3, requires_grad=True)

    @pb.compile(backend=backend)
    def step(x: Any) -> Any:
        loss = (w * x).sum()
        loss.backward()
        return loss

    for _ in range(3):
        step(np.ones(3, np.float32))
    w.grad = pb.full((3,), 10.0)  # another tensor than at the trace
    state = {k: v.copy() for k, v in Step(step.function, latest_call(step)).state_arrays().items()}
    assert {k: v.tolist() for k, v in state.items()} == {"w": [1.0] * 3, "w.grad": [10.0] * 3}
    function = emitted(step)
    for _ in range(2):
        function(state, np.ones(3, np.float32))
        step(np.ones(3, np.float32))
    assert state["w.grad"].tolist() == w.grad.tolist() == [12.0] * 3


def test_a_gradient_that_is_only_read_is_state() -> None:
    w = pb.ones(3, requires_grad=True)
    w.grad = pb.full((3,), 2.0)
    norm = pb.compile(lambda: w.grad.sum())
    norm()
    assert {k: v.tolist() for k, v in Step(norm.function, latest_call(norm)).state_arrays().items()} == {
        "w.grad": [2.0] * 3
    }
    w.grad = pb.full((3,), 5.0)
    assert emitted(norm)({"w.grad": np.full(3, 5.0, np.float32)}).item() == norm().item() == 15.0


def test_state_that_is_read_alone_lies_as_it_does_now() -> None:
    turned = pb.tensor(np.arange(12.0).reshape(3, 4)).T.detach()
    filled = pb.full((2, 4, 1), 3.0)
    step = pb.compile(lambda x: (turned * x, filled * x[0, 0], turned @ turned.T))
    wanted = step(np.ones((4, 3)))
    call = latest_call(step)
    state = Step(step.function, call).state_arrays()
    found = emitted(step)({k: np.ascontiguousarray(v) for k, v in state.items()}, np.ones((4, 3)))
    for y, x in zip(found, wanted, strict=True):
        assert y.tobytes() == x.array().tobytes()
        assert strides(y) == strides(x.array())


def test_arguments_that_are_written_into() -> None:
    @pb.compile
    def step(x: Any, y: Any) -> Any:
        total = x + y
        x.add_(y)
        return total, x * 2

    a, b = pb.ones(3), pb.tensor([1.0, 2.0, 3.0])
    step(a, b)
    x, y = np.ones(3, np.float32), np.array([1, 2, 3], np.float32)
    total, doubled = emitted(step)(x, y)
    assert x.tolist() == [2, 3, 4]
    assert total.tolist() == [2, 3, 4]
    assert doubled.tolist() == [4, 6, 8]


def test_state_does_not_share_memory_with_arguments() -> None:
    kept = pb.zeros(2, 3)

    @pb.compile
    def step(x: Any) -> None:
        kept.copy_(x.reshape(2, 3))

    step(pb.ones(6))
    state, x = {"kept": np.zeros((2, 3), np.float32)}, np.ones(6, np.float32)
    emitted(step)(state, x)
    x[:] = 7
    assert state["kept"].tolist() == [[1, 1, 1], [1, 1, 1]]


@dataclass
class Pair:
    """A container of the user's own."""

    left: Any
    right: Any


def test_ejecting_containers_halves_and_steps_without_arguments(tmp_path: Path) -> None:
    w = pb.ones(3, dtype=pb.bfloat16)

    @pb.compile
    def step(pair: Any, *more: Any, scale: Any) -> Any:
        w.mul_(pair.left.to(pb.bfloat16) + pair.right[1].to(pb.bfloat16) + more[0].to(pb.bfloat16))
        return {"w": w.float() * scale}

    def call() -> Any:
        return step(Pair(pb.ones(3), (1, pb.full((3,), 0.5))), pb.ones(3), scale=pb.tensor(2.0))

    call()
    pb.eject(step, tmp_path / "ejected.py")
    space = namespace_of(f"__file__ = {str(tmp_path / 'ejected.py')!r}\n" + (tmp_path / "ejected.py").read_text())
    state = space["load"]()
    halves = space["SimpleNamespace"](left=np.ones(3), right=(1, np.full(3, 0.5)))
    found = space["step"](state, halves, np.ones(3), np.float32(2))
    assert found["w"].tobytes() == call()["w"].array().tobytes()
    space["save"](state)
    assert space["load"]()["w"].tobytes() == w.array().tobytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ejected.npz", "ejected.py"]


def test_a_step_without_arguments_is_told_how_often_to_run(tmp_path: Path) -> None:
    count = pb.zeros(())

    @pb.compile
    def step() -> None:
        count.add_(1)

    step()
    pb.eject(step, tmp_path / "ejected.py")
    text = (tmp_path / "ejected.py").read_text()
    assert "usage: python ejected.py STEPS" in text
    assert 'state["count"] = ' in text


def constants(arrays: list[Array]) -> list[Array]:
    """The arrays, written out or packed, and read again."""
    import ast

    pool = Constants(Names())
    texts = [ast.unparse(pool.expression(a, "table")) for a in arrays]
    module = "\n".join(
        ["import base64, zlib", "import numpy as np", "from ml_dtypes import bfloat16", UNPACK, *pool.packed.values()]
    )
    space = namespace_of(module)
    return [eval(text, space) for text in texts]


def test_constants_keep_every_bit_and_their_layout() -> None:
    rng = np.random.default_rng(0)
    strange = np.array([np.nan, -np.nan, np.inf, -0.0, 1e-310], np.float64)
    strange.view(np.int64)[0] += 5  # a NaN that says more than that it is one
    wide = rng.standard_normal((5, 6, 7)).astype(np.float32)
    arrays = [
        strange,
        np.array(0.1, np.float32),
        np.array([True, False]),
        np.zeros((0, 3), np.int8),
        rng.standard_normal(40).astype(pb.bfloat16.numpy),
        np.array([1, 0.1], pb.bfloat16.numpy),
        wide,
        wide.transpose(2, 0, 1),
        wide.T,
        np.arange(2**40, 2**40 + 3),
    ]
    for given, found in zip(arrays, constants([*arrays, *arrays]), strict=False):
        assert (found.dtype, found.shape, found.tobytes()) == (given.dtype, given.shape, given.tobytes())
        assert strides(found) == strides(given)


def test_long_lines_are_broken() -> None:
    tensors = {f"a_rather_long_name_{i}": pb.ones(3) for i in range(12)}
    step = pb.compile(lambda: pb.checkpoint(lambda: sum(tensors.values()).exp() * 2))
    step()
    text = pb.source(step)
    assert max(map(len, text.splitlines())) <= 120
    state = {k: np.ones(3, np.float32) for k in tensors}
    keys = [f"tensors.{k}" for k in state]
    assert emitted(step)(dict(zip(keys, state.values(), strict=True))).tobytes() == step().array().tobytes()


def test_values_of_a_generator_go_on() -> None:
    model = nn.Sequential(nn.Dropout(0.5))
    step = pb.compile(lambda x: F.softmax(model(x), -1))
    pb.manual_seed(11)
    step(pb.ones(2, 8))
    state = {k: v.copy() for k, v in Step(step.function, latest_call(step)).state_arrays().items()}
    function, wanted = emitted(step), [step(pb.ones(2, 8)).array() for _ in range(3)]
    found = [function(state, np.ones((2, 8))) for _ in range(3)]
    assert list(state) == ["random_state"]
    assert [y.tobytes() for y in found] == [y.tobytes() for y in wanted]
    assert found[0].tobytes() != found[1].tobytes()
