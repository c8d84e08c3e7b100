"""The reference backend: each node through its NumPy meaning, in order. Every other backend is held against it."""

from collections.abc import Callable, Sequence

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import IndexOutOfRange
from pullback.ir.program import Program

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
