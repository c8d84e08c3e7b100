"""The reference backend: each node through its NumPy meaning, in order. Every other backend is held against it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

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


class ReferenceStep:
    """Runs one traced form of a function node by node."""

    def __init__(self, traced: Traced, program: Program) -> None:
        self.traced = traced
        self._outputs = program.outputs
        self._run = prepare(program)

    def __call__(self, given: Sequence[Tensor], undisturbed: bool = False) -> Any:
        """Run on these arguments, write what is written, give the function's result."""
        return self.distribute(given, self.values(given))

    def is_undisturbed(self) -> bool:
        """Not known: nothing is kept from call to call."""
        return False

    def values(self, given: Sequence[Tensor]) -> list[Value]:
        """The program's outputs on these arguments and the present state."""
        arrays = [_numbers_of(x) for x in (*given, *self.traced.state)]
        arrays += [np.asarray(read(), np.float64) for read in self.traced.numbers]
        return [Value(y.type, array) for y, array in zip(self._outputs, self._run(arrays), strict=True)]

    def distribute(self, given: Sequence[Tensor], values: Sequence[Value]) -> Any:
        """Write what is written, and give the function's result."""
        stand_ins = {id(x): actual for x, actual in zip(self.traced.arguments, given, strict=True)}
        return self.traced.distribute(values, stand_ins)


def _numbers_of(x: Tensor) -> Array:
    data = x._value.data
    if data is None:
        raise leaked(x._value)
    return data
