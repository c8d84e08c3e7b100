"""Elementary functions in LLVM IR, against NumPy's meaning in float64 (float32) and long double (float64).

An error is counted in units in the last place (ULP) of the exact value, which are those of float32 or float64 in its
binade. Numbers below the smallest normal one may be read and given as 0.
"""

import ctypes
import dataclasses
import functools
import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from pullback.backends.native import transcendental, transcendental_arithmetic
from pullback.backends.native.transcendental import EMITTERS
from pullback.backends.native.transcendental_formats import FLOAT32, FLOAT64, TANH_TAIL, Format
from pullback.ir.node import OPS

Array = Any
X86 = platform.machine().lower() in ("x86_64", "amd64")
HOT = ("exp", "log", "tanh", "sigmoid", "erf", "rsqrt")
WIDE = np.longdouble
EXACT_WIDE = np.finfo(WIDE).nmant > 60  # where long double is no wider, the reference itself is off by half a ULP


@dataclass(frozen=True)
class Row:
    """A function: what it should be, and the largest error in float32 and float64, measured and rounded up."""

    exact: Callable[..., Array]
    float32: float
    float64: float
    inputs: int = 1


def _erf(x: Array) -> Array:
    if x.dtype == np.float64:
        return OPS["erf"].meaning(x)
    return np.array([math.erf(value) for value in x.tolist()], WIDE)  # the C library's, right to a ULP of float64


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


ROWS = {
    "exp": Row(np.exp, 0.9, 1.0),
    "expm1": Row(np.expm1, 1.7, 2.0),
    "log": Row(np.log, 0.95, 1.0),
    "log1p": Row(np.log1p, 1.55, 1.5),
    "rsqrt": Row(lambda x: 1 / np.sqrt(x), 1.5, 1.5),
    "sin": Row(np.sin, 0.51, 1.0),
    "cos": Row(np.cos, 0.51, 1.0),
    "atan": Row(np.arctan, 1.4, 1.0),
    "tanh": Row(np.tanh, 1.45, 3.0),
    "sigmoid": Row(_sigmoid, 1.9, 2.0),
    "erf": Row(_erf, 1.1, 2.5),
    "pow": Row(np.power, 0.51, 1.0, inputs=2),
}


# Loops over an emitted function
def loop_over(name: str, format: Format, flushed: bool = False) -> str:
    """A module with `for i in range(n): y[i] = f(x[i])`; flushed: denormals count as 0 while it runs (on x86)."""
    module, pointer, index = ir.Module("loop"), ir.PointerType(), ir.IntType(64)
    inputs = ROWS[name].inputs
    kind = ir.FunctionType(ir.VoidType(), [pointer] * (inputs + 1) + [index])
    function = ir.Function(module, kind, "loop")
    *arrays, count = function.args
    for array in arrays:
        array.add_attribute("noalias")
    blocks = [function.append_basic_block(label) for label in ("entry", "body", "end")]
    b = ir.IRBuilder(blocks[0])
    mode = _set_mode(b, b.alloca(ir.IntType(32), 2)) if flushed else None
    b.cbranch(b.icmp_signed(">", count, index(0)), *blocks[1:])
    b.position_at_end(blocks[1])
    i = b.phi(index)
    places = [b.gep(array, [i], source_etype=format.number) for array in arrays]
    y = EMITTERS[name](b, *(b.load(place, typ=format.number) for place in places[:-1]))
    b.store(y, places[-1])
    after = b.add(i, index(1))
    i.add_incoming(index(0), blocks[0])
    i.add_incoming(after, blocks[1])
    b.cbranch(b.icmp_signed("<", after, count), *blocks[1:])
    b.position_at_end(blocks[2])
    if mode:
        _mode_call(b, "ldmxcsr", mode)
    b.ret_void()
    return str(module)


def _mode_call(b: ir.IRBuilder, name: str, place: ir.Value) -> None:
    kind = ir.FunctionType(ir.VoidType(), [ir.PointerType()])
    name = f"llvm.x86.sse.{name}"
    b.call(b.module.globals.get(name) or ir.Function(b.module, kind, name), [place])


