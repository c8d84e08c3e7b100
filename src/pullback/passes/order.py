"""The passes in the order in which they run, each followed by the type check."""

from collections.abc import Callable

from pullback.ir.program import Program, check_program
from pullback.passes.dead_code import drop_dead_code
from pullback.passes.dedupe import dedupe

PASSES: dict[str, Callable[[Program], Program]] = {"dedupe": dedupe, "drop_dead_code": drop_dead_code}


def run_passes(program: Program) -> Program:
    """The program after all passes; raises PullbackError when one breaks it."""
    check_program(program)
    for simplify in PASSES.values():
        program = simplify(program)
        check_program(program)
    return program
