"""Places in the arena: no two values that live at the same time overlap, and hardly more memory than must be."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.backends.native.schedule import Schedule, schedule
from pullback.backends.native.tasks import Task
from pullback.passes import plan_memory as module
from pullback.passes.plan_memory import ALIGNMENT, Lifetime, MemoryPlan, plan_memory
from tests.backends.native.larger_programs import LargerProgram, larger_programs
from tests.backends.native.workloads import WORKLOADS
from tests.passes.test_fuse import native_program, workload_program

LIFETIME = st.builds(
    lambda nbytes, first, length: Lifetime(nbytes, first, first + length),
    st.integers(0, 3_000),
    st.integers(0, 40),
    st.integers(0, 15) | st.just(60),
)


def rounded(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def lower_bound(lifetimes: Sequence[Lifetime]) -> int:
    """The most that lives at one time."""
    steps = {life.first for life in lifetimes}
    return max((sum(rounded(x.nbytes) for x in lifetimes if x.first <= s <= x.last) for s in steps), default=0)


def assert_apart(lifetimes: Sequence[Lifetime], plan: MemoryPlan) -> None:
    placed = list(zip(lifetimes, plan.offsets, strict=True))
    for i, (x, a) in enumerate(placed):
        assert a % ALIGNMENT == 0
        assert a >= 0
        assert a + x.nbytes <= plan.peak
        for y, b in placed[:i]:
            together = x.first <= y.last and y.first <= x.last
            assert not together or a + x.nbytes <= b or b + y.nbytes <= a, (x, a, y, b)


@settings(max_examples=400)
@given(st.lists(LIFETIME, max_size=40))
def test_what_lives_together_lies_apart(lifetimes: list[Lifetime]) -> None:
    plan = plan_memory(lifetimes)
    assert_apart(lifetimes, plan)
    assert lower_bound(lifetimes) <= plan.peak <= plan.without_reuse == sum(rounded(x.nbytes) for x in lifetimes)


@pytest.mark.parametrize(
    ("lifetimes", "peak"),
    [
        ([], 0),
        ([Lifetime(0, 0, 5)], 0),
        ([Lifetime(1, 0, 0)], 64),
        ([Lifetime(64, i, i + 1) for i in range(10)], 128),  # a chain: two at a time
        ([Lifetime(64, 0, i) for i in range(10)], 640),
        ([Lifetime(640, 0, 1), *(Lifetime(64, 2, 3) for _ in range(10))], 640),
    ],
)
def test_plans_worked_out_by_hand(lifetimes: list[Lifetime], peak: int) -> None:
    assert plan_memory(lifetimes).peak == peak


def test_an_overlap_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_smallest_gap", lambda taken, size: max((low for low, _ in taken), default=0))
    lifetimes = [Lifetime(100, 0, 2), Lifetime(64, 1, 3), Lifetime(64, 2, 3)]
    with pytest.raises(AssertionError):
        assert_apart(lifetimes, plan_memory(lifetimes))


# The arenas of real steps
def lifetimes_of(tasks: Sequence[Task]) -> tuple[list[Lifetime], list[int]]:
    """When each buffer in the arena is first and last touched, and where it lies."""
    spans: dict[int, list[int]] = {}
    places: dict[int, tuple[int, int]] = {}
    for i, task in enumerate(tasks):
        for buffer in (*task.reads, *task.writes):
            if buffer.kind == "arena":
                spans.setdefault(id(buffer), [i, i])[1] = i
                places[id(buffer)] = buffer.nbytes, buffer.offset
    return [Lifetime(places[k][0], *spans[k]) for k in spans], [places[k][1] for k in spans]


def assert_arena_is_right(found: Schedule) -> tuple[int, int]:
    lifetimes, offsets = lifetimes_of(found.tasks)
    assert_apart(lifetimes, MemoryPlan(tuple(offsets), found.memory.peak, found.memory.without_reuse))
    return lower_bound(lifetimes), found.memory.peak


@pytest.mark.parametrize("name", WORKLOADS)
def test_steps_take_hardly_more_than_they_must(name: str) -> None:
    least, peak = assert_arena_is_right(schedule(workload_program(name), {}, lambda dtype: (0, 0)))
    assert peak <= 1.1 * least + ALIGNMENT


@settings(max_examples=25)
@given(larger_programs(most=14))
def test_arenas_of_random_steps(random: LargerProgram) -> None:
    parameters = random.parameters()

    def step(x: object, y: object) -> object:
        last, loss = random.loss(x, y, parameters)  # type: ignore[arg-type]  # tensors by then
        for p in parameters.values():
            p.grad = None
        loss.backward()
        return last, loss

    batch = [random.numbers(random.shape, seed, 1.0, 0.0) for seed in (10, 11)]
    least, peak = assert_arena_is_right(schedule(native_program(step, *batch), {}, lambda dtype: (0, 0)))
    assert peak <= 1.25 * least + 16 * ALIGNMENT
