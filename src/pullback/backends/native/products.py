"""Matrix products: by the BLAS, cut into pieces by shape alone; tiny ones and those of integers as plain loops."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from pullback.backends.native import openblas
from pullback.backends.native.indices import View
from pullback.backends.native.loops import BARRIER, KERNEL, POINTER
from pullback.backends.native.plan_loops import power_of_two
from pullback.backends.native.scalars import CONTRACT, I32, I64, Number, constant, memory_type
from pullback.base.dtypes import DType, float32, float64
from pullback.base.shapes import Shape, size_of
from pullback.ir.node import Node

# Up to so many multiplications a plain loop beats the call of the BLAS; with a vector, up to more.
TINY, TINY_WITH_VECTOR = 1_000, 4_096
# A piece of a product has at least so many multiplications: each packs the whole of one operand again, which costs a
# twentieth for 4 pieces and a tenth for 8.
PIECE, MOST_PIECES = 1 << 21, 8
# The BLAS's AVX-512 kernels do products of up to a million multiplications without packing, in half the time where the
# product is narrow. Narrow products and those of middling size are cut into such pieces.
UNPACKED_PIECE, MOST_UNPACKED = 900_000, 16
NARROW = 48
_ROW_MAJOR, _AS_IS, _TURNED = 101, 111, 112


@dataclass(frozen=True)
class Operand:
    """A stack of matrices in memory as the BLAS wants it: neighbours along one of the last two axes lie side by side.

    `leading` is the distance between rows (columns when `turned`); `outer` and `inner` are those along the axes of
    the stack, all in elements.
    """

    offset: int
    turned: bool
    leading: int
    row: int
    col: int
    stack: tuple[int, ...]


def as_operand(shape: Shape, view: View) -> Operand | None:
    """The stack of matrices that lies so in memory, or None when it must be copied first."""
    (rows, cols), (row, col) = shape[-2:], view.strides[-2:]
    stack = tuple(s if n != 1 else 0 for n, s in zip(shape[:-2], view.strides[:-2], strict=True))
    if min((0, row, col, *stack)) < 0:
        return None
    if rows == 1:
        row = max(row, cols) if col == 1 or cols == 1 else 1
    if cols == 1:
        col = 1 if row >= 1 else max(col, rows)
    if col == 1 and row >= max(cols, 1):
        return Operand(view.offset, False, row, row, 1, stack)
    if row == 1 and col >= max(rows, 1):
        return Operand(view.offset, True, col, 1, col, stack)
    return None


@functools.cache
def has_unpacked_kernels() -> bool:
    """Whether the BLAS uses its AVX-512 kernels."""
    return openblas.load().core.lower() == "skylakex"


@dataclass(frozen=True)
class ProductPlan:
    """A product and how it is cut: `pieces` along the rows or columns of each matrix of the stack."""

    dtype: DType
    x: Operand
    y: Operand
    stack: Shape
    rows: int
    inner: int
    cols: int

    @property
    def is_tiny(self) -> bool:
        """Whether plain loops do it."""
        most = TINY_WITH_VECTOR if 1 in (self.rows, self.cols) else TINY
        return self.dtype not in (float32, float64) or self.rows * self.inner * self.cols <= most

    @property
    def multiplications(self) -> int:
        """In all."""
        return size_of(self.stack) * self.rows * self.inner * self.cols

    @property
    def by_rows(self) -> bool:
        """Whether pieces are blocks of rows rather than of columns."""
        return self.rows >= self.cols

    @property
    def pieces(self) -> int:
        """Into how many pieces each matrix of the stack is cut."""
        if self.is_tiny:
            return 1
        longest, shortest = max(self.rows, self.cols), min(self.rows, self.cols)
        work, stack = longest * shortest * self.inner, size_of(self.stack)
        unpacked = power_of_two(-(-work // UNPACKED_PIECE))
        is_narrow = min(shortest, self.inner) <= NARROW
        if has_unpacked_kernels() and stack == 1 and (is_narrow or unpacked <= MOST_UNPACKED):
            return min(unpacked, MOST_UNPACKED, max(1, longest // 16))
        wanted = min(MOST_PIECES // min(stack, MOST_PIECES), work // PIECE, longest // 64)
        return power_of_two(wanted) if wanted > 1 else 1

    @property
    def chunks(self) -> int:
        """How many pieces threads can share out."""
        return size_of(self.stack) * self.pieces

    def numbers(self, gemm: int, set_threads: int) -> list[int]:
        """What the kernel of a BLAS product gets behind its three addresses."""
        size = self.dtype.itemsize
        longest = self.rows if self.by_rows else self.cols
        per_piece = -(-longest // self.pieces)
        per_piece = -(-per_piece // 16) * 16 if self.pieces > 1 else per_piece
        strides = [*self._stack_strides(self.x), *self._stack_strides(self.y)]
        return [
            gemm,
            set_threads,
            _TURNED if self.x.turned else _AS_IS,
            _TURNED if self.y.turned else _AS_IS,
            self.rows,
            self.cols,
            self.inner,
            self.x.leading,
            self.y.leading,
            max(self.cols, 1),
            self.pieces,
            per_piece,
            int(self.by_rows),
            (self.x.row if self.by_rows else self.y.col) * size,
            (self.cols if self.by_rows else 1) * size,
            self.rows * self.cols * size,
            self._last_stack(),
            *(s * size for s in strides),
        ]

    def _last_stack(self) -> int:
        return max(self.stack[-1], 1) if self.stack else 1

    def _stack_strides(self, operand: Operand) -> tuple[int, int]:
        """The distances along all but the last axis of the stack, which must grow evenly, and along the last."""
        if not self.stack:
            return 0, 0
        return (operand.stack[-2] if len(operand.stack) > 1 else 0), operand.stack[-1]

    def text(self) -> str:
        """Everything that the kernel's code depends on."""
        if not self.is_tiny:
            return f"product by BLAS of {self.dtype.name}"
        return f"product by loops {self}"


