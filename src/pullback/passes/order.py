"""The passes in the order in which they run, each followed by the type check."""

from collections.abc import Callable, Mapping

from pullback.ir.program import Program, check_program
from pullback.passes.dead_code import drop_dead_code
from pullback.passes.dedupe import dedupe
from pullback.passes.inline_calls import inline_calls
from pullback.passes.lay_out_products import lay_out_products
from pullback.passes.loop_over_stacks import loop_over_stacks
from pullback.passes.prepare_loops import prepare_loops
from pullback.passes.simplify import simplify
from pullback.passes.trim_loops import trim_loops

PASSES: dict[str, Callable[[Program], Program]] = {
    "dedupe": dedupe,
    "drop_dead_code": drop_dead_code,
    "trim_loops": trim_loops,
}

# They may change last bits and what the program looks like, so only the native backend runs them. After `inline_calls`
# nothing may run that merges equal nodes which stood apart: that would undo checkpoints. In the body of a loop it may:
# what is made twice there is made for one turn, in memory that the next one uses again.
NATIVE_PASSES: dict[str, Callable[[Program], Program]] = {
    "inline_calls": inline_calls,
    "simplify": simplify,
    "loop_over_stacks": loop_over_stacks,
    "lay_out_products": lay_out_products,
    "prepare_loops": lambda program: prepare_loops(program, run_native_passes),
}


def run_passes(program: Program) -> Program:
    """The program after all passes; raises PullbackError when one breaks it."""
    return _run(PASSES, program)


def run_native_passes(program: Program) -> Program:
    """The program after all passes and then those for machine code; raises PullbackError when one breaks it."""
    return _run(NATIVE_PASSES, run_passes(program))


def _run(passes: Mapping[str, Callable[[Program], Program]], program: Program) -> Program:
    check_program(program)
    for run in passes.values():
        program = run(program)
        check_program(program)
    return program
