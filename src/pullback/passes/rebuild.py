"""Write a program anew, node by node."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pullback.ir.node import Value
from pullback.ir.program import Program, Recorder, recording

Unit = TypeVar("Unit")  # a node, or several that are made at once
# Old outputs, each with the new value in its place.
Made = Iterable[tuple[Value | None, Value]]


def rebuild(
    program: Program, units: Sequence[Unit], remake: Callable[[Unit, Callable[[Value], Value]], Made]
) -> Program:
    """The program with each of these nodes made again: `remake(node, new)` gives old outputs and new ones.

    `new` gives the value that stands for an old one. Names stay.
    """
    recorder = Recorder()
    found = recorder.inputs_of(program)
    with recording(recorder):
        for unit in units:
            for old, new in remake(unit, found.__getitem__):
                if old is not None:
                    found[old] = new
                    new.name = new.name or old.name
    outputs = tuple(found[y] for y in program.outputs)
    return Program(tuple(found[x] for x in program.inputs), tuple(recorder.nodes), outputs)