def _set_mode(b: ir.IRBuilder, places: ir.Value) -> ir.Value:
    """Flush denormals; where the mode before is kept."""
    word = ir.IntType(32)
    _mode_call(b, "stmxcsr", places)
    wanted = b.gep(places, [word(1)], source_etype=word)
    b.store(b.or_(b.load(places, typ=word), word(0x8040)), wanted)
    _mode_call(b, "ldmxcsr", wanted)
    return places


def _machine(processor: str | None = None) -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten() if processor is None else ""
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=processor or llvm.get_host_cpu_name(), features=features, opt=3, codemodel="jitdefault"
    )


def _optimised(text: str, machine: Any) -> Any:
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


class Loop:
    """A compiled loop."""

    def __init__(self, name: str, format: Format, flushed: bool = False) -> None:
        machine = _machine()
        self._engine = llvm.create_mcjit_compiler(_optimised(loop_over(name, format, flushed), machine), machine)
        self._engine.finalize_object()
        arguments = [ctypes.c_void_p] * (ROWS[name].inputs + 1) + [ctypes.c_int64]
        self._call = ctypes.CFUNCTYPE(None, *arguments)(self._engine.get_function_address("loop"))

    def __call__(self, *xs: Array) -> Array:
        """The function of each number."""
        y = np.empty_like(xs[0])
        self._call(*(x.ctypes.data for x in xs), y.ctypes.data, y.size)
        return y


@functools.cache
def compiled(name: str, format: Format, flushed: bool = False) -> Loop:
    """The loop over a function; each is compiled once."""
    return Loop(name, format, flushed)


# Errors
def errors(y: Array, exact: Array) -> Array:
    """How far each y lies from the exact value, in ULP; infinity where one is NaN or of another sign and not both are.

    A zero may stand for a value below the normal numbers.
    """
    with np.errstate(all="ignore"):
        error = np.abs(y - exact)
        error /= _unit(exact, np.finfo(y.dtype))
        plain = (error < 1e6) & (y != 0)
        if not plain.all():
            odd = ~plain
            error[odd] = _odd_errors(error[odd], y[odd], exact[odd])
    return error.astype(np.float64, copy=False)


def _unit(exact: Array, info: Any) -> Array:
    """The distance between neighbours of the smaller format where the exact values are."""
    if exact.dtype == np.float64:
        binade = (exact.view(np.int64) & (0x7FF << 52)).view(np.float64)
    else:
        binade = np.ldexp(WIDE(1), np.frexp(exact)[1] - 1)
    return np.clip(binade, info.tiny, np.ldexp(exact.dtype.type(1), info.maxexp - 1)) * info.eps


def _odd_errors(error: Array, y: Array, exact: Array) -> Array:
    """What counts where one is 0, infinite or NaN, or far from the other."""
    nearest = exact.astype(y.dtype)
    fits = np.isnan(exact) & np.isnan(y) | np.isinf(nearest) & (nearest == y)
    fits |= (y == 0) & (exact != 0) & (np.abs(exact) < np.finfo(y.dtype).tiny)
    wrong = np.isnan(error) | (np.signbit(y) != np.signbit(nearest))
    return np.where(fits, 0, np.where(wrong, np.inf, error))


def measured(name: str, format: Format, *xs: Array, flushed: bool = False, loop: Loop | None = None) -> Array:
    """The error at each argument; where that is no normal number, the smaller of the errors for it and for ±0."""
    y = (loop or compiled(name, format, flushed))(*xs)
    kind = np.float64 if format is FLOAT32 else WIDE
    exact = ROWS[name].exact
    with np.errstate(all="ignore"):
        error = errors(y, exact(*(x.astype(kind) for x in xs)))
        tiny = functools.reduce(np.logical_or, [(np.abs(x) < np.finfo(x.dtype).tiny) & (x != 0) for x in xs])
        if tiny.any():
            zeros = [np.where(np.abs(x) < np.finfo(x.dtype).tiny, x * x.dtype.type(0), x)[tiny] for x in xs]
            error[tiny] = np.minimum(error[tiny], errors(y[tiny], exact(*(x.astype(kind) for x in zeros))))
    return error


def assert_close(limit: float, error: Array, *xs: Array) -> None:
    """No error above the limit."""
    worst = int(np.argmax(error))
    assert error[worst] <= limit, f"{error[worst]:.3f} ULP at {[float(x[worst]) for x in xs]}, limit {limit}"


