"""Loops over an emitted function, run on arrays, and the errors of what they give."""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

Array = Any
Emitter = Callable[..., ir.Value]
Reference = Callable[..., Array]

_TYPES = {np.dtype(np.float32): ir.FloatType(), np.dtype(np.float64): ir.DoubleType()}
_POINTER, _COUNT = ir.PointerType(), ir.IntType(64)
_ALL_PATTERNS = 1 << 32
_BLOCK = 1 << 17
_FLUSH = 0x8040  # FTZ and DAZ


def loop_module(emit: Emitter, dtype: Any, inputs: int = 1, flush: bool = False) -> str:
    """LLVM code of `for i in range(n): y[i] = emit(x[i], …)`; `flush`: with denormals flushed (on x86)."""
    real, module = _TYPES[np.dtype(dtype)], ir.Module("loop")
    kind = ir.FunctionType(ir.VoidType(), [_POINTER] * (inputs + 1) + [_COUNT])
    function = ir.Function(module, kind, "loop")
    *pointers, count = function.args
    for pointer in pointers:
        pointer.add_attribute("noalias")
    entry, body, end = (function.append_basic_block(name) for name in ("entry", "body", "end"))
    b = ir.IRBuilder(entry)
    before = flush_denormals(b) if flush else None
    b.cbranch(b.icmp_signed(">", count, _COUNT(0)), body, end)
    b.position_at_end(body)
    i = b.phi(_COUNT)
    i.add_incoming(_COUNT(0), entry)
    places = [b.gep(pointer, [i], source_etype=real) for pointer in pointers]
    xs = [b.load(place, typ=real, align=real_bytes(real)) for place in places[:-1]]
    b.store(emit(b, *xs), places[-1], align=real_bytes(real))
    following = b.add(i, _COUNT(1), flags=("nsw", "nuw"))
    i.add_incoming(following, body)
    b.cbranch(b.icmp_signed("<", following, count), body, end)
    b.position_at_end(end)
    if before is not None:
        set_control(b, before)
    b.ret_void()
    return str(module)


def flush_denormals(b: ir.IRBuilder) -> ir.Value:
    """Reads and writes denormals as 0 from here on; where the control word from before is kept (MXCSR of x86)."""
    before, changed = b.alloca(ir.IntType(32)), b.alloca(ir.IntType(32))
    kind = ir.FunctionType(ir.VoidType(), [_POINTER])
    b.call(ir.Function(b.module, kind, "llvm.x86.sse.stmxcsr"), [before])
    b.store(b.or_(b.load(before, typ=ir.IntType(32)), ir.IntType(32)(_FLUSH)), changed)
    set_control(b, changed)
    return before


def set_control(b: ir.IRBuilder, place: ir.Value) -> None:
    """Gives MXCSR what lies there."""
    name = "llvm.x86.sse.ldmxcsr"
    known = b.module.globals.get(name)
    b.call(known or ir.Function(b.module, ir.FunctionType(ir.VoidType(), [_POINTER]), name), [place])


def real_bytes(real: ir.Type) -> int:
    """Bytes of a number."""
    return 4 if isinstance(real, ir.FloatType) else 8


def target_machine() -> Any:
    """This processor, with everything that it can do. A compiler keeps the one that it is given."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, codemodel="jitdefault"
    )


def other_machine(triple: str, cpu: str) -> Any:
    """A processor for which code can be written, though not run."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)


def optimised(text: str, machine: Any) -> Any:
    """The module after LLVM's passes, with its loops vectorised."""
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


class Loop:
    """An emitted function, compiled, on arrays of one dtype."""

    def __init__(self, emit: Emitter, dtype: Any, inputs: int = 1, flush: bool = False) -> None:
        machine = target_machine()
        self.dtype, module = np.dtype(dtype), optimised(loop_module(emit, dtype, inputs, flush), machine)
        self.text, self.assembly = str(module), machine.emit_assembly(module)
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (inputs + 1), ctypes.c_int64)
        self._run = signature(self._engine.get_function_address("loop"))

    def __call__(self, *xs: Array, out: Array | None = None) -> Array:
        arrays = [np.ascontiguousarray(x, self.dtype) for x in xs]
        y = np.empty_like(arrays[0]) if out is None else out
        self._run(*(array.ctypes.data for array in arrays), y.ctypes.data, y.size)
        return y


