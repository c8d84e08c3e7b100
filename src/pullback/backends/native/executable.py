"""A schedule made ready: kernels compiled, memory laid out, addresses filled in; running it is one native call."""

import ctypes
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pullback.backends.native import openblas
from pullback.backends.native.compiler import Compilation, compile_kernels, symbol
from pullback.backends.native.executor_ir import APART, LOOP, MEET, STOP_ON_FLAG
from pullback.backends.native.hardware import threads as machine_threads
from pullback.backends.native.runtime import Plan
from pullback.backends.native.schedule import CHECKED, Schedule, schedule
from pullback.backends.native.tasks import Argument, Buffer, Task, every_task, words_of
from pullback.base.dtypes import Array, float32
from pullback.base.errors import IndexOutOfRange
from pullback.ir.program import Program
from pullback.ir.types import Type

# Below so many operations and bytes in all, waking another thread costs more than it brings.
SMALL_WORK = 4_000_000
_ALIGNMENT = 64


def aligned_bytes(nbytes: int) -> Array:
    """Zeroed memory that begins on a cache line."""
    raw = np.zeros(nbytes + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + nbytes]


def address_of(array: Array) -> int:
    """Where the array's numbers begin."""
    return int(array.ctypes.data)


def empty_array(type: Type) -> Array:
    """An array of this type whose numbers begin on a cache line."""
    return aligned_bytes(type.nbytes).view(type.dtype.numpy).reshape(type.shape)