# Arguments
def float32_sample(each: int = 2048) -> Array:
    """So many numbers of each sign and exponent, whose mantissas are spread evenly."""
    width = (1 << 23) // each
    starts = np.arange(512 * each, dtype=np.uint64) * width
    return (starts + np.random.default_rng(0).integers(0, width, starts.size)).astype(np.uint32).view(np.float32)


def float64_sample(count: int) -> Array:
    """Numbers of all exponents, many within 2¹¹, many around 1."""
    rng = np.random.default_rng(0)
    anything = rng.integers(0, 1 << 64, count, dtype=np.uint64).view(np.float64)
    usual = np.ldexp(rng.uniform(-1, 1, count), rng.integers(-30, 11, count))
    return np.concatenate([anything, usual, 1 + np.ldexp(rng.uniform(-1, 1, count), rng.integers(-50, 1, count))])


def special_values(kind: Any) -> Array:
    """Zeros, infinities, NaNs, ends of ranges, and numbers around the places where a function changes."""
    info = np.finfo(kind)
    ends = [math.log(info.max), math.log(info.tiny), 17.0, 88.0, 104.0, 709.0, 746.0, info.max, info.tiny, 2.0**-149]
    turns = [0.5, 0.6, 2 / 3, math.sqrt(0.5), 1.0, 4 / 3, math.sqrt(2), 2.0, 3.0, 4.0, 6.0, math.pi, 1 / info.eps]
    with np.errstate(all="ignore"):
        centres = np.array(ends + turns, kind)
        near = [np.nextafter(centres, kind(0)), centres, np.nextafter(centres, kind(np.inf))]
        positive = np.concatenate([np.array([0, np.inf, np.nan], kind), *near])
    payloads = np.array([0x7FC001FF, 0x7F800001, 0xFFC12345], np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):
        return np.concatenate([positive, -positive, payloads.astype(kind)])


def pairs(values: Array) -> tuple[Array, Array]:
    """Every value with every other."""
    x, y = np.meshgrid(values, values)
    return np.ascontiguousarray(x.ravel()), np.ascontiguousarray(y.ravel())


def power_sample(kind: Any, count: int = 1 << 18) -> tuple[Array, Array]:
    """Bases and exponents: ones whose power is in range, whole ones, any."""
    rng = np.random.default_rng(0)
    small, whole = np.exp(rng.normal(size=count)), rng.integers(-9, 10, (2, count))
    bits = rng.integers(0, 1 << 32, (2, count), dtype=np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        base = np.concatenate([small, whole[0], bits[0]]).astype(kind)
        return base, np.concatenate([rng.normal(size=count) * 20, whole[1], bits[1]]).astype(kind)


MODES = [False, pytest.param(True, marks=pytest.mark.skipif(not X86, reason="sets a register of x86"))]
UNARY = [name for name, row in ROWS.items() if row.inputs == 1]


def test_every_function_has_a_row() -> None:
    assert set(ROWS) == set(EMITTERS)


@pytest.mark.parametrize("flushed", MODES)
@pytest.mark.parametrize("name", UNARY)
def test_float32_at_every_exponent(name: str, flushed: bool) -> None:
    x = float32_sample()
    assert_close(ROWS[name].float32, measured(name, FLOAT32, x, flushed=flushed), x)


@pytest.mark.parametrize("name", UNARY)
def test_float64_sampled(name: str) -> None:
    slack = 0.0 if EXACT_WIDE else 1.0
    x = float64_sample(1 << 15)
    assert_close(ROWS[name].float64 + slack, measured(name, FLOAT64, x), x)


@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=["float32", "float64"])
def test_powers(format: Format) -> None:
    x, y = power_sample(format.numpy)
    limit = ROWS["pow"].float32 if format is FLOAT32 else ROWS["pow"].float64 + (not EXACT_WIDE)
    assert_close(limit, measured("pow", format, x, y), x, y)


@pytest.mark.parametrize("flushed", MODES)
@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ROWS)
def test_special_values(name: str, format: Format, flushed: bool) -> None:
    values = special_values(format.numpy)
    xs = (values,) if ROWS[name].inputs == 1 else pairs(values)
    row = ROWS[name]
    limit = row.float32 if format is FLOAT32 else row.float64 + (not EXACT_WIDE)
    assert_close(limit, measured(name, format, *xs, flushed=flushed), *xs)


