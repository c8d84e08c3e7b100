"""Compute less: local rules, each a function of its own, in tables.

Exact rules leave every bit of ordinary numbers, infinities and zeros alone, and NaN a NaN; relaxed ones may change
last bits. Every rule has a row of tests.
"""

from pullback.ir.program import Program
from pullback.passes.arithmetic_rules import ARITHMETIC_RULES
from pullback.passes.movement_rules import MOVEMENT_RULES
from pullback.passes.relaxed_rules import RELAXED_RULES
from pullback.passes.rewrite import rewrite

EXACT_RULES = (*MOVEMENT_RULES, *ARITHMETIC_RULES)


def simplify(program: Program) -> Program:
    """The program after all rules, until none applies."""
    return rewrite(program, (*EXACT_RULES, *RELAXED_RULES))
