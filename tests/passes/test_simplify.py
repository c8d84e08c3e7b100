"""Every rule of simplification has rows, applies to them, comes to an end and leaves the numbers alone."""

import time

import numpy as np
import pytest
from hypothesis import given

import pullback as pb
from pullback import ops
from pullback.base.dtypes import float16, float32, float64, int64
from pullback.base.errors import PullbackError
from pullback.ir.node import Value
from pullback.ir.program import Program, record
from pullback.ir.types import Type
from pullback.ops import interpret
from pullback.passes.arithmetic_rules import fill, is_filled_with
from pullback.passes.movement_rules import made_by
from pullback.passes.relaxed_rules import RELAXED_RULES
from pullback.passes.rewrite import Draft, Rewrite, rewrite, rule
from pullback.passes.simplify import EXACT_RULES, simplify
from tests.backends.random_programs import RandomProgram, random_programs
from tests.passes.rows_simplify import EXACT_ROWS, RELAXED_ROWS, M, V, filled
from tests.passes.rule_contract import Row, assert_close, assert_same_bits, check_rule

RULES = {r.rewrite: r for r in (*EXACT_RULES, *RELAXED_RULES)}


@pytest.mark.parametrize("row", EXACT_ROWS, ids=lambda row: row.name)
def test_exact_rules_keep_every_bit(row: Row) -> None:
    check_rule(row, RULES[row.rule], assert_same_bits)


@pytest.mark.parametrize("row", RELAXED_ROWS, ids=lambda row: row.name)
def test_relaxed_rules_keep_the_numbers(row: Row) -> None:
    check_rule(row, RULES[row.rule], assert_close)


@pytest.mark.parametrize("row", EXACT_ROWS + RELAXED_ROWS, ids=lambda row: row.name)
def test_all_rules_together_leave_no_more_than_one_does(row: Row) -> None:
    before = record(row.function, row.types)
    after = simplify(before)
    assert_close(before, after)
    assert simplify(after) is after


def test_every_rule_has_rows_and_each_of_its_ops_is_met() -> None:
    assert {row.rule for row in EXACT_ROWS} == {r.rewrite for r in EXACT_RULES}
    assert {row.rule for row in RELAXED_ROWS} == {r.rewrite for r in RELAXED_RULES}
    assert len({r.name for r in RULES.values()}) == len(RULES)
