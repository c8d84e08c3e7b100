"""What the ops mean where NumPy's own functions are not the whole story, and what they cost."""

import math

import numpy as np
import pytest

import pullback as pb
from pullback import ops
from pullback.base.dtypes import DTYPES, bfloat16, float32, float64, int64
from pullback.base.errors import DTypeError, ShapeError
from pullback.ir.node import OPS
from pullback.ir.types import Type


def run(name: str, *arrays: object, **params: object) -> np.ndarray:
    with np.errstate(all="ignore"):
        return OPS[name].run([np.asarray(a) for a in arrays], params)[0]


def test_erf_is_right_to_the_last_places() -> None:
    x = np.concatenate([np.linspace(-7, 7, 4001), [0.0, 1e-300, 1e-10, 1.0, -1.0, 6.0, 30.0]])
    exact = np.array([math.erf(v) for v in x])
    np.testing.assert_allclose(run("erf", x), exact, rtol=5e-16 * 4, atol=0)
    assert run("erf", np.array([np.inf, -np.inf])).tolist() == [1.0, -1.0]
    assert np.isnan(run("erf", np.array([np.nan])))[0]
    single = x.astype(np.float32)
    np.testing.assert_allclose(run("erf", single), [math.erf(v) for v in single], rtol=1.2e-7)


def test_sigmoid_at_the_far_ends() -> None:
    x = np.array([-1e4, -745.0, -40.0, 0.0, 40.0, 1e4])
    found = run("sigmoid", x)
    assert np.isfinite(found).all()
    assert found[0] == 0.0
    assert found[-1] == 1.0
    assert found[3] == 0.5
    np.testing.assert_allclose(found[2], math.exp(-40), rtol=1e-14)


@pytest.mark.parametrize("name", [d for d in DTYPES if d.startswith(("int", "uint"))])
def test_powers_of_integers(name: str) -> None:
    dtype = DTYPES[name].numpy
    base, exponent = np.array([0, 1, 2, 3], dtype), np.array([0, 5, 3, 2], dtype)
    found = run("pow", base, exponent)
    assert found.dtype == dtype
    assert found.tolist() == [1, 1, 8, 9]
    if name.startswith("int"):
        below = run("pow", np.array([1, -1, -1, 2, -3], dtype), np.array([-1, -1, -2, -1, -3], dtype))
        assert below.tolist() == [1, -1, 1, 0, 0]


def test_division_of_integers_by_zero_in_a_program_is_zero() -> None:
    assert run("floor_divide", np.array([5, -5]), np.array([0, 0])).tolist() == [0, 0]


def test_signs_of_remainders_and_quotients() -> None:
    x, y = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    assert run("remainder", x, y).tolist() == [1, 1, -1, -1]
    assert run("floor_divide", x, y).tolist() == [3, -4, -4, 3]
    floats = run("floor_divide", x / 1.0, y / 1.0) * y + run("remainder", x / 1.0, y / 1.0)
    assert floats.tolist() == x.tolist()


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16", "int32"])
def test_sign_keeps_its_dtype(name: str) -> None:
    dtype = DTYPES[name].numpy
    found = run("sign", np.array([-2, 0, 3]).astype(dtype))
    assert found.dtype == dtype
    assert found.astype(int).tolist() == [-1, 0, 1]


def test_argsort_is_stable_both_ways_and_puts_nan_last() -> None:
    x = np.array([2.0, 1.0, np.nan, 2.0, 1.0])
    assert run("argsort", x, axis=0, descending=False).tolist() == [1, 4, 0, 3, 2]
    assert run("argsort", x, axis=0, descending=True).tolist() == [2, 0, 3, 1, 4]


def test_scatter_lets_the_last_count_and_scatter_add_adds_in_order() -> None:
    x, index, updates = np.zeros(2), np.array([0, 0, 1]), np.array([1.0, 2.0, 3.0])
    assert run("scatter", x, index, updates, axis=0).tolist() == [2.0, 3.0]
    assert run("scatter_add", x, index, updates, axis=0).tolist() == [3.0, 3.0]
    big = np.float32([1e8, 1.0, -1e8])
    assert run("scatter_add", np.zeros(1, np.float32), np.zeros(3, np.int64), big, axis=0).tolist() == [0.0]


def test_casts() -> None:
    assert run("cast", np.array([1.9, -1.9]), dtype=int64).tolist() == [1, -1]
    halves = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8])  # halfway between two of bfloat16
    assert run("cast", halves, dtype=bfloat16).astype(float).tolist() == [1.0, 1 + 2.0**-6]


def test_full_takes_no_memory_for_its_copies() -> None:
    found = run("full", value=1.5, shape=(1000, 1000), dtype=float64)
    assert found.strides == (0, 0)
    assert found.shape == (1000, 1000)


def test_costs_of_a_matrix_product() -> None:
    x, y = Type((8, 4, 5), float32), Type((8, 5, 6), float32)
    assert OPS["matmul"].count_flops([x, y], {}) == 2 * 8 * 4 * 5 * 6
    assert OPS["matmul"].count_bytes([x, y], {}) == 4 * 8 * (4 * 5 + 5 * 6 + 4 * 6)


def test_moving_numbers_costs_no_arithmetic() -> None:
    x = Type((4, 6), float64)
    for name, params in (("reshape", {"shape": (24,)}), ("permute", {"axes": (1, 0)}), ("flip", {"axes": (0,)})):
        assert OPS[name].count_flops([x], params) == 0


WRONG = {
    "sum of halves": (
        lambda: ops.sum_.infer([Type((2,), bfloat16)], {"axes": (0,), "keepdims": False}),
        "must be cast first",
    ),
    "axis": (lambda: ops.sum_.infer([Type((2,), float32)], {"axes": (1,), "keepdims": False}), "do not all exist"),
    "max of none": (lambda: ops.amax.infer([Type((0,), float32)], {"axes": (0,), "keepdims": False}), "no elements"),
    "permute": (lambda: ops.permute.infer([Type((2, 3), float32)], {"axes": (0, 0)}), "each of the 2 axes once"),
    "broadcast": (lambda: ops.broadcast.infer([Type((2,), float32)], {"shape": (3,)}), "do not broadcast"),
    "pad": (
        lambda: ops.pad.infer([Type((2,), float32)], {"low": (-1,), "high": (0,), "inner": (0,), "value": 0}),
        "negative",
    ),
    "slice": (
        lambda: ops.slice_.infer([Type((2,), float32)], {"start": (0,), "stop": (3,), "step": (1,)}),
        "lie within",
    ),
    "gather": (lambda: ops.gather.infer([Type((2,), float32), Type((2,), float32)], {"axis": 0}), "index of int64"),
    "where": (lambda: ops.where.infer([Type((2,), float32)] * 3, {}), "condition of bools"),
    "random": (lambda: ops.random_bits.infer([Type((2,), int64)], {"shape": (2,)}), r"state int64\[3\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_rules_say_what_was_required_and_what_came(name: str) -> None:
    attempt, words = WRONG[name]
    with pytest.raises((ShapeError, DTypeError), match=words):
        attempt()


def test_nothing_warns_at_the_edges() -> None:
    x = pb.tensor([0.0, -1.0, float("inf"), float("nan"), 1e308], dtype=pb.float64)
    for function in (pb.log, pb.sqrt, pb.exp, pb.reciprocal, pb.rsqrt, pb.sinh, lambda x: x**-2.5, lambda x: x % 0):
        function(x)  # warnings are errors here
