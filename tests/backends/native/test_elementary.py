"""Elementary functions in machine code: how exact they are, what they make of special numbers, and that they are fast.

Rows say how exact each function is over all of float32, as measured by the slow tests here; docs/accuracy.md tells it.
"""

import math
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llvmlite import ir

from pullback.backends.native.elementary import EMITTERS, error_function, exponential, logarithm, trigonometric
from pullback.ir.node import OPS
from tests.backends.native.elementary_harness import (
    Loop,
    Reference,
    Worst,
    errors_in_ulp,
    loop_module,
    optimised,
    other_machine,
    single_errors,
    stratified,
    sweep,
    worst_single,
)

Array = Any

_PAGE = Path(__file__).parents[3] / "docs" / "accuracy.md"
_IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
_HAS_LONG_DOUBLE = np.finfo(np.longdouble).nmant > 60
_SINGLE_BAR, _DOUBLE_BAR = 2.0, 4.0
_LN_MAX, _LN_SMALLEST = math.log(2.0) * 128, math.log(2.0) * -126


def series_erf(x: Array) -> Array:
    """erf(x) = 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, whose terms have one sign, in long double."""
    x = np.clip(x.astype(np.longdouble), -7, 7)
    total, term = np.zeros_like(x), x
    for n in range(250):
        total = total + term
        term = term * (2 * x * x / (2 * n + 3))
    return 2 / np.sqrt(np.arctan(np.longdouble(1)) * 4) * np.exp(-x * x) * total


def erf(x: Array) -> Array:
    """Of float64 by the C library, where neither two terms nor 1 are exact enough."""
    if x.dtype == np.longdouble:
        return series_erf(x)
    size = np.abs(x)
    y = np.where(size < 1, 2 / math.sqrt(math.pi) * (x - x * x * x / 3), np.sign(x))
    middle = (size > 1e-4) & (size < 5)
    y[middle] = [math.erf(v) for v in x[middle].tolist()]
    return y


@dataclass(frozen=True)
class Row:
    """A function of one number.

    single, double: the largest error in ULP, of float32 over the whole range, of float64 in a sample.
    calls: whether float64 calls the C library.  hot: where most of the numbers of a network lie.
    """

    name: str
    reference: Reference
    single: float
    double: float
    calls: bool = False
    hot: tuple[float, float] = (-20.0, 20.0)


