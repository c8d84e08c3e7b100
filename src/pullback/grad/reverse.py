"""The reverse pass: back-propagation over the nodes that lead to some values. It knows no op."""

from collections.abc import Iterable, KeysView, Sequence

from pullback.base.errors import GradientError
from pullback.ir.mode import mode
from pullback.ir.node import Node, Value
from pullback.ir.origin import originating
from pullback.ir.program import Program, inline, record
from pullback.ops import accumulate, zeros_like


def nodes_behind(values: Iterable[Value]) -> tuple[list[Node], KeysView[Value]]:
    """The differentiable nodes that lead to these values, last made first, and the leaves that they start from."""
    nodes: set[Node] = set()
    leaves: dict[Value, None] = {}  # a set that keeps its order, so that programs are written alike every time
    todo = [value for value in values if value.requires_grad]
    while todo:
        value = todo.pop()
        if value.is_leaf or value.node is None:
            leaves[value] = None
        elif value.node not in nodes:
            nodes.add(value.node)
            todo.extend(x for x in value.node.inputs if x.requires_grad)
    return sorted(nodes, key=lambda node: node.serial, reverse=True), leaves.keys()


def reverse(
    outputs: Sequence[Value], gs: Sequence[Value], wanted: Iterable[Value], release: bool = False
) -> dict[Value, Value]:
    """The gradients of Σ outputs · gs at the wanted values that they depend on.

    Each node, from the last to the first, takes the gradient g at its output, which is complete by then, and adds
    its share to the gradient at each of its inputs: the chain rule, once per edge. With `release` the nodes let go
    of their inputs on the way.
    """
    kept = dict.fromkeys(wanted)
    gradients: dict[Value, Value] = {}
    nodes, leaves = nodes_behind(outputs)

    def add(value: Value, g: Value) -> None:
        total = accumulate(gradients[value], g) if value in gradients else g
        gradients[value] = total
        if mode.recorder is not None:  # so that emitted code can name them
            for found in {g, total}:
                found.gradient_of += (value,)

    def complete(value: Value) -> None:
        for hook in value.hooks or ():
            gradients[value] = hook(gradients[value]) or gradients[value]

    for value, g in zip(outputs, gs, strict=True):
        if value.requires_grad:
            add(value, g)
    for node in nodes:
        reached = [y for y in node.outputs if y is not None and y in gradients]
        if not reached:
            continue
        if node.released:
            raise GradientError(
                f"the backward pass has been through {node.op.name} ({node.origin}) already and has let go of what it "
                "needs; write backward(retain_graph=True) the first time to go through it again"
            )
        with originating(node.origin.backward_of(node)):
            for y in reached:
                complete(y)
            at_outputs = [gradients.get(y) if y is not None else None for y in node.outputs]
            for x, g_x in zip(node.inputs, node.op.pull(node, at_outputs), strict=True):
                if g_x is not None and x.requires_grad:
                    add(x, g_x)
        for y in reached:
            if y not in kept:
                del gradients[y]
        if release:
            node.release()
    for value in leaves:
        if value in gradients:
            complete(value)
    return {value: gradients[value] for value in kept if value in gradients}


def pullback_program(program: Program) -> Program:
    """The program that takes a program's inputs and the gradients at its outputs to the gradients at its inputs."""
    count = len(program.inputs)

    def backward(*values: Value) -> list[Value]:
        inputs, gs = values[:count], values[count:]
        for value, like in zip(inputs, program.inputs, strict=True):
            value.name = like.name
        with mode.holding(grad=True):
            outputs = inline(program, inputs)
            found = reverse(outputs, gs, inputs)
        return [found[x] if x in found else zeros_like(x) for x in inputs]

    types = [*(x.type for x in program.inputs), *(y.type for y in program.outputs)]
    return record(backward, types, differentiable=True)
