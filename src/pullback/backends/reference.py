"""The reference backend: each node through its NumPy meaning, in order. Every other backend is held against it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pullback.backends.report import Kernel, Report, places_of
from pullback.base.dtypes import Array
from pullback.base.errors import IndexOutOfRange
from pullback.ir.node import Value, leaked
from pullback.ir.program import Program
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Traced

Executable = Callable[[Sequence[Array]], list[Array]]


def prepare(program: Program) -> Executable:
    """A function from input arrays to output arrays; each intermediate array is dropped after its last use."""
    slots = {value: i for i, value in enumerate(program.inputs)}
    steps = []
    for node, dead in zip(program.nodes, program.last_uses(), strict=True):
        places = [slots.setdefault(y, len(slots)) if y is not None else -1 for y in node.outputs]
        steps.append((node, [slots[x] for x in node.inputs], places, [slots[v] for v in dead]))
    results = [slots[y] for y in program.outputs]
    size, inputs = len(slots), len(program.inputs)

    def run(arrays: Sequence[Array]) -> list[Array]:
        known: list[Array | None] = [*arrays, *[None] * (size - inputs)]
        with np.errstate(all="ignore"):
            for node, sources, places, dead in steps:
                try:
                    outputs = node.op.run([known[i] for i in sources], node.params)  # type: ignore[misc]  # written before
                except IndexError as error:
                    raise IndexOutOfRange(f"{node.op.name} at {node.origin}: {error}") from None
                for place, array in zip(places, outputs, strict=True):
                    if place >= 0:
                        known[place] = array
                for i in dead:
                    known[i] = None
        return [known[i] for i in results]  # type: ignore[misc]  # written by now

    return run


def profile(program: Program, inputs: Sequence[Array], name: str, calls: int, seconds: float) -> Report:
    """Measure each node of a program through NumPy for about so many seconds, one run at the least."""
    runs: list[list[float]] = []
    began = time.perf_counter()
    while not runs or time.perf_counter() - began < seconds:
        runs.append(_timed_run(program, inputs))
    medians = [float(x) for x in np.median(np.array(runs), axis=0)]
    total = sum(medians)
    kernels = []
    for i, (node, took) in enumerate(zip(program.nodes, medians, strict=True)):
        types = [x.type for x in node.inputs]
        kernel = Kernel(
            "numpy", f"NumPy {node.op.name} {node.types[0]}", (node.op.name,), places_of([node]), (i,), 1, 1, took,
            took / (total or 1), node.op.count_flops(types, node.params), node.op.count_bytes(types, node.params),
            why_numpy="the reference backend runs everything through NumPy",
        )  # fmt: skip
        kernels.append(kernel)
    why = "one op after the other; NumPy's products may use more"
    return Report(name, "reference", calls, 1, why, total, total, len(runs), tuple(kernels))


def _timed_run(program: Program, inputs: Sequence[Array]) -> list[float]:
    """The seconds of each node."""
    known = dict(zip(program.inputs, inputs, strict=True))
    seconds = []
    with np.errstate(all="ignore"):
        for node, dead in zip(program.nodes, program.last_uses(), strict=True):
            arrays = [known[x] for x in node.inputs]
            started = time.perf_counter()
            outputs = node.op.run(arrays, node.params)
            seconds.append(time.perf_counter() - started)
            known.update((y, array) for y, array in zip(node.outputs, outputs, strict=True) if y is not None)
            for value in dead:
                known.pop(value, None)
    return seconds


class ReferenceStep:
    """Runs one traced form of a function node by node."""

    def __init__(self, traced: Traced, program: Program) -> None:
        self.traced = traced
        self.calls = 0
        self._program, self._outputs = program, program.outputs
        self._given: list[Array] = []  # the arguments of the last call
        self._run = prepare(program)

    def __call__(self, given: Sequence[Tensor], undisturbed: bool = False) -> Any:
        """Run on these arguments, write what is written, give the function's result."""
        return self.distribute(given, self.values(given))

    def is_undisturbed(self) -> bool:
        """Not known: nothing is kept from call to call."""
        return False

    def values(self, given: Sequence[Tensor]) -> list[Value]:
        """The program's outputs on these arguments and the present state."""
        self._given = [_numbers_of(x) for x in given]
        outputs = self._run(self._inputs())
        self.calls += 1
        return [Value(y.type, array) for y, array in zip(self._outputs, outputs, strict=True)]

    def _inputs(self) -> list[Array]:
        arrays = [*self._given, *(_numbers_of(x) for x in self.traced.state)]
        return arrays + [np.asarray(read(), np.float64) for read in self.traced.numbers]

    def report(self, name: str, seconds: float) -> Report:
        """What the step does and how long each op takes, on the last arguments; nothing is written."""
        return profile(self._program, self._inputs(), name, self.calls, seconds)

    def distribute(self, given: Sequence[Tensor], values: Sequence[Value]) -> Any:
        """Write what is written, and give the function's result."""
        stand_ins = {id(x): actual for x, actual in zip(self.traced.arguments, given, strict=True)}
        return self.traced.distribute(values, stand_ins)


def _numbers_of(x: Tensor) -> Array:
    data = x._value.data
    if data is None:
        raise leaked(x._value)
    return data
