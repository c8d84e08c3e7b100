"""Many steps in one native call: batches are gathered by row number inside, results go into a ring, Python watches.

A window of steps runs without Python. How many make a window is measured, so that a window takes about 50 ms: between
windows Python sees Ctrl-C, draws progress bars and lets schedules move on. The numbers that a schedule sets are worked
out ahead for the steps of a window.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from pullback.backends.native.machine_code import compile_kernels, key_of
from pullback.backends.native.executable import address_of, empty_array
from pullback.backends.native.loops import KERNEL, POINTER
from pullback.backends.native.executor import MEET
from pullback.backends.native.team import Plan
from pullback.backends.native.scalars import I1, I64
from pullback.backends.native.step import NativeStep
from pullback.base.dtypes import Array
from pullback.ir.node import Value
from pullback.tensor.tensor import Tensor

WINDOW_SECONDS = 0.05
_RING_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 16  # of a batch: from this many bytes on several threads gather it


class NativeEpoch:
    """Runs a step on batch after batch of whole arrays.

    given: the tensors that stand for the batch, one per argument; their arrays are overwritten.
    sources: for each the whole array, with rows of the same type.
    """

    def __init__(self, step: NativeStep, given: Sequence[Tensor], sources: Sequence[Array], most: int) -> None:
        self.step, self.given, self.sources = step, given, sources
        self.batch = len(given[0]._value.data)  # type: ignore[arg-type]  # tensors of a batch have numbers
        outputs = [(j, type, array) for j, type, array in step.kept_results()]
        per_step = sum(type.nbytes for _, type, _ in outputs) + 8 * len(step.numbers) + 8 * self.batch
        self.most = max(1, min(most, _RING_BYTES // max(per_step, 1)))
        self.order = np.zeros((self.most, self.batch), np.int64)
        self.numbers = np.zeros((self.most, len(step.numbers)), np.float64)
        self.rings = {j: np.zeros((self.most, *type.shape), type.dtype.numpy) for j, type, _ in outputs}
        self._outputs = outputs
        self._make_plan()
        self.seconds_per_step = 0.0

    @staticmethod
    def can_run(step: NativeStep) -> bool:
        """Whether nothing in the step needs Python: no op left to NumPy, no state that moves to other memory."""
        return len(step.executable.plans) == 1 and isinstance(step.executable.plans[0], Plan) and step.stays_in_place()

    def _make_plan(self) -> None:
        executable = self.step.executable
        inner = executable.plans[0]
        assert isinstance(inner, Plan)
        # The plan's own memory holds the step's number, which the tasks below read.
        plan = self.plan = Plan(np.zeros((len(inner.tasks) + len(self.given) + len(self._outputs) + 1, 4), np.int64), address_of(executable.flag))
        before, after = self._feeding(), self._recording()
        addresses = compile_kernels({key_of(text): build for text, build, _, _ in (*before, *after)}).addresses
        words: list[int] = []
        rows: list[list[int]] = []
        starts: list[int] = []
        for _, _, arguments, _ in (*before, *after):
            starts.append(len(words))
            words += arguments
        self.words = np.array(words, np.int64)
        base = address_of(self.words)
        for (text, _, _, chunks), start in zip((*before, *after), starts, strict=True):
            rows.append([addresses[key_of(text)], base + 8 * start, chunks, 0])
        tasks = inner.tasks.copy()
        tasks[0, 3] |= MEET
        for row in rows[len(before) :][:1]:
            row[3] = MEET
        plan.tasks[:] = np.concatenate([np.array(rows[: len(before)], np.int64), tasks, np.array(rows[len(before) :], np.int64).reshape(-1, 4)])

    def _feeding(self) -> list[tuple[str, Callable[[str], str], list[int], int]]:
        """Tasks that fetch a step's batch and its numbers: (text, build, arguments, chunks)."""
        tasks = []
        step_number = self.plan.step_address
        for x, source in zip(self.given, self.sources, strict=True):
            array = x._value.data
            assert array is not None
            row_bytes, batch = array.nbytes // self.batch, self.batch
            chunks = max(1, min(batch, 16, array.nbytes // _CHUNK_BYTES))
            arguments = [address_of(source), address_of(self.order), address_of(array), step_number]
            tasks.append(
                (
                    f"fetch {batch} rows of {row_bytes} bytes, {chunks} chunks",
                    lambda symbol, b=batch, r=row_bytes, c=chunks: build_fetch(b, r, c, symbol),
                    arguments,
                    chunks,
                )
            )
        nbytes = 8 * len(self.step.numbers)
        arguments = [address_of(self.numbers), address_of(self.step.numbers), step_number]
        tasks.append((f"feed {nbytes} bytes", lambda symbol: build_transfer(nbytes, True, symbol), arguments, 1))
        return tasks  # type: ignore[return-value]  # lambdas with defaults are callables of one argument

    def _recording(self) -> list[tuple[str, Callable[[str], str], list[int], int]]:
        """Tasks that put a step's results into the rings."""
        tasks = []
        for j, type, array in self._outputs:
            arguments = [address_of(array), address_of(self.rings[j]), self.plan.step_address]
            nbytes = type.nbytes
            tasks.append(
                (f"record {nbytes} bytes", lambda symbol, n=nbytes: build_transfer(n, False, symbol), arguments, 1)
            )
        return tasks  # type: ignore[return-value]

    def steps_in_a_window(self) -> int:
        """How many steps take about as long as Python may be kept waiting."""
        if not self.seconds_per_step:
            return 1
        return max(1, min(self.most, int(WINDOW_SECONDS / self.seconds_per_step)))

    def run(self, order: Array, advance: Callable[[], Any] | None) -> list[dict[int, Array]]:
        """Run one step for each row of `order` (steps, batch), at most `most`; results as arrays over steps."""
        steps, step = len(order), self.step
        self.order[:steps] = order
        for s in range(steps):
            for k, read in step.read_numbers:
                self.numbers[s, k] = read()
            if advance is not None:
                advance()
        started = time.perf_counter()
        step.run_window(self.given, lambda: self.plan.run(step.executable.threads, steps))
        self.seconds_per_step = (time.perf_counter() - started) / steps
        return [{j: ring[s] for j, ring in self.rings.items()} for s in range(steps)]


def values_of(step: NativeStep, found: dict[int, Array]) -> dict[int, Value]:
    """One step's results as values."""
    return {j: Value(step.executable.program.outputs[j].type, np.array(array)) for j, array in found.items()}


def batch_tensors(like: Sequence[Tensor], sources: Sequence[Array], batch: int) -> list[Tensor]:
    """Tensors with room for a batch of rows of each source, like those that a DataLoader gives."""
    from pullback.base.dtypes import from_numpy_dtype
    from pullback.ir.types import Type

    types = [Type((batch, *s.shape[1:]), from_numpy_dtype(s.dtype)) for s in sources]
    return [Tensor(Value(type, empty_array(type))) for type in types]


def build_fetch(batch: int, row_bytes: int, chunks: int, symbol: str) -> str:
    """The LLVM module of the kernel that gathers a batch: target[i] = source[order[step, i]] for rows of bytes."""
    module = ir.Module(symbol)
    f = ir.Function(module, KERNEL, symbol)
    entry, head, body, end = (f.append_basic_block(n) for n in ("entry", "head", "body", "end"))
    b = ir.IRBuilder(entry)
    source, order, target, counter = (
        b.load(b.gep(f.args[0], [I64(i)], source_etype=POINTER), typ=POINTER) for i in range(4)
    )
    first = b.mul(b.load(counter, typ=I64), I64(batch))
    begin = b.sdiv(b.mul(f.args[1], I64(batch)), I64(chunks))
    stop = b.sdiv(b.mul(f.args[2], I64(batch)), I64(chunks))
    b.branch(head)
    b = ir.IRBuilder(head)
    i = b.phi(I64, "i")
    b.cbranch(b.icmp_signed("<", i, stop), body, end)
    b = ir.IRBuilder(body)
    byte = ir.IntType(8)
    row = b.load(b.gep(order, [b.add(first, i)], source_etype=I64), typ=I64)
    copy = module.declare_intrinsic("llvm.memcpy", [POINTER, POINTER, I64])
    here = b.gep(source, [b.mul(row, I64(row_bytes))], source_etype=byte)
    there = b.gep(target, [b.mul(i, I64(row_bytes))], source_etype=byte)
    b.call(copy, [there, here, I64(row_bytes), I1(0)])
    i.add_incoming(begin, entry)
    i.add_incoming(b.add(i, I64(1)), body)
    b.branch(head)
    ir.IRBuilder(end).ret_void()
    return str(module)


def build_transfer(nbytes: int, from_table: bool, symbol: str) -> str:
    """The LLVM module of the kernel that copies a step's row of a table to where it is used, or the other way."""
    module = ir.Module(symbol)
    f = ir.Function(module, KERNEL, symbol)
    b = ir.IRBuilder(f.append_basic_block("entry"))
    source, target, counter = (
        b.load(b.gep(f.args[0], [I64(i)], source_etype=POINTER), typ=POINTER) for i in range(3)
    )
    offset = b.mul(b.load(counter, typ=I64), I64(nbytes))
    byte = ir.IntType(8)
    if from_table:
        source = b.gep(source, [offset], source_etype=byte)
    else:
        target = b.gep(target, [offset], source_etype=byte)
    copy = module.declare_intrinsic("llvm.memcpy", [POINTER, POINTER, I64])
    b.call(copy, [target, source, I64(nbytes), I1(0)])
    b.ret_void()
    return str(module)
