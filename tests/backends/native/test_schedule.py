"""Tasks and where threads meet: between two meetings no thread touches what another one writes."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings

import pullback as pb
from pullback.backends.native.epochs import NativeEpoch
from pullback.backends.native.schedule import Schedule, schedule
from pullback.backends.native.tasks import Buffer, Task
from pullback.ir.program import Program
from tests.backends.native.larger_programs import LargerProgram, larger_programs
from tests.backends.native.workloads import WORKLOADS
from tests.passes.test_fuse import native_program, workload_program


def bytes_of(buffers: Sequence[Buffer]) -> list[tuple[object, int, int]]:
    """The memory of each: which piece, from where to where."""
    found: list[tuple[object, int, int]] = []
    for b in buffers:
        whole = b.kind == "arena"
        found.append(("arena", b.offset, b.offset + b.nbytes) if whole else (id(b), 0, max(b.nbytes, 1)))
    return found


def touch(xs: Sequence[Buffer], ys: Sequence[Buffer]) -> bool:
    return any(
        a == b and low < top and bottom < high
        for (a, low, high), (b, bottom, top) in itertools.product(bytes_of(xs), bytes_of(ys))
    )


def in_conflict(x: Task, y: Task) -> bool:
    """Whether the two may not run at once."""
    return touch(x.writes, [*y.reads, *y.writes]) or touch(x.reads, y.writes)


def assert_threads_meet(found: Schedule) -> int:
    """All pairs of tasks in conflict are parted by a meeting, or run on one and the same thread; how many meetings."""
    tasks = found.tasks
    for i, later in enumerate(tasks):
        for k in range(i - 1, -1, -1):
            if any(t.meet or t.node is not None for t in tasks[k + 1 : i + 1]) or tasks[k].node is not None:
                break
            on_one_thread = later.chunks == tasks[k].chunks == 1
            assert on_one_thread or not in_conflict(later, tasks[k]), (tasks[k].text, later.text)
    return sum(task.meet for task in tasks)


def scheduled(program: Program) -> Schedule:
    return schedule(program, {}, lambda dtype: (0, 0))


@pytest.mark.parametrize("name", WORKLOADS)
def test_threads_of_workloads_meet(name: str) -> None:
    meetings = assert_threads_meet(scheduled(workload_program(name)))
    assert meetings > 0 or name in ("W0", "W3"), "or this test says nothing"


def random_step(random: LargerProgram) -> Schedule:
    parameters = random.parameters()

    def step(x: pb.Tensor, y: pb.Tensor) -> object:
        last, loss = random.loss(x, y, parameters)
        for p in parameters.values():
            p.grad = None
        loss.backward()
        return last, loss, *(p.grad for p in parameters.values())

    batch = [random.numbers(random.shape, seed, 1.0, 0.0) for seed in (10, 11)]
    return scheduled(native_program(step, *batch))


@settings(max_examples=25)
@given(larger_programs(most=14))
def test_threads_of_random_steps_meet(random: LargerProgram) -> None:
    assert_threads_meet(random_step(random))


@pytest.mark.parametrize("name", ["W2", "mix"])
def test_each_meeting_is_needed(name: str) -> None:
    """Without any one of them two tasks in conflict might run at once."""
    found = scheduled(workload_program(name))
    for task in [t for t in found.tasks if t.meet]:
        task.meet = False
        with pytest.raises(AssertionError):
            assert_threads_meet(found)
        task.meet = True


def test_what_outlives_a_step_is_written_after_all_indices_are_checked() -> None:
    """Each index once: that the backward pass adds into the rows that were read is no reason to wait."""
    table = pb.ones(11, 4, requires_grad=True)

    def step(i: pb.Tensor) -> pb.Tensor:
        loss = (table[i] * 2).sum()
        table.grad = None
        loss.backward()
        with pb.no_grad():
            table.sub_(table.grad)
        return loss

    compiled = pb.compile(step, backend="native")
    compiled(pb.tensor([1, 2]))
    executable = compiled.latest.step.executable
    assert executable.schedule.can_fail
    assert executable.in_place
    assert NativeEpoch.can_run(compiled.latest.step)
    finding = [k for k, t in enumerate(executable.tasks) if executable.schedule.flag in t.writes]
    lasting = [k for k, t in enumerate(executable.tasks) if any(b.kind == "input" for b in t.writes)]
    assert min(lasting) > min(finding)
    assert all(executable.tasks[k].commits for k in lasting)