def plan_product(node: Node, views: Sequence[View]) -> ProductPlan | None:
    """How to do a matmul node with operands that lie so; None when they must be copied first."""
    x, y = (v.type for v in node.inputs)
    a, b = (as_operand(t.shape, view) for t, view in zip((x, y), views, strict=True))
    if a is None or b is None:
        return None
    stack, a_strides, b_strides = _collapsed(x.shape[:-2], a.stack, b.stack)
    if len(stack) > 2:
        return None
    a, b = (Operand(o.offset, o.turned, o.leading, o.row, o.col, s) for o, s in ((a, a_strides), (b, b_strides)))
    return ProductPlan(x.dtype, a, b, stack, x.shape[-2], x.shape[-1], y.shape[-1])


def _collapsed(stack: Shape, a: Sequence[int], b: Sequence[int]) -> tuple[Shape, tuple[int, ...], tuple[int, ...]]:
    """The axes of a stack with those joined that both operands step through evenly."""
    found: list[tuple[int, int, int]] = []
    for n, s, t in zip(stack, a, b, strict=True):
        if n == 1:
            continue
        if found and found[-1][1] == s * n and found[-1][2] == t * n:
            found[-1] = (found[-1][0] * n, s, t)
        else:
            found.append((n, s, t))
    return tuple(n for n, _, _ in found), tuple(s for _, s, _ in found), tuple(t for _, _, t in found)


def build_product(plan: ProductPlan, symbol: str) -> str:
    """The LLVM module of the kernel that does such products."""
    return _build_loops(plan, symbol) if plan.is_tiny else _build_call(plan.dtype, symbol)


class _Arguments:
    """Reads a kernel's arguments by name, in the order in which `numbers` lists them."""

    NAMES = (
        "x y z gemm set_threads turn_x turn_y rows cols inner lead_x lead_y lead_z pieces per_piece by_rows step "
        "step_z matrix_z last outer_x inner_x outer_y inner_y"
    ).split()

    def __init__(self, b: ir.IRBuilder, args: Number) -> None:
        self._b, self._args = b, args

    def __getattr__(self, name: str) -> Number:
        place = self.NAMES.index(name)
        kind = POINTER if place < 3 else I64
        number = self._b.load(self._b.gep(self._args, [I64(place)], source_etype=I64), typ=kind)
        setattr(self, name, number)
        return number


