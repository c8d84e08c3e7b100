"""Compute once what stands twice, and let values pass straight through nodes that do nothing."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from pullback.ir.node import Node, Value
from pullback.ir.program import Program, apply_again
from pullback.passes.rebuild import Made, rebuild


def dedupe(program: Program) -> Program:
    """The program with one node for each computation: equal op, inputs and params. The first one's origin stays.

    `detach`, which does nothing but stop gradients, is left out: no gradient is taken of a finished program.
    """
    known: dict[Hashable, tuple[Value, ...]] = {}

    def remake(node: Node, new: Callable[[Value], Value]) -> Made:
        inputs = [new(x) for x in node.inputs]
        if node.op.name == "detach":
            return [(node.outputs[0], inputs[0])]
        key = (node.op.name, tuple(inputs), frozen(node.params))
        if key not in known:
            known[key] = _again(node, inputs)
        return zip(node.outputs, known[key], strict=True)

    return rebuild(program, program.nodes, remake)


def _again(node: Node, inputs: list[Value]) -> tuple[Value, ...]:
    results = apply_again(node, inputs)
    for old, new in zip(node.outputs, results, strict=True):
        new.name = old.name if old is not None else ""
    return results


def frozen(params: dict[str, Any]) -> Hashable:
    """Params in a form by which nodes can be compared and looked up."""
    return tuple(
        (k, id(v) if isinstance(v, np.ndarray) else (type(v), repr(v) if isinstance(v, float) else v))
        for k, v in params.items()
    )
