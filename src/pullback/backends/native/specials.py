"""Ops whose kernels are written by hand, each in a way of its own; one line per op. And what joins and copies."""

from collections.abc import Callable

from pullback.backends.native.counting import plan_random_bits
from pullback.backends.native.kernel_writer import KernelWriter, Special
from pullback.backends.native.overlaps import plan_overlap_add
from pullback.backends.native.runs import plan_cumsum
from pullback.backends.native.scalars import I64, loaded, memory_type, reduction_start, reduction_step, stored
from pullback.backends.native.scatter import plan_scatter
from pullback.backends.native.sorting import plan_argsort
from pullback.base.dtypes import DType
from pullback.ir.node import Node

__all__ = ["Special", "build_combination", "build_copy", "is_native", "plan_special"]

# One line per op: a node -> how its kernel runs.
PLANS: dict[str, Callable[[Node], Special]] = {
    "scatter": plan_scatter,
    "scatter_add": plan_scatter,
    "cumsum": plan_cumsum,
    "argsort": plan_argsort,
    "random_bits": plan_random_bits,
    "overlap_add": plan_overlap_add,
}


def is_native(node: Node) -> bool:
    """Whether there is a kernel for the node; arrays without elements are left to NumPy."""
    sizes = [node.types[0].size, *(x.type.size for x in node.inputs)]
    return node.op.name in PLANS and min(sizes) > 0


def plan_special(node: Node) -> Special:
    """How the kernel of a node runs for which `is_native` holds."""
    return PLANS[node.op.name](node)


def build_copy(nbytes: int, symbol: str) -> str:
    """The LLVM module of a kernel that copies its first argument's bytes to its second's."""
    w = KernelWriter(symbol, 2)
    source, target = w.pointers
    with w.chunks():
        w.copy(target, source, nbytes)
    return w.finish(symbol)


def build_combination(name: str, dtype: DType, chunks: int, cols: int, symbol: str) -> str:
    """The LLVM module of the kernel that joins what the chunks of a reduction found: (chunks, cols) to (cols,)."""
    w = KernelWriter(symbol, 2)
    source, target = w.pointers
    kind = memory_type(dtype)
    with w.loop(0, cols, "col") as col:
        result = reduction_start(name, dtype)
        for chunk in range(chunks):
            raw = w.read(source, w.place((col, 1), (I64(chunk), cols)), kind)
            result = reduction_step(w.b, name, dtype, result, loaded(w.b, raw, dtype))
        w.write(stored(w.b, result, dtype), target, col)
    return w.finish(symbol)