@dataclass(frozen=True)
class Worst:
    """The largest error met, in units in the last place (ULP), and the arguments there."""

    ulp: float
    arguments: tuple[float, ...]

    def __str__(self) -> str:
        places = ", ".join(f"{x!r} ({x.hex()})" for x in self.arguments)
        return f"{self.ulp:.3f} ULP at {places}"


def errors_in_ulp(y: Array, exact: Array, dtype: Any) -> Array:
    """How far each y is from the exact value, in ULP of dtype at that value; ∞ for what is plainly wrong.

    Where the exact value is below the normal numbers, 0 is right, too. Where it is NaN or rounds to an infinity, y must
    be the same. `exact` holds more digits than dtype has, or is correctly rounded.
    """
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        wide = exact.astype(np.float64, copy=False)
        rounded = exact.astype(dtype)
        _, exponent = np.frexp(wide)
        ulp = np.ldexp(1.0, np.maximum(exponent - 1, info.minexp) - info.nmant)
        error = np.abs((y.astype(exact.dtype) - exact).astype(np.float64)) / ulp
    error[(y == 0) & (np.abs(wide) < info.smallest_normal)] = 0.0
    same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    odd = ~(np.isfinite(rounded) & np.isfinite(y))
    error[odd] = np.where(same[odd], 0.0, np.inf)
    return error


def single_errors(y: Array, exact: Array) -> Array:
    """The same for float32 beside float64, faster: ULP are made from the exponent's bits."""
    exponent = exact.view(np.uint64) & np.uint64(0x7FF << 52)
    np.maximum(exponent, np.uint64((1023 - 126) << 52), out=exponent)
    per_ulp = np.uint64((2046 + 23) << 52) - exponent
    with np.errstate(all="ignore"):
        error = np.abs(y - exact) * per_ulp.view(np.float64)
    error[(y == 0) & (np.abs(exact) < 2.0**-126)] = 0.0
    rest = ~(error < 1e6)  # NaN, too
    if rest.any():
        with np.errstate(all="ignore"):
            right = np.isinf(y) & (y == exact.astype(np.float32)) | np.isnan(y) & np.isnan(exact)
        error[right] = 0.0
        rest &= ~right
        error[rest] = errors_in_ulp(y[rest], exact[rest], np.float32)
    return error


def worst_single(loop: Callable[[Array], Array], reference: Reference, x: Array) -> Worst:
    """The largest error of a function of one float32. Arguments below the normal numbers may count as 0."""
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.float64))
    y = loop(x)
    error = single_errors(y, exact)
    tiny = np.abs(x) < np.finfo(np.float32).smallest_normal
    if tiny.any():
        with np.errstate(all="ignore"):
            at_zero = reference(np.copysign(0.0, x[tiny]).astype(np.float64))
        error[tiny] = np.minimum(error[tiny], single_errors(y[tiny], at_zero))
    i = int(np.argmax(error))
    return Worst(float(error[i]), (float(x[i]),))


def sweep(loop: Callable[[Array], Array], reference: Reference, start: int = 0, stop: int = _ALL_PATTERNS) -> Worst:
    """The largest error over all float32 whose bits are from start to below stop, on all processors."""

    def block(first: int) -> Worst:
        x = np.arange(first, min(first + _BLOCK, stop), dtype=np.uint32).view(np.float32)
        return worst_single(loop, reference, x)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return max(pool.map(block, range(start, stop, _BLOCK)), key=lambda worst: worst.ulp)


def stratified(count: int, dtype: Any = np.float32, seed: int = 0) -> Array:
    """So many numbers: as many from each exponent and sign, the ends of each among them; no NaN."""
    info, kind = np.finfo(dtype), np.dtype(f"u{np.dtype(dtype).itemsize}")
    exponents = 2 ** (info.bits - 1 - info.nmant) - 1  # but for the one of ∞ and NaN
    each = count // (2 * exponents)
    rng = np.random.default_rng(seed)
    fractions = rng.integers(0, 2**info.nmant, (2 * exponents, each), dtype=kind)
    fractions[:, 0], fractions[:, 1], fractions[:, 2] = 0, 2**info.nmant - 1, 1
    field = np.arange(exponents, dtype=kind) << kind.type(info.nmant)
    field = np.concatenate([field, field | kind.type(1 << (info.bits - 1))])
    return (field[:, None] | fractions).ravel().view(dtype)
