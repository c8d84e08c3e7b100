"""The passes, with a record of which value of the traced program each value of the finished one stands for."""

from pullback.ir.node import Value
from pullback.ir.program import Program
from pullback.passes import run_passes


def after_passes(program: Program) -> tuple[Program, dict[Value, Value]]:
    """The program after all passes, and for each of its values the one of the program before, where there is one.

    Passes carry the names of values along; that is how they are known again.
    """
    before = [*program.inputs, *(v for node in program.nodes for v in node.outputs if v is not None)]
    names = [value.name for value in before]
    for place, value in enumerate(before):
        value.name = f"#{place}"
    try:
        finished = run_passes(program)
    finally:
        for value, name in zip(before, names, strict=True):
            value.name = name
    known = {f"#{place}": value for place, value in enumerate(before)}
    after = [*finished.inputs, *(v for node in finished.nodes for v in node.outputs if v is not None)]
    origins = {value: known[value.name] for value in after if value.name in known}
    for value in after:
        value.name = origins[value].name if value in origins else value.name
    return finished, origins