def _build_call(dtype: DType, symbol: str) -> str:
    """Calls cblas_?gemm for each piece: which matrix of the stack, then which block of its rows or columns."""
    module = ir.Module(symbol)
    f = ir.Function(module, KERNEL, symbol)
    entry, head, body, end = (f.append_basic_block(n) for n in ("entry", "head", "body", "end"))
    b = ir.IRBuilder(entry)
    a = _Arguments(b, f.args[0])
    for name in a.NAMES:
        getattr(a, name)
    # Whoever limits the process's BLAS threads meets our copy, too; on several threads it would give other bits.
    b.call(b.inttoptr(a.set_threads, ir.FunctionType(ir.VoidType(), [I32]).as_pointer()), [I32(1)])
    b.branch(head)
    b = ir.IRBuilder(head)
    chunk = b.phi(I64, "chunk")
    b.cbranch(b.icmp_signed("<", chunk, f.args[2]), body, end)
    b = ir.IRBuilder(body)
    matrix, piece = b.udiv(chunk, a.pieces), b.urem(chunk, a.pieces)
    outer, inner = b.udiv(matrix, a.last), b.urem(matrix, a.last)

    def moved(pointer: Number, *parts: Number) -> Number:
        for part in parts:
            pointer = b.gep(pointer, [part], source_etype=ir.IntType(8))
        return pointer

    x = moved(a.x, b.mul(outer, a.outer_x), b.mul(inner, a.inner_x))
    y = moved(a.y, b.mul(outer, a.outer_y), b.mul(inner, a.inner_y))
    start = b.mul(piece, a.per_piece)
    cuts_rows = b.icmp_unsigned("!=", a.by_rows, I64(0))
    length = b.select(cuts_rows, a.rows, a.cols)
    left = b.sub(length, start)
    count = b.select(b.icmp_signed("<", left, a.per_piece), left, a.per_piece)
    zero = I64(0)
    x = moved(x, b.select(cuts_rows, b.mul(start, a.step), zero))
    y = moved(y, b.select(cuts_rows, zero, b.mul(start, a.step)))
    z = moved(a.z, b.mul(matrix, a.matrix_z), b.mul(start, a.step_z))
    rows, cols = b.select(cuts_rows, count, a.rows), b.select(cuts_rows, a.cols, count)
    kind = memory_type(dtype)
    signature = ir.FunctionType(ir.VoidType(), [*[I32] * 6, kind, POINTER, I32, POINTER, I32, kind, POINTER, I32])
    narrow = [b.trunc(n, I32) for n in (a.turn_x, a.turn_y, rows, cols, a.inner, a.lead_x, a.lead_y, a.lead_z)]
    with b.if_then(b.icmp_signed(">", count, zero)):
        b.call(
            b.inttoptr(a.gemm, signature.as_pointer()),
            [
                I32(_ROW_MAJOR), *narrow[:5], constant(1, dtype), x, narrow[5], y, narrow[6], constant(0, dtype), z,
                narrow[7],
            ],
        )  # fmt: skip
    chunk.add_incoming(f.args[1], entry)
    chunk.add_incoming(b.add(chunk, I64(1)), b.block)
    b.branch(head)
    ir.IRBuilder(end).ret_void()
    return str(module)


def _build_loops(plan: ProductPlan, symbol: str) -> str:
    """Plain loops, with the innermost one along memory where that can be."""
    module = ir.Module(symbol)
    f = ir.Function(module, KERNEL, symbol)
    f.args[0].add_attribute("noalias")
    writer = _TinyLoops(f, plan)
    writer.write()
    return str(module)


