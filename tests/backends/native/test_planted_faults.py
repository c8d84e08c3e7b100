"""Faults planted in the native backend, each of which the tests beside this one notice."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pullback as pb
from pullback.backends.native import (
    compiler,
    epochs,
    executable,
    holders,
    plan_loops,
    products,
    scalars,
    schedule,
    specials,
)
from pullback.backends.native.code_cache import CodeCache
from pullback.backends.native.indices import View
from pullback.backends.native.step import NativeStep
from pullback.passes import plan_memory
from tests.backends.native import (
    test_bits,
    test_every_op,
    test_random_programs,
    test_schedule,
    test_state,
    test_wrong_indices,
)
from tests.backends.native.larger_programs import LargerProgram
from tests.contracts.rows_ops import ROWS

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Kernels of this test are its own, in memory and on disk: wrong ones must not be kept. Nor is what they wrote
    into the state of the default generator, whose stream no seed sets anew."""
    own = compiler.Compiler(CodeCache(tmp_path))
    for module in (executable, epochs):
        monkeypatch.setattr(module, "compile_kernels", own.compile_kernels)
    before = pb.get_rng_state()
    yield
    pb.set_rng_state(before)


def read_again_later() -> None:
    """A product's result, its tanh, a product with that, and then the first result once more."""
    steps = (("linear", 0, 0), ("tanh", 0, 0), ("linear", 0, 0), ("gated", 0, 2))
    test_random_programs.check_larger(LargerProgram(steps, (257, 129), "float64", "adam", True), steps=2)


def replaced(where: Any, name: str, make: Callable[[Any], Any]) -> Plant:
    """Put something made of the true thing in its place."""
    return lambda patch: patch.setattr(where, name, make(getattr(where, name)))


def scalar(name: str, make: Callable[[Any], Any]) -> Plant:
    return lambda patch: patch.setitem(scalars.SCALARS, name, make(scalars.SCALARS[name]))


def chunks_cut_short(plan: Any) -> None:
    """As if rows divided evenly: the last ones are left out."""
    true_chunks(plan)
    plan.rows_per_chunk = max(1, plan.rows // plan.chunks)


true_chunks = plan_loops.LoopPlan._choose_chunks


def without_offset(true: Any) -> Any:
    return lambda shape, path: (lambda view: view and View(0, view.strides))(true(shape, path))


def with_wider_rows(true: Any) -> Any:
    """Rows of the matrix are taken to be as far apart as the matrix is wide."""

    def as_operand(shape: Any, view: View) -> Any:
        found = true(shape, view)
        return found and products.Operand(
            found.offset, found.turned, max(shape[-2:]), found.row, found.col, found.stack
        )

    return as_operand


def one_chunk_less(true: Any) -> Any:
    return lambda name, dtype, chunks, *rest: true(name, dtype, max(1, chunks - 1), *rest)


def never_stopping(true: Any) -> Any:
    def find(self: Any) -> None:
        true(self)
        for task in self.tasks:
            task.commits = False

    return find


def all_of_row(name: str) -> Callable[[], None]:
    return lambda: test_every_op.test_every_case_of_the_row(ROWS[name], False)


def edges(name: str) -> Callable[[], None]:
    return lambda: test_every_op.test_edges(ROWS[name])


def epoch() -> None:
    make = test_bits.loaders(16, False)
    assert test_bits.run(make(), 2, by_epoch=True) == test_bits.run(make(), 2, by_epoch=False)


def state(name: str) -> Callable[[], None]:
    return lambda: test_state.check(["nothing", "nothing", name])


def with_numbers_of_the_trace(true: Any) -> Any:
    """Learning rates stay what they were when the step was made."""

    def sort(self: Any) -> None:
        true(self)
        self._readers = [(k, functools.partial(float, read())) for k, read in self._readers]

    return sort


# The fault, and the test that fails for it.
FAULTS: dict[str, tuple[Plant, Callable[[], None]]] = {
    "subtraction the wrong way round": (
        scalar("sub", lambda true: lambda b, d, x, y: true(b, d, y, x)),
        all_of_row("sub"),
    ),
    "maximum forgets NaN": (
        scalar("maximum", lambda true: lambda b, d, x, y: b.select(scalars._compare(b, d, ">", x, y), x, y)),
        edges("maximum"),
    ),
    "comparison with an equal sign": (scalar("lt", lambda true: scalars.SCALARS["le"]), edges("lt")),
    "halfs are not rounded": (
        replaced(scalars, "rounded", lambda true: lambda b, x, d: x),
        lambda: test_every_op.test_halfs_are_rounded_after_each_op("float16"),
    ),
    "wrong bounds of chunks": (
        lambda patch: patch.setattr(plan_loops.LoopPlan, "_choose_chunks", chunks_cut_short),
        lambda: test_every_op.test_reductions_over_all_axes((257, 129), "float32"),
    ),
    "partial sums: one is left out": (
        replaced(specials, "build_combination", one_chunk_less),
        lambda: test_every_op.test_reductions_over_all_axes((257, 129), "float32"),
    ),
    "a view begins at the beginning": (
        replaced(schedule, "view_of", without_offset),
        lambda: test_every_op.test_products_of_views("a part", "as it is"),
    ),
    "a view has wrong strides": (
        replaced(products, "as_operand", with_wider_rows),
        lambda: test_every_op.test_products_of_views("every second row", "as it is"),
    ),
    "no thread waits for another": (
        replaced(schedule, "find_meetings", lambda true: lambda tasks: None),
        lambda: test_schedule.test_threads_of_workloads_meet("W2"),
    ),
    "an input is written over that others read later": (
        replaced(schedule._Scheduler, "_dies_in", lambda true: lambda self, old, group: True),
        read_again_later,
    ),
    "state is written over that others read later": (
        replaced(schedule._Scheduler, "_may_overwrite", lambda true: lambda self, old, new, group: True),
        test_state.test_shifted_state_is_read_before_it_is_written,
    ),
    "all values at one place in the arena": (
        replaced(
            schedule,
            "plan_memory",
            lambda true: lambda lives: plan_memory.MemoryPlan((0,) * len(lives), true(lives).peak, 0),
        ),
        lambda: test_bits.test_it_is_what_the_reference_gives("mix"),
    ),
    "who holds what is not looked at": (
        replaced(holders.Holders, "are_same", lambda true: lambda self: True),
        state("detached weights are kept"),
    ),
    "a wrong index stops nothing": (
        replaced(schedule._Scheduler, "_find_commits", never_stopping),
        test_wrong_indices.test_a_wrong_index_in_the_first_call,
    ),
    "learning rates are read once": (
        replaced(NativeStep, "_sort_results", with_numbers_of_the_trace),
        state("the rate changes"),
    ),
    "an epoch leaves out the end of each row": (
        replaced(epochs, "build_fetch", lambda true: lambda n, row_bytes, *rest: true(n, row_bytes - 4, *rest)),
        epoch,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_noticed(name: str, apart: None) -> None:
    plant, check = FAULTS[name]
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check()


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_without_the_fault_all_is_well(name: str, apart: None) -> None:
    FAULTS[name][1]()
