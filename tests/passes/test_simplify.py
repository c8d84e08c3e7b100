"""Every rule of simplification has rows, applies to them, comes to an end and leaves the numbers alone."""

import time

import numpy as np
import pytest
from hypothesis import given

import pullback as pb
from pullback import ops
from pullback.base.dtypes import float16, float32, float64
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
from tests.passes.rows_simplify import EXACT_ROWS, FLAGS, RELAXED_ROWS, M, V, filled
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


def test_every_rule_has_rows_for_each_of_its_ops() -> None:
    assert {row.rule for row in EXACT_ROWS} == {r.rewrite for r in EXACT_RULES}
    assert {row.rule for row in RELAXED_ROWS} == {r.rewrite for r in RELAXED_RULES}
    met: dict[Rewrite, set[str]] = {}
    for row in EXACT_ROWS + RELAXED_ROWS:
        met.setdefault(row.rule, set()).update(names(record(row.function, row.types)))
    assert {each.name: each.ops - met[each.rewrite] for each in RULES.values() if each.ops - met[each.rewrite]} == {}


# Rules that look right and are not, each with a row that shows it
def keep_nothing_of_zero(draft: Draft) -> Value | None:
    """x · 0 of floats, which is NaN for infinity."""
    return draft.inputs[1] if is_filled_with(draft.inputs[1], 0) else None


def take_zero_for_neutral(draft: Draft) -> Value | None:
    """x + 0, which turns −0 into 0."""
    return draft.inputs[0] if is_filled_with(draft.inputs[1], 0) else None


def cancel_difference(draft: Draft) -> Value | None:
    """x − x, which is NaN for infinity."""
    x, y = draft.inputs
    return fill(draft, 0) if x is y else None


def expect_equal(draft: Draft) -> Value | None:
    """x = x, which is false for NaN."""
    return fill(draft, True) if draft.inputs[0] is draft.inputs[1] else None


def forget_narrow_cast(draft: Draft) -> Value | None:
    """A cast to fewer bits and back."""
    inner = made_by(draft.inputs[0], "cast")
    return inner.inputs[0] if inner and inner.inputs[0].dtype is draft.params["dtype"] else None


def permute_in_wrong_order(draft: Draft) -> Value | None:
    """Axes of the outer permute taken through the inner one the wrong way round."""
    inner = made_by(draft.inputs[0], "permute")
    if inner is None:
        return None
    axes = tuple(draft.params["axes"][axis] for axis in inner.params["axes"])
    return draft.write(ops.permute, inner.inputs[0], axes=axes)


def flip_all(draft: Draft) -> Value | None:
    """The axes of both flips."""
    inner = made_by(draft.inputs[0], "flip")
    if inner is None:
        return None
    axes = tuple(sorted({*inner.params["axes"], *draft.params["axes"]}))
    return draft.write(ops.flip, inner.inputs[0], axes=axes)


def forget_to_swap(draft: Draft) -> Value | None:
    """where(¬c, x, y) as where(c, x, y)."""
    condition, x, y = draft.inputs
    inner = made_by(condition, "bitwise_not")
    return draft.write(ops.where, inner.inputs[0], x, y) if inner else None


def lose_the_sign_of_zero(draft: Draft) -> Value | None:
    """|x| as max(x, −x), which may be −0."""
    (x,) = draft.inputs
    return draft.write(ops.maximum, x, draft.write(ops.neg, x))


def divide_roughly(draft: Draft) -> Value | None:
    """A product with an inverse that was rounded to 16 bits."""
    return draft.write(ops.mul, draft.inputs[0], fill(draft, float(np.float16(1 / 3))))


CUBE = Type((3, 3, 3), float64)
WRONG: list[tuple[Rewrite, str, Row]] = [
    (keep_nothing_of_zero, "mul", Row(keep_nothing_of_zero, lambda x: [x * filled(0, x)], (M,), ["full"])),
    (take_zero_for_neutral, "add", Row(take_zero_for_neutral, lambda x: [x + filled(0, x)], (M,))),
    (cancel_difference, "sub", Row(cancel_difference, lambda x: [x - x], (V,), ["full"])),
    (expect_equal, "eq", Row(expect_equal, lambda x: [ops.eq(x, x)], (V,), ["full"])),
    (
        forget_narrow_cast,
        "cast",
        Row(forget_narrow_cast, lambda x: [ops.cast(ops.cast(x, dtype=float16), dtype=float32)], (M,)),
    ),
    (
        permute_in_wrong_order,
        "permute",
        Row(
            permute_in_wrong_order,
            lambda x: [ops.permute(ops.permute(x, axes=(1, 2, 0)), axes=(0, 2, 1))],
            (CUBE,),
            ["permute"],
        ),
    ),
    (flip_all, "flip", Row(flip_all, lambda x: [ops.flip(ops.flip(x, axes=(0, 1)), axes=(1, 2))], (CUBE,), ["flip"])),
    (
        forget_to_swap,
        "where",
        Row(forget_to_swap, lambda c, x, y: [ops.where(ops.bitwise_not(c), x, y)], (FLAGS, V, V), ["where"]),
    ),
    (lose_the_sign_of_zero, "abs", Row(lose_the_sign_of_zero, lambda x: [ops.abs_(x)], (M,), ["neg", "maximum"])),
    (divide_roughly, "div", Row(divide_roughly, lambda x: [x / filled(3.0, x)], (M,), ["full", "mul"])),
]


