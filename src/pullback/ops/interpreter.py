"""The interpreter: runs a program through the meaning of each op. It defines what a program means."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.ir.node import Node, Value
from pullback.ir.program import Program

# Called after each node with its outputs; for tools that look inside.
Watch = Callable[[Node, Sequence[Array]], Any]


def interpret(program: Program, arrays: Sequence[Array], watch: Watch | None = None) -> list[Array]:
    """The outputs of the program on these inputs. Each intermediate is dropped after its last use."""
    known: dict[Value, Array] = dict(zip(program.inputs, arrays, strict=True))
    for node, dead in zip(program.nodes, program.last_uses(), strict=True):
        with np.errstate(all="ignore"):
            results = node.op.run([known[x] for x in node.inputs], node.params)
        for value, array in zip(node.outputs, results, strict=True):
            if value is not None:
                known[value] = array
        if watch is not None:
            watch(node, results)
        for value in dead:
            known.pop(value, None)
    return [known[y] for y in program.outputs]
