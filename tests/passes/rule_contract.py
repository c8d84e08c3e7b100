"""What a rule of simplification must hold: it applies where its row says, and the numbers stay."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pullback.base.dtypes import Array
from pullback.ir.node import Value
from pullback.ir.program import Program, check_program, record
from pullback.ir.types import Type
from pullback.ops import interpret
from pullback.passes.rewrite import Rewrite, Rule, rewrite

EXTREMES = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 2.0, -3.5, 0.1, 1e-3, 37.25, 1e4, -255.0, 0.5]


@dataclass(frozen=True)
class Row:
    """A program that a rule applies to, by the rule's function."""

    rule: Rewrite
    function: Callable[..., Sequence[Value]]
    types: tuple[Type, ...]
    after: list[str] = field(default_factory=list)  # the ops that are left, in order

    @property
    def name(self) -> str:
        """The rule, and the ops that are left."""
        return f"{self.rule.__name__}-{'-'.join(self.after)}"


def numbers(type: Type, seed: int) -> Array:
    """Ordinary and extreme numbers of a type, in an order that the seed gives."""
    rng = np.random.default_rng(seed)
    if type.dtype.kind == "bool":
        return rng.random(type.shape) < 0.5
    if type.dtype.kind == "int":
        limits = np.iinfo(type.dtype.numpy)
        extremes = [0, 1, 2, 3, 5, 100, limits.max, limits.min]
        return rng.choice(np.array(extremes, type.dtype.numpy), type.shape)
    mixed = np.where(rng.random(type.shape) < 0.6, rng.choice(EXTREMES, type.shape), rng.normal(size=type.shape) * 9)
    return mixed.astype(type.dtype.numpy)


def bits(array: Array) -> bytes:
    """The bytes, with one pattern for all NaN."""
    plain = np.array(array)
    if plain.dtype.kind not in "iub":
        plain[plain != plain] = np.nan
    return plain.tobytes()


def assert_same_bits(before: Program, after: Program, seeds: int = 6) -> None:
    """Both give equal bits on ordinary and extreme numbers."""
    _check_types(before, after)
    for seed in range(seeds):
        arrays = [numbers(value.type, seed * 100 + i) for i, value in enumerate(before.inputs)]
        with np.errstate(all="ignore"):
            pairs = list(zip(interpret(before, arrays), interpret(after, arrays), strict=True))
        for a, b in pairs:
            assert bits(a) == bits(b), f"{a} became {b} for {arrays}"


def assert_close(before: Program, after: Program, seeds: int = 6) -> None:
    """Both agree to a few last bits; NaN and infinity stay what they are."""
    _check_types(before, after)
    for seed in range(seeds):
        arrays = [numbers(value.type, seed * 100 + i) for i, value in enumerate(before.inputs)]
        with np.errstate(all="ignore"):
            pairs = list(zip(interpret(before, arrays), interpret(after, arrays), strict=True))
        for a, b in pairs:
            tolerance = 8 * np.finfo(a.dtype).eps if a.dtype.kind == "f" else 0
            np.testing.assert_allclose(b, a, rtol=tolerance, atol=0)


def _check_types(before: Program, after: Program) -> None:
    check_program(after)
    assert [v.type for v in after.inputs] == [v.type for v in before.inputs]
    assert [v.type for v in after.outputs] == [v.type for v in before.outputs]


def check_rule(row: Row, rule: Rule, same: Callable[[Program, Program], None]) -> None:
    """The rule, on its own, applies to the row's program and leaves its numbers alone."""
    before = record(row.function, row.types)
    after = rewrite(before, [rule])
    assert after is not before, "the rule does not apply"
    same(before, after)
    assert [node.op.name for node in after.nodes] == row.after
    assert rewrite(after, [rule]) is after, "the rule does not come to an end"
