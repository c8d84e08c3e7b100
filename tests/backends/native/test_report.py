"""The report of a compiled step: complete, truthful, and without a trace in what the step trains."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback import nn
from pullback.backends.native import peaks
from pullback.backends.native.executable import Executable
from pullback.backends.native.peaks import Peaks
from pullback.backends.report import Kernel, Report
from pullback.base.errors import TraceError

HERE = Path(__file__).name
Step = Callable[..., Any]


@pytest.fixture(autouse=True)
def known_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose peaks need not be measured."""
    monkeypatch.setattr(peaks, "peaks", lambda: Peaks(2, 200.0, 400.0, 40.0, 50.0))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one thread, so that no time goes by in waiting for another that has no processor."""
    monkeypatch.setenv("PULLBACK_THREADS", "1")


class Network(nn.Module):
    """Two layers with dropout between, which draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.second = nn.Linear(20, 16), nn.Dropout(0.5), nn.Linear(16, 4)

    def forward(self, x: pb.Tensor) -> pb.Tensor:
        return self.second(self.drop(self.first(x).relu()))


def training(backend: str = "native") -> tuple[Step, Network, Any, tuple[pb.Tensor, pb.Tensor]]:
    """A compiled training step that ran twice, its network, its optimizer and its batch."""
    pb.manual_seed(3)
    network = Network()
    optimizer = pb.optim.Adam(network.parameters(), lr=0.01)

    @pb.compile(backend=backend)
    def step(x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        return loss

    batch = pb.randn(8, 20), pb.tensor([0, 1, 2, 3, 3, 2, 1, 0])
    step(*batch)
    step(*batch)
    return step, network, optimizer, batch


def executable(step: Step) -> Executable:
    return step.latest.step.executable


def bits(network: nn.Module, optimizer: Any) -> list[bytes]:
    """Everything that a step may change."""
    tensors = [*network.parameters(), *(p.grad for p in network.parameters())]
    tensors += [x for entry in optimizer.state_dict()["state"].values() for x in entry.values()]
    tensors.append(pb.get_rng_state())
    return [np.asarray(x.detach().numpy() if isinstance(x, pb.Tensor) else x).tobytes() for x in tensors]


# What is in it
def test_every_node_is_served_by_a_kernel() -> None:
    step, *_ = training()
    report = step.report(0.05)
    nodes = executable(step).program.nodes
    assert {i for kernel in report.kernels for i in kernel.nodes} == set(range(len(nodes)))
    assert len(report.kernels) == len(executable(step).tasks)
    for kernel in report.kernels:
        assert set(kernel.ops) <= {nodes[i].op.name for i in kernel.nodes}


def test_times_are_positive_and_add_up(alone: None) -> None:
    step, *_ = training()
    report = step.report(0.2)
    assert all(kernel.seconds > 0 for kernel in report.kernels)
    assert sum(kernel.share for kernel in report.kernels) == pytest.approx(1)
    assert sum(kernel.seconds for kernel in report.kernels) == pytest.approx(report.watched)
    assert report.seconds / 10 < report.watched < 3 * report.seconds
    assert sum(report.phases().values()) == pytest.approx(1)
    assert sum(report.lines().values()) == pytest.approx(1)


def test_kernels_on_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLBACK_THREADS", "2")
    step = pb.compile(lambda x: ((x @ x).exp().sum(0) * 2).sum())
    step(pb.zeros(500, 500))
    report = step.report(0.05)
    assert (report.threads, report.why_threads) == (2, "PULLBACK_THREADS says so")
    assert {kernel.threads for kernel in report.kernels} == {1, 2}
    assert all(kernel.seconds > 0 for kernel in report.kernels)


def test_the_long_kernel_is_the_one_with_the_work(alone: None) -> None:
    x, w = pb.ones(400, 400), pb.ones(400, 400)
    step = pb.compile(lambda x: (x @ w).relu().sum())
    step(x)
    report = step.report(0.1)
    longest = max(report.kernels, key=lambda kernel: kernel.seconds)
    assert longest.what == "product 400×400×400"
    assert longest.flops == 2 * 400**3
    assert longest.nbytes == 3 * 4 * 400**2
    assert longest.share > 0.3
    assert 0 < longest.gflops == pytest.approx(1e-9 * longest.flops / longest.seconds)


def test_origins_are_those_of_this_file() -> None:
    step, *_ = training()
    report = step.report(0.05)
    places = [place for kernel in report.kernels for place in kernel.places]
    assert {Path(place.file).name for place in places} == {HERE}
    assert all(place.source == f"{HERE}:{place.line}" for place in places)
    source = Path(__file__).read_text().splitlines()
    lines = {source[place.line - 1].strip() for place in places}
    assert "return self.second(self.drop(self.first(x).relu()))" in lines
    assert "optimizer.step()" in lines
    assert {place.module for place in places} >= {"first", "second", "drop"}
    assert {place.parameter for place in places} >= {"first.weight", "first.bias", "second.weight", "second.bias"}
    assert all(sum(place.part for place in kernel.places) == pytest.approx(1) for kernel in report.kernels)


def kernel_of(report: Report, op: str) -> Kernel:
    (kernel,) = (kernel for kernel in report.kernels if op in kernel.ops)
    return kernel


# What a kernel moves
@pytest.mark.parametrize(
    ("function", "shapes", "op", "nbytes"),
    [
        (lambda x, y: x * y, [(6, 5), (5,)], "mul", 4 * (30 + 5 + 30)),
        (lambda x: x[2:4] * 3, [(600, 5)], "mul", 4 * (10 + 10)),
        (lambda x: x.exp() + x[0], [(6, 5)], "exp", 4 * (30 + 30)),
        (lambda x, y: x @ y.expand(3, 5, 4), [(3, 2, 5), (5, 4)], "matmul", 4 * (30 + 20 + 24)),
        (lambda x: x.cumsum(0), [(40, 30)], "cumsum", 4 * 2400),
    ],
    ids="broadcast slice twice stack cumsum".split(),
)
def test_bytes_count_once_and_as_they_lie(function: Step, shapes: list[Any], op: str, nbytes: int) -> None:
    step = pb.compile(function)
    step(*(pb.ones(*shape) for shape in shapes))
    assert kernel_of(step.report(0.01), op).nbytes == nbytes


def test_state_written_in_place_counts_as_read_and_as_written() -> None:
    w = pb.zeros(100)

    @pb.compile
    def step(x: pb.Tensor) -> None:
        w.add_(x)

    step(pb.ones(100))
    report = step.report(0.01)
    assert kernel_of(report, "add").nbytes == 1200
    assert report.memory is not None
    assert (report.memory.arguments, report.memory.state, report.memory.in_place) == (400, 400, 400)


def test_memory_is_that_of_the_plan() -> None:
    step, network, *_ = training()
    memory = step.report(0.01).memory
    plan = executable(step).schedule.memory
    assert memory is not None
    assert (memory.arena, memory.without_reuse) == (plan.peak, plan.without_reuse)
    parameters = sum(p.detach().numpy().nbytes for p in network.parameters())
    assert memory.arguments == 8 * 20 * 4 + 8 * 8
    assert memory.state >= memory.in_place >= 3 * parameters
    assert memory.results == 4 + parameters  # the loss, and the gradients


def test_an_op_left_to_numpy_is_shown() -> None:
    step = pb.compile(lambda x: (x**x + 1) * 2)
    step(pb.tensor([1, 2, 3]))
    report = step.report(0.01)
    kernel = kernel_of(report, "pow")
    assert kernel.kind == "numpy"
    assert kernel.seconds > 0
    assert "squaring" in kernel.why_numpy
    assert not kernel_of(report, "add").why_numpy
    assert "NumPy pow int64[3]" in str(report)
    assert "squaring" in str(report)


def test_limits() -> None:
    x = pb.ones(1 << 22)
    step = pb.compile(lambda x: x + 1)
    step(x)
    (kernel,) = step.report(0.05).kernels
    assert kernel.limit in ("memory", "compute")
    peak = 50 if kernel.threads > 1 else 40
    if not kernel.cached:
        assert kernel.limit == "memory"
        assert kernel.of_limit == pytest.approx(kernel.gigabytes / peak)


# What it leaves alone
def test_a_report_trains_nothing() -> None:
    unwatched, *_, batch = training()
    losses = [unwatched(*batch).item() for _ in range(3)]
    step, network, optimizer, batch = training()
    before = bits(network, optimizer)
    arrays = [p._value.data for p in network.parameters()]
    step.report(0.05)
    assert bits(network, optimizer) == before
    assert all(p._value.data is array for p, array in zip(network.parameters(), arrays, strict=True))
    del arrays
    assert [step(*batch).item() for _ in range(3)] == losses


def test_results_that_were_handed_out_stay() -> None:
    step = pb.compile(lambda x: x * 2)
    kept = step(pb.ones(3)), step(pb.ones(10_000))
    step.report(0.01)
    assert kept[0].tolist() == [2.0] * 3
    assert kept[1].tolist() == [2.0] * 10_000


def test_each_run_begins_with_the_state_as_it_is() -> None:
    table, place = pb.arange(5.0), pb.tensor(0)

    @pb.compile
    def step() -> pb.Tensor:
        place.add_(1)  # where it stands
        return table[place - 1]

    assert [step().item() for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert executable(step).in_place
    step.report(0.05)  # many runs: from the third on, the place would be outside
    assert step().item() == 4.0


def test_calls_are_counted_and_a_report_is_none() -> None:
    step, *_, batch = training()
    assert step.report(0.01).calls == 2
    step(*batch)
    assert step.report(0.01).calls == 3
    data = pb.utils.data.TensorDataset(pb.randn(24, 20), pb.zeros(24, dtype=pb.int64))
    list(step.over(pb.utils.data.DataLoader(data, batch_size=8)))
    assert step.report(0.01).calls == 6


def test_before_the_first_call() -> None:
    def double(x: pb.Tensor) -> pb.Tensor:
        return x * 2

    with pytest.raises(TraceError, match=r"double has not run yet.* call it once"):
        pb.compile(double).report()


# How it looks
def test_it_prints_in_a_terminal() -> None:
    step, *_ = training()
    report = step.report(0.05)
    text = str(report)
    assert repr(report) == text
    assert max(map(len, text.splitlines())) <= 110
    assert text.startswith("step on native: ")
    assert "update first.weight" in text
    assert "optimizer.step()" in text
    assert "2 calls so far" in text


def test_to_dict_is_ready_for_json() -> None:
    step, *_ = training()
    report = step.report(0.01)
    found = json.loads(json.dumps(report.to_dict()))
    assert found == report.to_dict()
    assert found["kernels"][0]["what"] == report.kernels[0].what
    assert set(found["phases"]) == {"forward", "backward", "update"}


def test_equal_layers_share_a_row() -> None:
    network = nn.Sequential(*(nn.Linear(32, 32, bias=False) for _ in range(4)))
    step = pb.compile(lambda x: network(x))
    step(pb.ones(8, 32))
    report = step.report(0.01)
    assert len(report.kernels) == 4
    (row,) = (line for line in str(report).splitlines() if "product" in line)
    assert "4× product 8×32×32 yᵀ" in row
    assert "forward 0-3 (Linear)" in row


def test_many_rows_are_cut_short() -> None:
    x = pb.ones(40, 40)
    step = pb.compile(lambda x: sum((x[:, :k] @ x[:k]).sum() for k in range(1, 40)))
    step(x)
    report = step.report(0.01)
    assert len(report.kernels) > 30
    assert "more, shorter ones" in str(report)


def test_reference() -> None:
    step, network, optimizer, _ = training("reference")
    before = bits(network, optimizer)
    report = step.report(0.02)
    assert bits(network, optimizer) == before
    program = step.latest.program
    assert [kernel.nodes for kernel in report.kernels] == [(i,) for i in range(len(program.nodes))]
    assert all(kernel.seconds > 0 for kernel in report.kernels)
    assert report.seconds == pytest.approx(sum(kernel.seconds for kernel in report.kernels))
    assert "every op runs through NumPy" in str(report)
    json.dumps(report.to_dict())


def test_kernels_within_a_loop_tell_how_often_they_run() -> None:
    w = pb.randn(64, 64)
    turns = 30

    @pb.compile(backend="native")
    def step(x: pb.Tensor) -> pb.Tensor:
        _, ys = pb.scan(lambda h, row: ((h @ w + row).tanh(),) * 2, pb.zeros(8, 64), x)
        return ys.sum()

    step(pb.randn(turns, 8, 64))
    report = step.report(seconds=0.0)
    (product,) = [k for k in report.kernels if "matmul" in k.ops]
    assert product.calls == turns
    assert product.flops == 2 * turns * 8 * 64 * 64
    assert product.seconds > 0
    assert any(place.line for place in product.places)
    assert all(k.kind != "loop" for k in report.kernels)
    assert f"{turns}× " in str(report)