ROWS = (
    Row("exp", np.exp, 1.5, 2.0, hot=(-104.0, 90.0)),
    Row("log", np.log, 0.93, 1.0, hot=(0.0, 4.0)),
    Row("tanh", np.tanh, 1.86, 2.5),
    Row("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 1.67, 2.0, hot=(-104.0, 40.0)),
    Row("erf", erf, 1.82, 2.0, hot=(-5.0, 5.0)),
    Row("rsqrt", lambda x: 1 / np.sqrt(x), 1.5, 1.6, hot=(0.0, 4.0)),
    Row("expm1", np.expm1, 1.53, 2.0, hot=(-20.0, 90.0)),
    Row("log1p", np.log1p, 1.53, 2.0, hot=(-1.0, 4.0)),
    Row("atan", np.arctan, 1.4, 1.5),
    Row("sin", np.sin, 1.68, 1.0, calls=True),
    Row("cos", np.cos, 1.58, 1.0, calls=True),
)
NAMES = {row.name: row for row in ROWS}
rows = pytest.mark.parametrize("row", ROWS, ids=NAMES)
ODD = "tanh erf expm1 log1p atan sin".split()


def single_sample(row: Row) -> Array:
    """About 2²¹ float32: of all exponents, and of where it matters most."""
    rng = np.random.default_rng(0)
    hot = rng.uniform(*row.hot, 1 << 19)
    near = np.exp(rng.uniform(-8, 8, 1 << 18)) * rng.choice([-1.0, 1.0], 1 << 18)
    return np.concatenate([stratified(1 << 20), hot.astype(np.float32), near.astype(np.float32)])


def special_numbers(dtype: Any) -> Array:
    """Zeros, ones, the ends of the range, NaN of several kinds, and where exp becomes 0 or ∞, with their neighbours."""
    info, kind = np.finfo(dtype), f"u{np.dtype(dtype).itemsize}"
    ends = [info.max, info.smallest_normal, info.eps, 1.0, math.sqrt(0.5), 0.5, 2.0]
    if dtype is np.float32:
        ends += [_LN_MAX, -_LN_MAX, _LN_SMALLEST, -_LN_SMALLEST, 88.0, 89.0, 88.8, 10.0, 20.0, 3.95]
    else:
        ends += [709.782712893384, 708.3964185322641, 708.8, 709.9, 710.0, 40.0, 5.95]
    base = np.array([*ends, 0.0, math.inf], dtype)
    with np.errstate(over="ignore"):
        base = np.concatenate([base, np.nextafter(base[:-1], dtype(math.inf)), np.nextafter(base[:-1], dtype(-1))])
    payload = np.array([math.nan], dtype).view(kind) | np.arange(1, 4, dtype=kind)
    nans = np.concatenate([np.array([math.nan, -math.nan], dtype), payload.view(dtype)])
    numbers = np.concatenate([base, -base, nans])
    return numbers[~(np.abs(numbers) < info.smallest_normal) | (numbers == 0)]


def meaning(name: str, *xs: Array) -> Array:
    """What the op is in NumPy."""
    with np.errstate(all="ignore"):
        return OPS[name].run(xs, {})[0]


# How exact
@rows
def test_float32_is_within_its_bound(row: Row) -> None:
    worst = worst_single(Loop(EMITTERS[row.name], np.float32), row.reference, single_sample(row))
    assert worst.ulp <= row.single <= _SINGLE_BAR, worst


@pytest.mark.skipif(not _IS_X86, reason="the control word is written for x86")
@rows
def test_float32_with_denormals_flushed_is_within_the_same_bound(row: Row) -> None:
    worst = worst_single(Loop(EMITTERS[row.name], np.float32, flush=True), row.reference, single_sample(row))
    assert worst.ulp <= row.single, worst


@pytest.mark.skipif(not _HAS_LONG_DOUBLE, reason="long double has no more digits than float64 here")
@rows
def test_float64_is_within_its_bound(row: Row) -> None:
    rng = np.random.default_rng(0)
    near = np.exp(rng.uniform(-8, 8, 1 << 15)) * rng.choice([-1.0, 1.0], 1 << 15)
    x = np.concatenate([stratified(1 << 15, np.float64), rng.uniform(*row.hot, 1 << 16), near, 1 + near * 1e-3])
    x = x[~(np.abs(x) < np.finfo(np.float64).smallest_normal)]
    if row.calls:
        x = x[np.abs(x) < 1e15]
    with np.errstate(all="ignore"):
        exact = row.reference(x.astype(np.longdouble))
    error = errors_in_ulp(Loop(EMITTERS[row.name], np.float64)(x), exact, np.float64)
    i = int(np.argmax(error))
    assert error[i] <= row.double <= _DOUBLE_BAR, Worst(float(error[i]), (float(x[i]),))


@pytest.mark.slow
@pytest.mark.parametrize("name", "exp log tanh sigmoid erf rsqrt".split())
def test_every_float32_is_within_the_bound(name: str, record_property: Any) -> None:
    row = NAMES[name]
    worst = sweep(Loop(EMITTERS[name], np.float32), row.reference)
    record_property("worst", str(worst))
    assert worst.ulp <= row.single, worst


def test_the_page_tells_these_bounds() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    told = re.findall(r"^\| (\w+) \| ([\d.]+) \|[^|]*\| ([\d.]+) \|", page, re.MULTILINE)
    measured = {name: (float(single), float(double)) for name, single, double in told}
    assert set(measured) == set(EMITTERS)
    for row in ROWS:
        single, double = measured[row.name]
        assert single <= row.single <= single + 0.01, row.name
        assert double <= row.double <= double + 1, row.name


# Special numbers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("flush", [False, pytest.param(True, marks=pytest.mark.skipif(not _IS_X86, reason="x86"))])
@rows
def test_special_numbers_are_as_numpy_has_them(row: Row, dtype: Any, flush: bool) -> None:
    x = special_numbers(dtype)
    if row.calls and flush:
        x = x[~(np.abs(x) < 1e-300)]  # the C library's own arithmetic would be flushed, too
    y, wanted = Loop(EMITTERS[row.name], dtype, flush=flush)(x), meaning(row.name, x)
    with np.errstate(all="ignore"):
        exact = wanted if dtype is np.float64 else row.reference(x.astype(np.float64))
    error = errors_in_ulp(y, exact, dtype)
    # An exact float64 is not at hand everywhere: NumPy's own may be 1 ULP off.
    bound = row.single if dtype is np.float32 else row.double + 1
    for i in np.flatnonzero(error > bound):
        pytest.fail(f"{row.name}({x[i]!r}) is {y[i]!r}, not {wanted[i]!r}")
    numbers = ~np.isnan(wanted) & (y != 0) | (x == 0)
    np.testing.assert_array_equal(np.signbit(y[numbers]), np.signbit(wanted[numbers]))
    np.testing.assert_array_equal(np.isnan(y), np.isnan(wanted))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_are_known(dtype: Any) -> None:
    inf, nan = math.inf, math.nan
    known = {
        "exp": [(-inf, 0.0), (0.0, 1.0), (-0.0, 1.0), (inf, inf), (1e5, inf), (-1e5, 0.0)],
        "log": [(0.0, -inf), (-0.0, -inf), (1.0, 0.0), (inf, inf), (-1.0, nan), (-inf, nan)],
        "sigmoid": [(-inf, 0.0), (-1e5, 0.0), (0.0, 0.5), (1e5, 1.0), (inf, 1.0)],
        "tanh": [(-inf, -1.0), (inf, 1.0), (0.0, 0.0), (-0.0, -0.0), (1e5, 1.0)],
        "erf": [(-inf, -1.0), (inf, 1.0), (0.0, 0.0), (-0.0, -0.0), (1e5, 1.0)],
        "rsqrt": [(0.0, inf), (-0.0, -inf), (1.0, 1.0), (4.0, 0.5), (inf, 0.0), (-1.0, nan)],
        "expm1": [(-inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (inf, inf)],
        "log1p": [(-1.0, -inf), (-0.0, -0.0), (0.0, 0.0), (inf, inf), (-2.0, nan)],
        "atan": [(inf, math.pi / 2), (-inf, -math.pi / 2), (-0.0, -0.0), (1.0, math.pi / 4)],
        "sin": [(0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)],
        "cos": [(0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan)],
    }
    assert known.keys() == NAMES.keys()
    for name, values in known.items():
        x, wanted = np.array(values, dtype).T
        y = Loop(EMITTERS[name], dtype)(x)
        np.testing.assert_array_equal(y, wanted, err_msg=name)
        np.testing.assert_array_equal(np.signbit(y[y == 0]), np.signbit(wanted[y == 0]), err_msg=name)


@pytest.mark.parametrize("name", ODD)
def test_odd_functions_are_odd_to_the_bit(name: str) -> None:
    if name in ("expm1", "log1p"):
        pytest.skip("keeps the sign of 0, but is not odd")
    x = np.abs(single_sample(NAMES[name]))
    loop = Loop(EMITTERS[name], np.float32)
    np.testing.assert_array_equal(loop(-x), -loop(x))


# pow
_BASES = [0.0, 1.0, 2.0, 0.5, 3.0, 2.5, 33.0, 1.5, math.inf, 1e30, 1e-30, 16777216.0, 16777217.0, 1.0000001, 0.9999999]
_CORNERS = np.array([sign * v for v in _BASES for sign in (1.0, -1.0)] + [math.nan], np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pow_at_the_corners_is_as_numpy_has_it(dtype: Any) -> None:
    x, y = (v.ravel().astype(dtype) for v in np.meshgrid(_CORNERS, _CORNERS))
    z, wanted = Loop(EMITTERS["pow"], dtype, 2)(x, y), meaning("pow", x, y)
    z[np.abs(z) < np.finfo(dtype).smallest_normal] *= 0
    wanted[np.abs(wanted) < np.finfo(dtype).smallest_normal] *= 0
    np.testing.assert_array_max_ulp(np.nan_to_num(z), np.nan_to_num(wanted), 2)
    for check in (np.isnan, np.isinf):
        np.testing.assert_array_equal(check(z), check(wanted))
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(z[numbers]), np.signbit(wanted[numbers]))


@pytest.mark.parametrize("flush", [False, pytest.param(True, marks=pytest.mark.skipif(not _IS_X86, reason="x86"))])
def test_pow_of_float32_is_within_its_bound(flush: bool) -> None:
    rng, n = np.random.default_rng(0), 1 << 17
    bases = [
        np.exp(rng.normal(0, 3, n)),
        rng.normal(0, 3, n),
        1 + rng.normal(0, 1e-3, n),
        np.exp(rng.uniform(-87, 88, n)),
    ]
    exponents = [rng.normal(0, 5, n), np.round(rng.normal(0, 9, n)), rng.normal(0, 1e4, n), rng.uniform(-2, 2, n)]
    x, y = (np.concatenate(v).astype(np.float32) for v in (bases, exponents))
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), y.astype(np.float64))
    error = single_errors(Loop(EMITTERS["pow"], np.float32, 2, flush=flush)(x, y), exact)
    i = int(np.argmax(error))
    assert error[i] <= 0.51, Worst(float(error[i]), (float(x[i]), float(y[i])))