@pytest.mark.parametrize(("wrong", "op", "row"), WRONG, ids=lambda each: getattr(each, "__name__", ""))
def test_wrong_rules_are_caught(wrong: Rewrite, op: str, row: Row) -> None:
    before = record(row.function, row.types)
    after = rewrite(before, [rule(wrong, op)])
    assert [node.op.name for node in after.nodes] == row.after
    with pytest.raises(AssertionError):
        assert_same_bits(before, after)
    if wrong not in (take_zero_for_neutral, lose_the_sign_of_zero):  # which are fine as relaxed rules
        with pytest.raises(AssertionError):
            assert_close(before, after)


def test_a_rule_that_makes_another_type_is_named() -> None:
    def narrow(draft: Draft) -> Value | None:
        return draft.write(ops.cast, draft.inputs[0], dtype=float32)

    with pytest.raises(PullbackError, match="the rule narrow makes float32"):
        rewrite(record(lambda x: [ops.exp(x)], [V]), [rule(narrow, "exp")])


# What the rules do together
def names(program: Program) -> list[str]:
    return [node.op.name for node in program.nodes]


def test_hyperparameters_are_computed_as_single_numbers() -> None:
    def update(w: Value, rate: Value, decay: Value) -> list[Value]:
        large = ops.broadcast(ops.cast(ops.reshape(rate, shape=(1, 1)), dtype=float32), shape=(5, 8))
        factor = -(large * ops.broadcast(ops.cast(decay, dtype=float32), shape=(5, 8)) + 1.0)
        return [ops.reshape(factor, shape=(8, 5)) * w]

    after = simplify(record(update, [Type((8, 5), float32), Type((), float64), Type((), float64)]))
    assert [node.types[0].size for node in after.nodes if node.types[0].size > 1] == [40, 40]
    assert names(after)[-2:] == ["broadcast", "mul"]


def test_equal_nodes_stay_apart_and_nodes_that_become_equal_do_not() -> None:
    twice = simplify(record(lambda x: [ops.exp(x), ops.exp(x), -(ops.neg(x))], [V]))
    assert names(twice) == ["exp", "exp"]
    become = simplify(record(lambda x: [ops.exp(ops.neg(-x)), ops.exp(x * 1.0), ops.exp(x)], [V]))
    assert names(become) == ["exp"]


def test_names_and_origins_stay() -> None:
    @pb.compile(backend="reference")
    def step(x: pb.Tensor, w: pb.Tensor) -> pb.Tensor:
        return (x * 1.0 @ w.T.T).exp() / 3.0

    step(pb.ones(2, 3), pb.ones(3, 4))
    before = step.latest.program
    after = simplify(before)
    assert names(after) == ["matmul", "exp", "full", "mul"]
    assert [v.name for v in after.inputs] == [v.name for v in before.inputs]
    lines = {node.op.name: node.origin.line for node in before.nodes}
    assert {node.origin.line for node in after.nodes} == {lines["exp"]}


def test_twenty_thousand_nodes_take_less_than_a_second_each() -> None:
    def function(x: Value, s: Value) -> list[Value]:
        for i in range(1250):
            y = x * ops.broadcast(ops.cast(s, dtype=float32), shape=(5, 8)) + float(i)
            y = ops.permute(ops.permute(y, axes=(1, 0)), axes=(1, 0))
            y = ops.exp(-y) / 3.0
            x = ops.where(ops.lt(y, x), y, x * 1.0)
        return [x]

    program = record(function, [M, Type((), float64)])
    assert len(program.nodes) > 18_000
    start = time.process_time()
    simplify(program)
    assert time.process_time() - start < 3  # about 0.6 on a quiet machine


@given(random_programs())
def test_random_training_steps_keep_their_numbers(random: RandomProgram) -> None:
    inputs = random.tensors()
    for x in inputs:
        x.requires_grad_()
    state = pb.zeros((), dtype=pb.float64)
    step = pb.compile(lambda *xs: random.train(list(xs), state), backend="reference")
    step(*inputs)
    before, traced = step.latest.program, step.latest.traced
    arrays = [x.array() for x in inputs] + [x.array() for x in traced.state] + [np.asarray(r()) for r in traced.numbers]
    exact, all_rules = rewrite(before, EXACT_RULES), simplify(before)
    assert simplify(all_rules) is all_rules
    with np.errstate(all="ignore"):
        expected = interpret(before, arrays)
        for a, b, c in zip(expected, interpret(exact, arrays), interpret(all_rules, arrays), strict=True):
            assert a.tobytes() == b.tobytes()
            np.testing.assert_allclose(c.astype(float), a.astype(float), rtol=1e-3, atol=1e-5)