class _TinyLoops:
    """for each matrix, row i, column j: z[i, j] = Σ x[i, p] · y[p, j]; by rows of y where they lie side by side."""

    def __init__(self, f: ir.Function, plan: ProductPlan) -> None:
        self.f, self.plan, self.kind = f, plan, memory_type(plan.dtype)

    def write(self) -> None:
        """Write the kernel's inside."""
        f, plan = self.f, self.plan
        entry = ir.IRBuilder(f.append_basic_block("entry"))
        a = _Arguments(entry, f.args[0])
        inner_f = ir.Function(f.module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER, POINTER, I64, I64]), "tiny")
        inner_f.linkage = "internal"
        inner_f.attributes.add("alwaysinline")
        for argument in inner_f.args[:3]:
            argument.add_attribute("noalias")
        entry.call(inner_f, [a.x, a.y, a.z, *f.args[1:]])
        entry.ret_void()
        self.f = inner_f
        self.x, self.y, self.z = inner_f.args[:3]
        b = ir.IRBuilder(inner_f.append_basic_block("entry"))
        self.row_sums = b.alloca(self.kind, max(plan.cols, 1)) if self._along_y() else None
        self.sum = b.alloca(self.kind)
        self._loop(b, inner_f.args[3], inner_f.args[4], self._matrix).ret_void()

    def _along_y(self) -> bool:
        return not self.plan.y.turned and self.plan.cols > 1

    def _loop(self, b: ir.IRBuilder, start: Number, end: Number, body: object) -> ir.IRBuilder:
        head, inside, after = (self.f.append_basic_block(n) for n in ("head", "body", "end"))
        top = ir.IRBuilder(head)
        counter = top.phi(I64)
        top.cbranch(top.icmp_signed("<", counter, end), inside, after)
        last = body(ir.IRBuilder(inside), counter)  # type: ignore[operator]  # a function that writes the inside
        counter.add_incoming(last.add(counter, I64(1), flags=("nsw", "nuw")), last.block)
        counter.add_incoming(start, b.block)
        last.branch(head)
        b.branch(head)
        return ir.IRBuilder(after)

    def _address(self, b: ir.IRBuilder, base: Number, *parts: tuple[Number, int]) -> Number:
        place: Number = I64(0)
        for counter, stride in parts:
            place = b.add(place, b.mul(counter, I64(stride), flags=("nsw",)), flags=("nsw",))
        return b.gep(base, [place], inbounds=True, source_etype=self.kind)

    def _matrix(self, b: ir.IRBuilder, matrix: Number) -> ir.IRBuilder:
        plan = self.plan
        if plan.chunks > 1:
            b.call(BARRIER, [])
        last = plan.stack[-1] if plan.stack else 1
        outer, inner = b.udiv(matrix, I64(last)), b.urem(matrix, I64(last))
        starts = []
        for base, operand in ((self.x, plan.x), (self.y, plan.y)):
            steps = (0, 0, *operand.stack)[-2:]
            starts.append(self._address(b, base, (outer, steps[0]), (inner, steps[1])))
        self.x_matrix, self.y_matrix = starts
        self.z_matrix = self._address(b, self.z, (matrix, plan.rows * plan.cols))
        return self._loop(b, I64(0), I64(plan.rows), self._row_along_y if self._along_y() else self._row_of_dots)

    def _row_along_y(self, b: ir.IRBuilder, i: Number) -> ir.IRBuilder:
        plan, kind = self.plan, self.kind

        def clear(b: ir.IRBuilder, j: Number) -> ir.IRBuilder:
            b.store(constant(0, plan.dtype), b.gep(self.row_sums, [j], inbounds=True, source_etype=kind))
            return b

        def add_row(b: ir.IRBuilder, p: Number) -> ir.IRBuilder:
            factor = b.load(self._address(b, self.x_matrix, (i, plan.x.row), (p, plan.x.col)), typ=kind)

            def add(b: ir.IRBuilder, j: Number) -> ir.IRBuilder:
                box = b.gep(self.row_sums, [j], inbounds=True, source_etype=kind)
                y = b.load(self._address(b, self.y_matrix, (p, plan.y.row), (j, 1)), typ=kind)
                b.store(self._plus(b, b.load(box, typ=kind), factor, y), box)
                return b

            return self._loop(b, I64(0), I64(plan.cols), add)

        def write(b: ir.IRBuilder, j: Number) -> ir.IRBuilder:
            number = b.load(b.gep(self.row_sums, [j], inbounds=True, source_etype=kind), typ=kind)
            b.store(number, self._address(b, self.z_matrix, (i, plan.cols), (j, 1)))
            return b

        b = self._loop(b, I64(0), I64(plan.cols), clear)
        b = self._loop(b, I64(0), I64(plan.inner), add_row)
        return self._loop(b, I64(0), I64(plan.cols), write)

    def _row_of_dots(self, b: ir.IRBuilder, i: Number) -> ir.IRBuilder:
        plan, kind = self.plan, self.kind

        def dot(b: ir.IRBuilder, j: Number) -> ir.IRBuilder:
            b.store(constant(0, plan.dtype), self.sum)

            def add(b: ir.IRBuilder, p: Number) -> ir.IRBuilder:
                x = b.load(self._address(b, self.x_matrix, (i, plan.x.row), (p, plan.x.col)), typ=kind)
                y = b.load(self._address(b, self.y_matrix, (p, plan.y.row), (j, plan.y.col)), typ=kind)
                b.store(self._plus(b, b.load(self.sum, typ=kind), x, y), self.sum)
                return b

            b = self._loop(b, I64(0), I64(plan.inner), add)
            b.store(b.load(self.sum, typ=kind), self._address(b, self.z_matrix, (i, plan.cols), (j, 1)))
            return b

        return self._loop(b, I64(0), I64(plan.cols), dot)

    def _plus(self, b: ir.IRBuilder, so_far: Number, x: Number, y: Number) -> Number:
        if self.plan.dtype.kind == "int":
            return b.add(so_far, b.mul(x, y))
        return b.fadd(so_far, b.fmul(x, y, flags=CONTRACT), flags=("reassoc", "contract"))