# Vectors
def assert_vectorised(text: str, assembly: str) -> None:
    """The loop works on vectors, and calls nothing."""
    calls = re.findall(r"call [^@]*@([\w.]+)", text)
    assert [name for name in calls if not name.startswith("llvm.")] == []
    assert re.search(r"<\d+ x (float|double)>", text)
    packed = (
        r"\bv\w+p[sd]\b.*%[yz]mm" if "mm0" in assembly else r"\bfmla\b.*\bv\d+\.[24][sd]|\bfdiv\b.*\bv\d+\.[24][sd]"
    )
    assert re.search(packed, assembly)
    assert not re.search(r"^\s+(call|bl\b|blr\b)", assembly, re.MULTILINE)


@pytest.mark.parametrize("name", EMITTERS)
def test_float32_is_vectorised(name: str) -> None:
    loop = Loop(EMITTERS[name], np.float32, 2 if name == "pow" else 1)
    assert_vectorised(loop.text, loop.assembly)


@rows
def test_float64_is_vectorised_where_it_does_not_call(row: Row) -> None:
    if not row.calls:
        loop = Loop(EMITTERS[row.name], np.float64)
        assert_vectorised(loop.text, loop.assembly)


@pytest.mark.parametrize(
    ("triple", "cpu"), [("x86_64-unknown-linux-gnu", "haswell"), ("aarch64-linux-gnu", "cortex-a76")]
)
@pytest.mark.parametrize("name", EMITTERS)
def test_it_is_vectorised_for_other_processors(name: str, triple: str, cpu: str) -> None:
    machine = other_machine(triple, cpu)
    module = optimised(loop_module(EMITTERS[name], np.float32, 2 if name == "pow" else 1), machine)
    assert_vectorised(str(module), machine.emit_assembly(module))


