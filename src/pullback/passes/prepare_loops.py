"""Run passes on the bodies of loops, too."""

from collections.abc import Callable

from pullback.ir.node import Node, Value
from pullback.ir.origin import originating
from pullback.ir.program import Program, apply_again
from pullback.passes.rebuild import Made, rebuild


def prepare_loops(program: Program, run: Callable[[Program], Program]) -> Program:
    """The program with `run` of each loop's body in place of the body."""

    def remake(node: Node, new: Callable[[Value], Value]) -> Made:
        inputs = [new(x) for x in node.inputs]
        if node.op.name != "scan":
            return zip(node.outputs, apply_again(node, inputs), strict=True)
        with originating(node.origin):
            made = node.op.apply(inputs, node.params | {"program": run(node.params["program"])})
        return zip(node.outputs, made, strict=True)

    has_loops = any(node.op.name == "scan" for node in program.nodes)
    return rebuild(program, program.nodes, remake) if has_loops else program
