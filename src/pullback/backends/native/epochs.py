"""Many steps in one native call: batches are gathered by row number inside, results go into a ring, Python watches.

A window of steps runs without Python. How many make a window is measured, so that a window takes about 50 ms: between
windows Python sees Ctrl-C, draws progress bars and lets schedules move on. The numbers that a schedule sets are worked
out ahead for the steps of a window.
"""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pullback.backends.native.compiler import compile_kernels, symbol
from pullback.backends.native.executable import address_of, empty_array
from pullback.backends.native.executor_ir import CHUNKS, FLAGS, MEET, TASK_WORDS
from pullback.backends.native.kernel_writer import KernelWriter
from pullback.backends.native.runtime import Plan
from pullback.backends.native.scalars import I8, I64
from pullback.backends.native.step import NativeStep
from pullback.base.dtypes import Array, from_numpy_dtype
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.tensor.tensor import Tensor

WINDOW_SECONDS = 0.05
_RING_BYTES, _MOST_STEPS = 1 << 24, 1 << 14
_CHUNK_BYTES = 1 << 16  # of a batch: from this many bytes on several threads gather it


# A task around the step's own: what tells its kernel, what writes it, its arguments, and its chunks.
_Around = tuple[str, Callable[[str], str], list[int], int]


class NativeEpoch:
    """Runs a step on batch after batch of whole arrays.

    given: the tensors that stand for the batch, one per argument; their arrays are overwritten.
    sources: for each the whole array, with rows of the same type; None where the batch is the same in each step.
    """

    def __init__(self, step: NativeStep, given: Sequence[Tensor], sources: Sequence[Array] | None) -> None:
        self.step, self.given = step, list(given)
        self._kept = sources  # so that their ids stay theirs
        self.sources = [np.ascontiguousarray(source) for source in sources or ()]
        self.batch = given[0].shape[0] if sources else 0
        types = {j: step.executable.program.outputs[j].type for j in step.result_numbers()}
        self._results = {j: empty_array(type) for j, type in types.items()}
        per_step = sum(type.nbytes for type in types.values()) + step.numbers.nbytes + 8 * self.batch
        self.most = max(1, min(_MOST_STEPS, _RING_BYTES // per_step))
        self.order = np.zeros((self.most, self.batch), np.int64)
        self.numbers = np.zeros((self.most, len(step.numbers)), np.float64)
        self.rings = {j: np.zeros((self.most, *type.shape), type.dtype.numpy) for j, type in types.items()}
        self._make_plan()
        self.seconds_per_step = 0.0

    @staticmethod
    def can_run(step: Any) -> bool:
        """Whether nothing in the step needs Python: no op left to NumPy, no state that moves to other memory."""
        if not isinstance(step, NativeStep):
            return False
        return step.executable.only_plan is not None and step.stays_in_place()

    def _make_plan(self) -> None:
        """The step's tasks between those that fetch its batch and those that keep its results."""
        executable = self.step.executable
        inner = executable.only_plan
        assert inner is not None
        count = len(self.sources) + 1 + len(inner.tasks) + len(self._results)
        # The plan's own memory holds the number of the step, whose address the tasks around need.
        plan = self.plan = Plan(np.zeros((count, TASK_WORDS), np.int64), address_of(executable.flag))
        before, after = self._fetching(), self._keeping()
        wanted = {text: functools.partial(build, symbol(text)) for text, build, _, _ in (*before, *after)}
        addresses = compile_kernels(wanted).addresses
        self._arguments = [np.array(arguments, np.int64) for _, _, arguments, _ in (*before, *after)]
        rows = [
            [addresses[text], address_of(words), chunks, 0]
            for (text, _, _, chunks), words in zip((*before, *after), self._arguments, strict=True)
        ]
        plan.tasks[: len(before)] = rows[: len(before)]
        plan.tasks[len(before) : len(before) + len(inner.tasks)] = inner.tasks
        if after:
            plan.tasks[len(before) + len(inner.tasks) :] = rows[len(before) :]
            plan.tasks[len(before) + len(inner.tasks), FLAGS] |= MEET
        plan.tasks[len(before), FLAGS] |= MEET
        self._feed = len(before) - 1  # the task that sets a step's numbers, where they change from step to step

    def _fetching(self) -> list[_Around]:
        around: list[_Around] = []
        for x, source in zip(self.given, self.sources, strict=False):
            array = x._value.data
            assert array is not None
            row_bytes, batch = array.nbytes // self.batch, self.batch
            chunks = max(1, min(batch, 16, array.nbytes // _CHUNK_BYTES))
            arguments = [address_of(source), address_of(self.order), address_of(array), self.plan.step_address]
            around.append(
                (
                    f"fetch {batch} rows of {row_bytes} bytes in {chunks} chunks",
                    functools.partial(build_fetch, batch, row_bytes, chunks),
                    arguments,
                    chunks,
                )
            )
        numbers = self.step.numbers
        arguments = [address_of(self.numbers), address_of(numbers), self.plan.step_address]
        feed = functools.partial(build_transfer, numbers.nbytes, True)
        around.append((f"feed {numbers.nbytes} bytes", feed, arguments, 1))
        return around

    def _keeping(self) -> list[_Around]:
        return [
            (
                f"keep {array.nbytes} bytes",
                functools.partial(build_transfer, array.nbytes, False),
                [address_of(array), address_of(self.rings[j]), self.plan.step_address],
                1,
            )
            for j, array in self._results.items()
        ]

    def steps_in_a_window(self) -> int:
        """How many steps take about as long as Python may be kept waiting."""
        if not self.seconds_per_step:
            return 1
        return max(1, min(self.most, int(WINDOW_SECONDS / self.seconds_per_step)))

    def run(self, steps: int, order: Array | None, advance: Callable[[], Any] | None = None) -> dict[int, Value]:
        """So many steps, at most `most`, each on the rows that its row of `order` (steps, batch) names.

        Gives the results by number, stacked over the steps.
        """
        step = self.step
        if order is not None:
            self.order[:steps] = order
        self.plan.tasks[self._feed, CHUNKS] = advance is not None
        if advance is None:
            step.read_numbers()
        else:
            for s in range(steps):
                self.numbers[s] = step.read_numbers()
                advance()
        started = time.perf_counter()
        step.run_window(self.given, self._results, lambda: self.plan.run(step.executable.threads, steps))
        self.seconds_per_step = (time.perf_counter() - started) / steps
        step.calls += steps
        outputs = step.executable.program.outputs
        return {
            j: Value(outputs[j].type.with_shape((steps, *outputs[j].shape)), ring[:steps].copy())
            for j, ring in self.rings.items()
        }


def batch_tensors(sources: Sequence[Array], batch: int) -> list[Tensor]:
    """Tensors with room for a batch of rows of each source."""
    types = [Type((batch, *s.shape[1:]), from_numpy_dtype(s.dtype)) for s in sources]
    return [Tensor(Value(type, empty_array(type))) for type in types]


def build_fetch(batch: int, row_bytes: int, chunks: int, symbol: str) -> str:
    """The LLVM module of the kernel that gathers a batch: target[i] = source[order[step, i]] for rows of bytes."""
    w = KernelWriter(symbol, 4)
    source, order, target, step = w.pointers
    first = w.place((w.read(step, 0, I64), batch))
    begin, end = (w.b.sdiv(w.place((bound, batch)), I64(chunks)) for bound in w.function.args[-2:])
    with w.loop(begin, end) as i:
        row = w.read(order, w.place((first, 1), (i, 1)), I64)
        w.copy(w.at(target, w.place((i, row_bytes)), I8), w.at(source, w.place((row, row_bytes)), I8), row_bytes)
    return w.finish(symbol)


def build_transfer(nbytes: int, from_table: bool, symbol: str) -> str:
    """The LLVM module of the kernel that copies a step's row of a table to where it is used, or the other way."""
    w = KernelWriter(symbol, 3)
    source, target, step = w.pointers
    offset = w.place((w.read(step, 0, I64), nbytes))
    if from_table:
        source = w.at(source, offset, I8)
    else:
        target = w.at(target, offset, I8)
    w.copy(target, source, nbytes)
    return w.finish(symbol)
