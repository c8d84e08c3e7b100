"""Write out programs within programs, so that what they do is scheduled with all the rest."""

from collections.abc import Callable, Sequence

from pullback.ir.node import Node, Value
from pullback.ir.program import Program, Recorder, apply_again, recording
from pullback.passes.dead_code import drop_dead_code
from pullback.passes.dedupe import dedupe
from pullback.passes.rebuild import Made, rebuild


def inline_calls(program: Program) -> Program:
    """The program with the nodes of each called program in place of the call, and attached gradients left out.

    No gradient is taken of a finished program. What a checkpoint computes again stays computed again: programs are
    deduped before they are inlined, each for itself, and no pass after this one merges equal nodes that stood apart.
    """
    recorder = Recorder()
    with recording(recorder):
        inputs = list(recorder.inputs_of(program).values())
        outputs = tuple(_write_out(program, inputs))
    return drop_dead_code(Program(tuple(inputs), tuple(recorder.nodes), outputs))


def _write_out(program: Program, values: Sequence[Value]) -> list[Value]:
    """Apply the program's nodes to these values, and those of the programs that it calls; the outputs."""
    prepared = drop_dead_code(dedupe(_without_attached(program)))
    found = dict(zip(prepared.inputs, values, strict=True))
    for node in prepared.nodes:
        inputs = [found[x] for x in node.inputs]
        results = _write_out(node.params["program"], inputs) if node.op.name == "call" else apply_again(node, inputs)
        for old, new in zip(node.outputs, results, strict=True):
            if old is not None:
                found[old] = new
                new.name = new.name or old.name
    return [found[y] for y in prepared.outputs]


def _without_attached(program: Program) -> Program:
    """The program in which the results of a function stand for themselves, without the gradient written for them."""
    if all(node.op.name != "attach_gradient" for node in program.nodes):
        return program

    def remake(node: Node, new: Callable[[Value], Value]) -> Made:
        inputs = [new(x) for x in node.inputs]
        attached = node.op.name == "attach_gradient"
        return zip(
            node.outputs, inputs[node.params["inputs"] :] if attached else apply_again(node, inputs), strict=True
        )

    return rebuild(program, program.nodes, remake)
