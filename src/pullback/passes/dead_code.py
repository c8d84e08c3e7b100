"""Leave out what the outputs do not need."""

from pullback.ir.program import Program, live_nodes


def drop_dead_code(program: Program) -> Program:
    """The program without the nodes that its outputs do not depend on."""
    return Program(program.inputs, live_nodes(program.nodes, program.outputs), program.outputs)