@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=["float32", "float64"])
def test_rsqrt_has_numpy_bits(format: Format) -> None:
    x = float32_sample(64)
    x = x[np.abs(x) >= np.finfo(np.float32).tiny].astype(format.numpy)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(compiled("rsqrt", format)(x), OPS["rsqrt"].meaning(x))


@pytest.mark.parametrize("count", range(40))
def test_every_length(count: int) -> None:
    """What a vector leaves over is worked out by the scalar code behind it, with the same bits."""
    x = np.linspace(-3, 3, 64, dtype=np.float32)
    for name in HOT:
        np.testing.assert_array_equal(compiled(name, FLOAT32)(x[:count]), compiled(name, FLOAT32)(x)[:count])


# Vectors
@pytest.mark.skipif(not X86, reason="reads assembly of x86")
@pytest.mark.parametrize("processor", ["x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("name", ROWS)
def test_float32_is_vectorised_without_calls(name: str, processor: str) -> None:
    machine = _machine(processor)
    assembly = machine.emit_assembly(_optimised(loop_over(name, FLOAT32), machine))
    lines = [line.split() for line in assembly.splitlines()]
    arithmetic = [words for words in lines if words and words[0].startswith(("vfm", "vfnm", "vmul", "vdiv", "vadd"))]
    assert not [words for words in lines if words and words[0].startswith("call")]
    assert [words for words in arithmetic if any("ymm" in word or "zmm" in word for word in words)]


# Faults
def _faults() -> list[tuple[str, str, int]]:
    fields = [("exp", "exp_tail"), ("sigmoid", "exp_tail"), ("expm1", "expm1_tail"), ("log", "log_tail")]
    fields += [("erf", "erf_near"), ("erf", "erf_far"), ("tanh", "tanh")]
    lengths = {field: len(TANH_TAIL if field == "tanh" else getattr(FLOAT32, field)) for _, field in fields}
    return [(name, field, i) for name, field in fields for i in range(lengths[field])]


def _spoilt(coefficients: Sequence[float], i: int) -> tuple[float, ...]:
    return tuple(c * 1.05 if i == j else c for j, c in enumerate(coefficients))


@pytest.mark.parametrize(("name", "field", "i"), _faults())
def test_planted_fault_is_caught(name: str, field: str, i: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One coefficient off by 5 % is seen by the check that the right function passes."""
    if field == "tanh":
        monkeypatch.setattr(transcendental, "TANH_TAIL", _spoilt(TANH_TAIL, i))
    else:
        spoilt = dataclasses.replace(FLOAT32, **{field: _spoilt(getattr(FLOAT32, field), i)})
        monkeypatch.setattr(transcendental_arithmetic, "FLOAT32", spoilt)
    x = float32_sample(64)
    error = measured(name, FLOAT32, x, loop=Loop(name, FLOAT32))
    with pytest.raises(AssertionError, match="ULP at"):
        assert_close(ROWS[name].float32, error, x)


def test_missing_sign_and_nan_are_caught() -> None:
    zero, nan, one = np.float32(0), np.float32(np.nan), np.float32(1)
    y = np.array([zero, nan, one, np.inf, zero, -zero], np.float32)
    exact = np.array([-0.0, 1.0, np.nan, 1.0, 1.0, 0.0])
    assert (errors(y, exact) > 1e6).all()


# The whole range
def sweep(name: str, flushed: bool = False, step: int = 1, block: int = 1 << 15) -> tuple[float, float]:
    """The largest error of a float32 function over every `step`-th of all 2³² bit patterns, and where it is."""
    loop, worst, where = compiled(name, FLOAT32, flushed), 0.0, 0.0
    for start in range(0, 1 << 32, block * step):
        bits = np.arange(start, min(start + block * step, 1 << 32), step, dtype=np.uint64)
        x = bits.astype(np.uint32).view(np.float32)
        error = measured(name, FLOAT32, x, loop=loop)
        i = int(np.argmax(error))
        if error[i] > worst:
            worst, where = float(error[i]), float(x[i])
    return worst, where


@pytest.mark.slow
@pytest.mark.parametrize("name", HOT)
def test_float32_whole_range(name: str) -> None:
    worst, where = sweep(name)
    assert worst <= ROWS[name].float32, f"{worst:.3f} ULP at {where!r}"
