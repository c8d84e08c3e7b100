"""What hand-written kernels share: their frame, loops, memory, and the share of the work that a chunk has."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir

from pullback.backends.native.loops import KERNEL, POINTER
from pullback.backends.native.scalars import I1, I8, I64, Number

# A chunk has at least so many bytes to move, so that handing it to a thread pays; and no kernel more chunks.
CHUNK_BYTES = 1 << 16
MOST_CHUNKS = 16


@dataclass(frozen=True)
class Special:
    """How the kernel of one op runs.

    chunks:   pieces that threads can share out, by shape alone.
    text:     everything that the code depends on: equal texts, equal kernels.
    build:    writes the LLVM module under the name it is given.
    can_fail: an index may be out of range: behind the target comes the address of a flag, set to 1 if one is.
    scratch:  bytes of memory for the work of all chunks together, whose address comes last.
    unread:   numbers of the operands whose memory is not read, as they are known: their addresses do not matter.
    """

    chunks: int
    text: str
    build: Callable[[str], str]
    can_fail: bool = False
    scratch: int = 0
    unread: tuple[int, ...] = ()


def wanted_chunks(nbytes: int) -> int:
    """Into how many chunks work on so many bytes is best cut."""
    return max(1, min(MOST_CHUNKS, nbytes // CHUNK_BYTES))


def count_parts(count: int, wanted: int, multiple: int = 1) -> int:
    """Into how many parts, none of them empty, `count` items are cut at multiples when so many are wanted."""
    return -(-count // _each(count, wanted, multiple))


def _each(count: int, parts: int, multiple: int) -> int:
    """How many items a part has."""
    each = -(-count // max(1, parts))
    return -(-each // multiple) * multiple


class KernelWriter:
    """Writes a kernel: `pointers` are its arguments, which lie in no other's memory; `b` stands where code goes on."""

    def __init__(self, symbol: str, count: int) -> None:
        self.module = ir.Module(symbol)
        kind = ir.FunctionType(ir.VoidType(), [*[POINTER] * count, I64, I64])
        self.function = ir.Function(self.module, kind, "work")
        self.function.linkage = "internal"
        self.function.attributes.add("alwaysinline")
        self.function.attributes.add("nounwind")
        for argument in self.function.args[:count]:
            argument.add_attribute("noalias")
        self.pointers = list(self.function.args[:count])
        self._entry = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.b = ir.IRBuilder(self.function.append_basic_block("start"))

    @contextmanager
    def loop(self, start: Number | int, end: Number | int, name: str = "i", step: int = 1) -> Iterator[Number]:
        """For i from start to below end: the body of the `with` is written inside the loop."""
        b, before = self.b, self.b.block
        head, inside, after = (self.function.append_basic_block(f"{name}.{part}") for part in ("head", "body", "end"))
        b.branch(head)
        b.position_at_end(head)
        counter = b.phi(I64, name)
        counter.add_incoming(_whole(start), before)
        b.cbranch(b.icmp_signed("<", counter, _whole(end)), inside, after)
        b.position_at_end(inside)
        yield counter
        counter.add_incoming(b.add(counter, I64(step), flags=("nsw", "nuw")), b.block)
        b.branch(head)
        b.position_at_end(after)

    @contextmanager
    def chunks(self) -> Iterator[Number]:
        """For each chunk that this thread has."""
        first, end = self.function.args[-2:]
        with self.loop(first, end, "chunk") as chunk:
            yield chunk

    def split(self, number: Number, sizes: Sequence[int]) -> list[Number]:
        """The coordinates of a place in an array of these sizes."""
        found: list[Number] = []
        for i, size in enumerate(sizes):
            behind = math.prod(sizes[i + 1 :])
            rest = number if behind == 1 else self.b.udiv(number, I64(behind))
            first = all(n == 1 for n in sizes[:i])
            found.append(I64(0) if size == 1 else rest if first else self.b.urem(rest, I64(size)))
        return found

    def share(self, part: Number, parts: int, count: int, multiple: int = 1) -> tuple[Number, Number]:
        """Where the part of `count` items, cut into so many parts at multiples, begins and ends."""
        if parts == 1:
            return I64(0), I64(count)
        each = _each(count, parts, multiple)
        start = self.smaller(self.b.mul(part, I64(each), flags=("nsw", "nuw")), I64(count))
        return start, self.smaller(self.b.add(start, I64(each), flags=("nsw", "nuw")), I64(count))

    def smaller(self, x: Number, y: Number) -> Number:
        """The smaller of two whole numbers."""
        return self.b.select(self.b.icmp_signed("<", x, y), x, y)

    def place(self, *terms: tuple[Number, int]) -> Number:
        """The sum of whole numbers times their factors."""
        fixed = sum(number.constant * factor for number, factor in terms if isinstance(number, ir.Constant))
        parts: list[Number] = [
            number if factor == 1 else self.b.mul(number, I64(factor), flags=("nsw",))
            for number, factor in terms
            if not isinstance(number, ir.Constant)
        ]
        if fixed or not parts:
            parts.append(I64(fixed))
        found, *rest = parts
        for part in rest:
            found = self.b.add(found, part, flags=("nsw",))
        return found

    def resized(self, number: Number, kind: ir.IntType) -> Number:
        """An unsigned whole number with more or fewer bits."""
        if number.type.width == kind.width:
            return number
        return (self.b.zext if number.type.width < kind.width else self.b.trunc)(number, kind)

    def variable(self, start: Number) -> Number:
        """Memory for a number that changes; LLVM makes it a register."""
        box = self._entry.alloca(start.type)
        self.b.store(start, box)
        return box

    def small_array(self, kind: ir.Type, count: int) -> Number:
        """Memory for a few numbers on the stack."""
        return self._entry.bitcast(self._entry.alloca(kind, I64(count)), POINTER)

    def at(self, pointer: Number, place: Number | int, kind: ir.Type) -> Number:
        """The address of an element."""
        return self.b.gep(pointer, [_whole(place)], inbounds=True, source_etype=kind)

    def read(self, pointer: Number, place: Number | int, kind: ir.Type) -> Number:
        """The element at this place."""
        return self.b.load(self.at(pointer, place, kind), typ=kind, align=_align(kind))

    def write(self, number: Number, pointer: Number, place: Number | int) -> None:
        """Write the element at this place."""
        self.b.store(number, self.at(pointer, place, number.type), align=_align(number.type))

    def copy(self, target: Number, source: Number, nbytes: Number | int) -> None:
        """Copy bytes from one address to another."""
        kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, I1])
        routine = self.module.declare_intrinsic("llvm.memcpy", [POINTER, POINTER, I64], kind)
        self.b.call(routine, [target, source, _whole(nbytes), I1(0)])

    def clear(self, target: Number, nbytes: Number | int) -> None:
        """Set bytes to zero."""
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I8, I64, I1])
        routine = self.module.declare_intrinsic("llvm.memset", [POINTER, I64], kind)
        self.b.call(routine, [target, I8(0), _whole(nbytes), I1(0)])

    def finish(self, symbol: str) -> str:
        """Close the function, and the module's text, whose external function is a kernel of this name."""
        self.b.ret_void()
        self._entry.branch(self.function.blocks[1])
        outer = ir.Function(self.module, KERNEL, symbol)
        outer.attributes.add("nounwind")
        b = ir.IRBuilder(outer.append_basic_block("entry"))
        words = range(len(self.pointers))
        found = [b.load(b.gep(outer.args[0], [I64(i)], source_etype=POINTER), typ=POINTER) for i in words]
        b.call(self.function, [*found, *outer.args[1:]])
        b.ret_void()
        return str(self.module)


def _whole(number: Number | int) -> Number:
    return I64(number) if isinstance(number, int) else number


def _align(kind: ir.Type) -> int:
    """The alignment that memory surely has for a number of this type."""
    if isinstance(kind, ir.IntType):
        return min(8, kind.width // 8)
    return {"half": 2, "float": 4}.get(str(kind), 8)
