"""How fast each kernel of a step is: measured on copies of everything that the step writes.

Running a step trains; so what is run here is a second executable of the same program, bound to copies of the state,
which begin each run with the numbers that the state has.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np

from pullback.backends.native import hardware, peaks
from pullback.backends.native.executable import Executable, address_of, empty_array
from pullback.backends.native.plan_loops import LoopPlan
from pullback.backends.native.products import ProductPlan
from pullback.backends.native.tasks import Task, every_task
from pullback.backends.report import Kernel, Making, Memory, Report, bytes_text, places_of
from pullback.base.dtypes import Array, float32, float64
from pullback.ir.node import Node
from pullback.passes.kinds import MOVEMENT

_LEAST_RUNS, _MOST_RUNS = 3, 500
_SILENT = MOVEMENT | {"full", "iota", "cast", "constant"}  # ops that say little about a kernel


def profile(executable: Executable, arguments: int, name: str, calls: int, seconds: float) -> Report:
    """Measure each kernel of a step for about so many seconds, and tell all about it.

    executable: has run before, so that its inputs are bound; the first `arguments` of them are those of the function.
    """
    copy = _Copy(executable)
    runs, watched = copy.measure(seconds)
    found = peaks.peaks()
    task_seconds = [float(np.median(column)) for column in watched.T]
    total = sum(task_seconds) or 1.0
    cached = _footprint(executable) <= max(hardware.cache_sizes().values(), default=0)
    nodes = _served(executable)
    kernels = [
        _limited(_kernel(executable, task, mine, took, took / total), task, found, cached)
        for task, mine, took in zip(executable.tasks, nodes, task_seconds, strict=True)
        if task.loop is None
    ]
    made = executable.compilation
    return Report(
        name, "native", calls, executable.threads, _why_threads(executable), statistics.median(runs), sum(task_seconds),
        len(runs), tuple(kernels), _memory(executable, arguments),
        Making(executable.seconds_to_prepare, made.compiled, made.from_disk, made.known), asdict(found),
    )  # fmt: skip


# Measuring
class _Copy:
    """A second executable of a program, which writes into memory of its own."""

    def __init__(self, original: Executable) -> None:
        self.executable = Executable(original.program, original.in_place)
        self.executable.threads = original.threads
        self._state: list[tuple[Array, Array]] = []
        for i, array in original.bound_inputs.items():
            bound = array
            if i in original.in_place:
                bound = empty_array(original.program.inputs[i].type)
                self._state.append((bound, array))
            self.executable.bind_input(i, bound, address_of(bound))
        for j, value in enumerate(original.program.outputs):
            result = empty_array(value.type)
            self.executable.bind_result(j, result, address_of(result))

    def _reset(self) -> None:
        for copy, original in self._state:
            np.copyto(copy, original)

    def _timed(self, run: Callable[[], object]) -> float:
        self._reset()
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    def measure(self, seconds: float) -> tuple[list[float], Array]:
        """Seconds of each of several runs; and of each task (runs, tasks) in other runs, made in turn with them."""
        executable = self.executable
        began = time.perf_counter()
        for _ in range(2):
            self._timed(executable.run)
        with_reset = (time.perf_counter() - began) / 2
        repeats = int(min(max(seconds / (2 * with_reset), _LEAST_RUNS), _MOST_RUNS))
        runs, watched = [], np.zeros((repeats, len(executable.tasks)))
        for row in watched:
            runs.append(self._timed(executable.run))
            self._reset()
            row[:] = executable.run_watched()
        return runs, watched


# What each kernel is
def _served(executable: Executable) -> list[list[Node]]:
    """For each task all nodes that it serves: also those that its operands are read through, and constants."""
    served = [
        [*task.serves, *(() if task is outer else outer.serves)]
        for outer in executable.schedule.tasks
        for task in every_task([outer])
    ]
    place: dict[Node, set[int]] = {}
    for i, nodes in enumerate(served):
        for node in nodes:
            place.setdefault(node, set()).add(i)
    users: dict[Node, list[Node]] = {}
    for node in reversed(executable.program.nodes):
        if node not in place:
            place[node] = set().union(*(place[user] for user in users.get(node, ())))
            for i in place[node]:
                served[i].append(node)
        for x in node.inputs:
            if x.node is not None:
                users.setdefault(x.node, []).append(node)
    return served


def _kernel(executable: Executable, task: Task, nodes: Sequence[Node], seconds: float, share: float) -> Kernel:
    numbers = {node: i for i, node in enumerate(executable.program.nodes)}
    threads = min(executable.threads, task.chunks)
    return Kernel(
        task.kind, _what(task), _ops(task.serves), places_of(task.serves) if task.serves else (),
        tuple(sorted(numbers[n] for n in nodes if n in numbers)), task.times, threads, seconds, share,
        task.flops * task.times, task.nbytes * task.times,
        why_numpy=_why_numpy(task.node) if task.node is not None else "",
    )  # fmt: skip


def _ops(nodes: Sequence[Node]) -> tuple[str, ...]:
    """The names of the ops, those with most work first."""
    work: dict[str, int] = {}
    for node in nodes:
        flops = node.op.count_flops([x.type for x in node.inputs], node.params)
        work[node.op.name] = work.get(node.op.name, 0) + flops
    return tuple(sorted(work, key=lambda name: -work[name]))


def _what(task: Task) -> str:
    plan = task.plan
    if isinstance(plan, ProductPlan):
        return _product(plan)
    if isinstance(plan, LoopPlan):
        names = [name for name in _ops(task.serves) if name not in _SILENT]
        some = f" {' '.join(names[:3])}{' …' if len(names) > 3 else ''}" if names else " copy"
        return f"loop {plan.rows}×{plan.cols}{some}"
    if task.kind == "copy":
        return f"copy {bytes_text(task.writes[0].nbytes)}"
    (node,) = task.serves
    if task.kind == "combine":
        parts = task.reads[0].nbytes // max(task.writes[0].nbytes, 1)
        return f"combine {parts}×{node.types[0].size} {node.op.name}"
    return f"{'NumPy ' if task.node is not None else ''}{node.op.name} {node.types[0]}"


def _product(plan: ProductPlan) -> str:
    stack = int(np.prod(plan.stack)) if plan.stack else 1
    turned = [name for name, operand in (("xᵀ", plan.x), ("yᵀ", plan.y)) if operand.turned]
    told = f"{f'{stack} products' if stack > 1 else 'product'} {plan.rows}×{plan.inner}×{plan.cols}"
    return " ".join([told, *turned, *([] if plan.dtype is float32 else [plan.dtype.name])])


def _why_numpy(node: Node) -> str:
    if any(t.size == 0 for t in (*node.types, *(x.type for x in node.inputs))):
        return "an array has no elements"
    if node.op.name == "pow" and node.types[0].dtype.kind == "int":
        return "powers of integers go by repeated squaring, which has no kernel"
    return f"there is no kernel for {node.op.name}"


# How fast it could be
def _limited(kernel: Kernel, task: Task, found: peaks.Peaks, cached: bool) -> Kernel:
    """Held against the machine: operations against those of products, bytes against memory where no cache has them."""
    if kernel.why_numpy or not kernel.seconds:
        return kernel
    together = kernel.threads > 1
    most_gflops = found.sgemm_all if together else found.sgemm_one
    if task.plan is not None and any(y.dtype is float64 for n in task.serves for y in n.types):
        most_gflops /= 2
    most_gigabytes = found.memory_all if together else found.memory_one
    compute, memory = kernel.gflops / most_gflops, kernel.gigabytes / most_gigabytes
    cached = cached or memory > 1
    if cached or compute >= memory:
        return _with_limit(kernel, "compute", compute, cached and compute < memory)
    return _with_limit(kernel, "memory", memory, False)


def _with_limit(kernel: Kernel, limit: str, of_limit: float, cached: bool) -> Kernel:
    return replace(kernel, limit=limit, of_limit=of_limit, cached=cached)


def _footprint(executable: Executable) -> int:
    """Bytes that a run touches."""
    program = executable.program
    values = sum(x.type.nbytes for x in (*program.inputs, *program.outputs))
    return values + executable.schedule.memory.peak + _constant_bytes(executable)


def _constant_bytes(executable: Executable) -> int:
    return sum(n.params["array"].nbytes for n in executable.program.nodes if n.op.name == "constant")


# Memory and threads
def _memory(executable: Executable, arguments: int) -> Memory:
    inputs = [x.type.nbytes for x in executable.program.inputs]
    plan, in_place = executable.schedule.memory, executable.in_place
    written = set(in_place.values())
    return Memory(
        plan.peak, plan.without_reuse, sum(inputs[:arguments]), sum(inputs[arguments:]),
        sum(inputs[i] for i in in_place),
        sum(y.type.nbytes for j, y in enumerate(executable.program.outputs) if j not in written),
        _constant_bytes(executable),
    )  # fmt: skip


def _why_threads(executable: Executable) -> str:
    machine = hardware.threads()
    if executable.threads == machine.count:
        return machine.why
    if all(task.chunks == 1 for task in executable.tasks):
        return f"no kernel has work enough to be shared; there are {machine.count}"
    return f"for so little work waking another costs more than it brings; there are {machine.count}"
