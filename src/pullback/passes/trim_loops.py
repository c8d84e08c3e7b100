"""Leave out of loops what nobody needs: results that are not used, and inputs that only those needed."""

from collections.abc import Callable

from pullback.ir.node import Node, Value
from pullback.ir.origin import originating
from pullback.ir.program import Program, apply_again, live_nodes
from pullback.passes.rebuild import Made, rebuild


def trim_loops(program: Program) -> Program:
    """The program with loops, and loops within those, that make nothing in vain; a loop that nobody needs is left out.

    What a loop carries on stays, as its own steps may need it. What it kept for a gradient that nobody took goes.
    """
    trimmed, needed = _find(program)

    def remake(node: Node, new: Callable[[Value], Value]) -> Made:
        if node not in trimmed:
            return zip(node.outputs, apply_again(node, [new(x) for x in node.inputs]), strict=True)
        inputs, results, body = trimmed[node]
        with originating(node.origin):
            made = node.op.apply([new(node.inputs[i]) for i in inputs], _params(node, inputs, body))
        return zip([node.outputs[j] for j in results], made, strict=True)

    return rebuild(program, needed, remake) if trimmed else program


_Trimmed = tuple[list[int], list[int], Program]


def _find(program: Program) -> tuple[dict[Node, _Trimmed], list[Node]]:
    """For each loop the numbers of the inputs and results that stay, and its body; and the nodes still needed then."""
    needed, found, nodes = set(program.outputs), dict[Node, _Trimmed](), []
    for node in reversed(program.nodes):
        if needed.isdisjoint(node.outputs):
            continue
        inputs = node.inputs
        if node.op.name == "scan":
            found[node] = _trimmed(node, needed)
            inputs = tuple(node.inputs[i] for i in found[node][0])
        needed.update(inputs)
        nodes.append(node)
    return found, nodes[::-1]


def _trimmed(node: Node, needed: set[Value]) -> _Trimmed:
    body, carries = node.params["program"], node.params["carries"]
    results = [j for j, y in enumerate(node.outputs) if j < carries or y in needed]
    outputs = tuple(body.outputs[j] for j in results)
    body = trim_loops(Program(body.inputs, live_nodes(body.nodes, outputs), outputs))
    used = {x for inner in body.nodes for x in inner.inputs} | set(body.outputs)
    inputs = [i for i, x in enumerate(body.inputs) if i < carries or x in used]
    return inputs, results, Program(tuple(body.inputs[i] for i in inputs), body.nodes, body.outputs)


def _params(node: Node, inputs: list[int], body: Program) -> dict[str, object]:
    """The params of the loop with this body; nothing is kept for a gradient, as none is taken of a finished program."""
    carries, behind = node.params["carries"], node.params["carries"] + node.params["sequences"]
    rows = sum(carries <= i < behind for i in inputs)
    return node.params | {"program": body, "sequences": rows, "saved": 0}
