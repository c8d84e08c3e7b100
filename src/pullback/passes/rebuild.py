"""Write a program anew, node by node."""

from collections.abc import Callable, Iterable, Sequence

from pullback.ir.node import Node, Value
from pullback.ir.program import Program, Recorder, recording

# From a node and its new inputs to its old outputs, each with the new value in its place.
Remake = Callable[[Node, Callable[[Value], Value]], Iterable[tuple[Value | None, Value]]]


def rebuild(program: Program, nodes: Sequence[Node], remake: Remake) -> Program:
    """The program with each of these nodes made again: `remake(node, new)` gives old outputs and new ones.

    `new` gives the value that stands for an old one. Names stay.
    """
    recorder = Recorder()
    found = recorder.inputs_of(program)
    with recording(recorder):
        for node in nodes:
            for old, new in remake(node, found.__getitem__):
                if old is not None:
                    found[old] = new
                    new.name = new.name or old.name
    outputs = tuple(found[y] for y in program.outputs)
    return Program(tuple(found[x] for x in program.inputs), tuple(recorder.nodes), outputs)