def test_other_types_are_refused() -> None:
    function = ir.Function(ir.Module("m"), ir.FunctionType(ir.VoidType(), [ir.HalfType()]), "f")
    b = ir.IRBuilder(function.append_basic_block("entry"))
    with pytest.raises(TypeError, match="float or double, not half"):
        EMITTERS["exp"](b, function.args[0])


# The checks can fail
_FAULTS = [
    ("exp", exponential, "_RISING_SINGLE", 1, 1e-5),
    ("tanh", exponential, "_CENTRED_SINGLE", 0, 1e-5),
    ("sigmoid", exponential, "_CENTRED_SINGLE", 1, 1e-5),
    ("expm1", exponential, "_CENTRED_SINGLE", 2, 1e-4),
    ("log", logarithm, "_CUBIC_SINGLE", 3, 1e-4),
    ("log1p", logarithm, "_CUBIC_SINGLE", 0, 1e-5),
    ("erf", error_function, "_LOG_SINGLE", 2, 1e-4),
    ("atan", trigonometric, "_ATAN_SINGLE", 1, 1e-4),
    ("sin", trigonometric, "_SIN_SINGLE", 0, 1e-5),
    ("cos", trigonometric, "_COS_SINGLE", 0, 1e-4),
]


@pytest.mark.parametrize(("name", "module", "table", "i", "off"), _FAULTS, ids=[fault[0] for fault in _FAULTS])
def test_a_wrong_coefficient_is_found(
    name: str, module: Any, table: str, i: int, off: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    coefficients = list(getattr(module, table))
    coefficients[i] *= 1 + off
    monkeypatch.setattr(module, table, tuple(coefficients))
    row = NAMES[name]
    assert worst_single(Loop(EMITTERS[name], np.float32), row.reference, single_sample(row)).ulp > _SINGLE_BAR


def test_a_call_is_found() -> None:
    def calls(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
        kind = ir.FunctionType(x.type, [x.type])
        return b.call(ir.Function(b.module, kind, "sinf"), [x])

    loop = Loop(calls, np.float32)
    with pytest.raises(AssertionError, match="sinf"):
        assert_vectorised(loop.text, loop.assembly)


def test_one_wrong_number_is_found_by_the_sweep() -> None:
    loop = Loop(EMITTERS["exp"], np.float32)

    def wrong_once(x: Array) -> Array:
        y = loop(x)
        y[x == np.float32(1.5)] = np.float32(4.481688)
        return y

    first = int(np.float32(1.5).view(np.uint32)) - 1000
    assert sweep(loop, np.exp, first, first + 300_000).ulp < _SINGLE_BAR
    worst = sweep(wrong_once, np.exp, first, first + 300_000)
    assert worst.ulp > _SINGLE_BAR
    assert worst.arguments == (1.5,)


def test_errors_are_counted_in_ulp() -> None:
    exact = np.array([1.0, 1.0, 0.5, 1e-40, 1e-40, math.inf, 1e39, 1.0, math.nan, math.nan, 3.4e38])
    off = [1.0, 1.0 + 2.0**-22, 0.5 - 2.0**-24, 0.0, 1e-30, math.inf, math.inf, math.nan, math.nan, 1.0, math.inf]
    wanted = [0.0, 2.0, 1.0, 0.0, np.inf, 0.0, 0.0, np.inf, 0.0, np.inf, np.inf]
    y = np.array(off, np.float32)
    for count in (errors_in_ulp(y, exact, np.float32), single_errors(y, exact)):
        found = np.where(count > 1e6, np.inf, count)
        np.testing.assert_array_equal(found, wanted)