class Executable:
    """A program ready to run natively.

    Its inputs are bound to arrays, and its results to the arrays that receive them, before `run`; what is bound stays
    so. Inputs in `in_place` are overwritten with the output that replaces them.
    """

    def __init__(self, program: Program, replaced: Mapping[int, int] | None = None) -> None:
        started = time.perf_counter()
        library = openblas.load()
        self.program = program
        self.schedule: Schedule = schedule(
            program,
            replaced or {},
            lambda dtype: (library.sgemm if dtype is float32 else library.dgemm, library.set_threads),
        )
        self.in_place = self.schedule.in_place
        self.tasks = list(every_task(self.schedule.tasks))  # loops, and the tasks in them behind them
        self.compilation = self._compile()
        self._can_fail = self.schedule.can_fail
        self._lay_out()
        self.threads = self._choose_threads()
        self.seconds_to_prepare = time.perf_counter() - started

    # Making ready
    def _compile(self) -> Compilation:
        wanted: dict[str, Callable[[], str]] = {}
        for task in self.tasks:
            if task.build is not None and task.text not in wanted:
                wanted[task.text] = functools.partial(task.build, symbol(task.text))
        return compile_kernels(wanted)

    def _lay_out(self) -> None:
        """The words that kernels get as arguments, the arena, and where each buffer's address stands."""
        self.arena = aligned_bytes(self.schedule.memory.peak)
        self.flag = np.zeros(1, np.int64)
        words: list[int] = []
        places: list[int] = []  # of each task's arguments, within the loop that it is in
        self._input_words: dict[int, list[tuple[int, int]]] = {}
        self._result_words: dict[int, list[tuple[int, int]]] = {}
        self._tables: list[Argument] = []  # kept, as their addresses stand among the words
        for task in self.schedule.tasks:
            arguments, (begin, *inside) = words_of(task)
            self._tables += arguments
            places += [len(words) + begin, *inside]
            words += [self._word(argument, len(words) + i) for i, argument in enumerate(arguments)]
        self.words = np.array(words or [0], np.int64)
        # Written through a view of C integers, which takes half the time that NumPy takes.
        self._argument_words = (ctypes.c_int64 * len(self.words)).from_buffer(self.words.data)
        self.plans: list[Plan | Task] = []
        group: list[list[int]] = []
        self._numbers_of_plans: list[list[int]] = []
        numbers: list[int] = []
        base = address_of(self.words)
        outermost = {id(task) for task in self.schedule.tasks}
        for i, (task, doubtful) in enumerate(self._with_doubt()):
            if task.node is not None:
                self._close(group, numbers)
                group, numbers = [], []
                self.plans.append(task)
                self._numbers_of_plans.append([i])
                continue
            is_outer = id(task) in outermost
            flags = (MEET if task.meet and (group or not is_outer) else 0) | (STOP_ON_FLAG if doubtful else 0)
            flags |= (LOOP | (APART if task.loop.apart else 0)) if task.loop else 0
            kernel = 0 if task.loop else self.compilation.addresses[task.text]
            group.append([kernel, (base if is_outer else 0) + 8 * places[i], task.chunks, flags])
            numbers.append(i)
        self._close(group, numbers)
        first = self.plans[0] if len(self.plans) == 1 else None
        self.only_plan = first if isinstance(first, Plan) else None  # where nothing is left to NumPy
        self._inputs: dict[int, Array] = {}
        self._results: dict[int, Array] = {}

    def _with_doubt(self) -> list[tuple[Task, bool]]:
        """Each task, and whether it must ask first if an index was found out of range: it writes what outlives the run.

        Once threads agree that none was, they need not ask again before an index is looked at. A loop that looks at
        indices may have found one in an earlier turn; threads that go through it apart can only ask before it.
        """
        doubt, found = False, []

        def visit(task: Task, asks: bool) -> None:
            nonlocal doubt
            checks, apart = self.schedule.flag in task.writes, task.loop is not None and task.loop.apart
            doubt = doubt or (checks and task.loop is not None and not apart)
            stops = asks and task.commits and doubt and (task.loop is None or apart)
            found.append((task, stops))
            doubt = doubt and not stops
            for inner in task.loop.tasks if task.loop else ():
                visit(inner, asks and not apart)
            doubt = doubt or checks

        for task in self.schedule.tasks:
            visit(task, True)
        return found

    def _close(self, group: list[list[int]], numbers: list[int]) -> None:
        if group:
            self.plans.append(Plan(np.array(group, np.int64), address_of(self.flag)))
            self._numbers_of_plans.append(numbers)

    def _word(self, argument: Argument, position: int) -> int:
        buffer = argument.buffer
        if buffer is None:
            return argument.number
        if buffer.kind == "arena":
            return address_of(self.arena) + buffer.offset + argument.number
        if buffer.kind == "flag":
            return address_of(self.flag)
        if buffer.kind == "constant":
            assert buffer.array is not None
            buffer.array = np.ascontiguousarray(buffer.array)
            return address_of(buffer.array) + argument.number
        table = self._input_words if buffer.kind == "input" else self._result_words
        table.setdefault(buffer.place, []).append((position, argument.number))
        return 0

    def _choose_threads(self) -> int:
        work = sum((task.flops + task.nbytes) * task.times for task in self.tasks)
        parallel = any(task.chunks > 1 for task in self.tasks)
        return machine_threads().count if parallel and work > SMALL_WORK else 1

    # Running
    def bind_input(self, number: int, array: Array, address: int) -> None:
        """The input's numbers are these from now on."""
        words = self._argument_words
        for position, offset in self._input_words.get(number, ()):
            words[position] = address + offset
        self._inputs[number] = array

    def let_go(self, number: int) -> None:
        """Do not keep an input's array alive any more: whoever bound it sees to that."""
        self._inputs.pop(number, None)

    def bind_result(self, number: int, array: Array, address: int) -> None:
        """The output goes into this array from now on."""
        words = self._argument_words
        for position, offset in self._result_words.get(number, ()):
            words[position] = address + offset
        self._results[number] = array

    def run(self) -> None:
        """Run once on what is bound.

        Raises IndexOutOfRange when an index names an entry that is not there; what outlives the run is as it was then.
        """
        for plan in self.plans:
            if isinstance(plan, Plan):
                plan.run(self.threads)
                if self._can_fail:
                    self.check_flag()
            else:
                self._run_numpy(plan)

    def run_watched(self) -> Array:
        """Run once; the seconds that each task took."""
        seconds = np.zeros(len(self.tasks))
        for plan, numbers in zip(self.plans, self._numbers_of_plans, strict=True):
            if isinstance(plan, Plan):
                seconds[numbers] = plan.profile(self.threads)[:, 0] * 1e-9
                self.check_flag()
            else:
                started = time.perf_counter()
                self._run_numpy(plan)
                seconds[numbers] = time.perf_counter() - started
        return seconds

    @property
    def bound_inputs(self) -> Mapping[int, Array]:
        """The arrays that inputs are bound to, by number."""
        return self._inputs

    def check_flag(self) -> None:
        """Raise IndexOutOfRange when the last run met an index that names nothing."""
        if not self.flag[0]:
            return
        self.flag[0] = 0
        gathers = [n for task in self.tasks for n in task.serves if n.op.name in CHECKED]
        places = ", ".join(dict.fromkeys(f"{n.op.name} at {n.origin}" for n in gathers))
        raise IndexOutOfRange(f"an index is out of range for the axis that it is an index of: {places}")

    def _run_numpy(self, task: Task) -> None:
        assert task.node is not None
        arrays = [self._array(buffer, type) for buffer, type in task.operands]
        with np.errstate(all="ignore"):
            try:
                results = task.node.op.run(arrays, task.node.params)
            except IndexError as error:
                raise IndexOutOfRange(f"{task.node.op.name} at {task.node.origin}: {error}") from None
        for value, result in zip(task.node.outputs, results, strict=True):
            if value is not None:
                np.copyto(self._array(self.schedule.buffers[value], value.type), result)

    def _array(self, buffer: Buffer, type: Type) -> Array:
        if buffer.kind == "arena":
            part = self.arena[buffer.offset : buffer.offset + type.nbytes]
            return part.view(type.dtype.numpy).reshape(type.shape)
        if buffer.kind == "constant":
            assert buffer.array is not None
            return buffer.array.reshape(type.shape)
        table = self._inputs if buffer.kind == "input" else self._results
        return table[buffer.place].reshape(type.shape)

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The outputs for these inputs, which stay as they are."""
        for i, array in enumerate(arrays):
            private = np.array(array, order="C", copy=True) if i in self.in_place else np.ascontiguousarray(array)
            self.bind_input(i, private, address_of(private))
        outputs: list[Any] = [None] * len(self.program.outputs)
        for i, j in self.in_place.items():
            outputs[j] = self._inputs[i]
        for j, value in enumerate(self.program.outputs):
            if outputs[j] is None:
                outputs[j] = empty_array(value.type)
                self.bind_result(j, outputs[j], address_of(outputs[j]))
        self.run()
        return outputs


def prepare(program: Program) -> Executable:
    """The program ready to run, for any arrays."""
    return Executable(program)
