"""The places of numbers in order: `argsort`.

Every number becomes a key, an unsigned whole number in the same order: -0 beside 0, NaN last. Short rows are sorted by
counting, for each key, those that come before it, which needs no branch and is vectorised. Longer rows are sorted by
their keys' bytes, the lowest first (radix sort); a byte that is the same in all keys of a row is passed over. Both keep
the order of equal numbers.
"""

from dataclasses import dataclass
from functools import partial

from llvmlite import ir

from pullback.backends.native.kernel_writer import KernelWriter, Special, count_parts, wanted_chunks
from pullback.backends.native.scalars import I8, I32, I64, Number, memory_type
from pullback.base.dtypes import DType, bool_
from pullback.base.shapes import size_of
from pullback.ir.node import Node

# Bits of a key -> up to which length rows are sorted by counting: from there on the other way is faster.
_SHORT = {8: 32, 16: 64, 32: 80, 64: 96}
_DIGITS = 256
# The exponent's bits, all set for infinity and NaN.
_INFINITY = {"float16": 0x7C00, "bfloat16": 0x7F80, "float32": 0x7F800000, "float64": 0x7FF0000000000000}
# Sorting a number costs about as much as copying so many bytes.
_BYTES_OF_WORK = 128


@dataclass(frozen=True)
class _Sort:
    """x (outer, n, inner), sorted along n."""

    dtype: DType
    outer: int
    n: int
    inner: int
    descending: bool

    @property
    def rows(self) -> int:
        """How many sequences are sorted."""
        return self.outer * self.inner

    def parts(self) -> int:
        """Into how many parts the rows are cut."""
        return count_parts(self.rows, wanted_chunks(self.rows * self.n * _BYTES_OF_WORK))

    @property
    def is_short(self) -> bool:
        """Whether rows are sorted by counting."""
        return self.n <= _SHORT[self.dtype.bits]

    @property
    def key(self) -> ir.IntType:
        """The type of keys."""
        return ir.IntType(self.dtype.bits)

    @property
    def half(self) -> int:
        """Bits of each half of an entry, the upper the key, the lower the place."""
        return 32 if self.dtype.bits <= 32 and self.n < 2**32 else 64

    @property
    def entry(self) -> ir.IntType:
        """The type of what is moved: a key with its place."""
        return ir.IntType(2 * self.half)

    @property
    def scratch(self) -> int:
        """Bytes that a chunk needs: for two rows of entries."""
        return 0 if self.is_short else 2 * self.n * 2 * self.half // 8

    def text(self) -> str:
        """What the code depends on."""
        order = "descending" if self.descending else "ascending"
        return f"argsort {self.dtype.name} {self.outer} x {self.n} x {self.inner} {order}, cut into {self.parts()}"


def plan_argsort(node: Node) -> Special:
    """How the kernel of `argsort` runs."""
    (x,), axis = node.inputs, node.params["axis"]
    s = _Sort(x.dtype, size_of(x.shape[:axis]), x.shape[axis], size_of(x.shape[axis + 1 :]), node.params["descending"])
    return Special(s.parts(), s.text(), partial(_build, s), scratch=s.parts() * s.scratch)


def _build(s: _Sort, symbol: str) -> str:
    w = KernelWriter(symbol, 3 if s.scratch else 2)
    sort = _SortByCounting(w, s) if s.is_short else _SortByBytes(w, s)
    with w.chunks() as chunk, w.loop(*w.share(chunk, s.parts(), s.rows), "row") as row:
        outer, inner = w.split(row, (s.outer, s.inner))
        sort.write(chunk, w.place((outer, s.n * s.inner), (inner, 1)))
    return w.finish(symbol)


def _key(w: KernelWriter, s: _Sort, place: Number) -> Number:
    """The key of the number at this place of x."""
    b, sign = w.b, s.key(1 << (s.dtype.bits - 1))
    raw = w.read(w.pointers[0], place, memory_type(s.dtype))
    bits = raw if raw.type == s.key else b.bitcast(raw, s.key)
    if s.dtype.kind == "float":
        magnitude = b.and_(bits, b.not_(sign))
        bits = b.select(b.icmp_unsigned("==", magnitude, s.key(0)), s.key(0), bits)
        turned = b.xor(bits, b.or_(b.ashr(bits, s.key(s.dtype.bits - 1)), sign))
        nan = b.icmp_unsigned(">", magnitude, s.key(_INFINITY[s.dtype.name]))
        bits = b.select(nan, s.key(-1), turned)
    elif s.dtype is not bool_ and s.dtype.numpy.kind == "i":
        bits = b.xor(bits, sign)
    return b.not_(bits) if s.descending else bits


class _SortByCounting:
    """A key's rank is the number of keys before it: each in turn counts for all that come after it.

    Those are the larger ones, and equal ones that stand behind it.
    """

    def __init__(self, w: KernelWriter, s: _Sort) -> None:
        self.w, self.s = w, s
        self.keys, self.ranks = w.small_array(s.key, s.n), w.small_array(s.key, s.n)

    def write(self, chunk: Number, base: Number) -> None:
        """The code for the row that begins at `base`."""
        w, s, b = self.w, self.s, self.w.b
        with w.loop(0, s.n, "read") as i:
            w.write(_key(w, s, w.place((base, 1), (i, s.inner))), self.keys, i)
            w.write(s.key(0), self.ranks, i)
        with w.loop(0, s.n, "mine") as i:
            mine = w.read(self.keys, i, s.key)
            with w.loop(0, s.n, "other") as j:
                other = w.read(self.keys, j, s.key)
                behind = b.icmp_unsigned("<", w.resized(i, s.key), w.resized(j, s.key))
                ties = b.and_(b.icmp_unsigned("==", mine, other), behind)
                after = b.or_(b.icmp_unsigned("<", mine, other), ties)
                w.write(b.add(w.read(self.ranks, j, s.key), b.zext(after, s.key)), self.ranks, j)
        with w.loop(0, s.n, "write") as i:
            rank = w.resized(w.read(self.ranks, i, s.key), I64)
            w.write(i, w.pointers[1], w.place((base, 1), (rank, s.inner)))


class _SortByBytes:
    """Entries are moved to and fro between two rows of scratch memory, once for each byte of their keys."""

    def __init__(self, w: KernelWriter, s: _Sort) -> None:
        self.w, self.s = w, s
        self.count = I32 if s.n < 2**31 else I64
        self.passes = s.dtype.bits // 8
        self.counts = w.small_array(self.count, self.passes * _DIGITS)

    def write(self, chunk: Number, base: Number) -> None:
        """The code for the row that begins at `base`."""
        w, s, b = self.w, self.s, self.w.b
        first = w.at(w.pointers[2], w.place((chunk, 2 * s.n)), s.entry)
        source, target = w.variable(first), w.variable(w.at(first, s.n, s.entry))
        self._read(base, first)
        with w.loop(0, self.passes, "pass") as number:
            self._pass(number, source, target)
        entries = b.load(source, typ=first.type)
        with w.loop(0, s.n, "write") as i:
            place = b.and_(w.read(entries, i, s.entry), s.entry(2**s.half - 1))
            w.write(w.resized(place, I64), w.pointers[1], w.place((base, 1), (i, s.inner)))

    def _read(self, base: Number, entries: Number) -> None:
        """Make the row's entries, and count how often each byte stands in each place of their keys."""
        w, s, b = self.w, self.s, self.w.b
        w.clear(self.counts, self.passes * _DIGITS * self.count.width // 8)
        with w.loop(0, s.n, "read") as i:
            key = w.resized(_key(w, s, w.place((base, 1), (i, s.inner))), s.entry)
            entry = b.or_(b.shl(key, s.entry(s.half)), w.resized(i, s.entry))
            w.write(entry, entries, i)
            for number in range(self.passes):
                digit = self._digit(entries, i, number)
                w.write(b.add(w.read(self.counts, digit, self.count), self.count(1)), self.counts, digit)

    def _digit(self, entries: Number, i: Number | int, number: Number | int) -> Number:
        """Where the count of this byte of an entry's key stands. In memory an entry's lowest byte comes first."""
        w, s = self.w, self.s
        place = w.place((_as_number(i), 2 * s.half // 8), (_as_number(number), 1), (I64(s.half // 8), 1))
        byte = w.b.zext(w.read(entries, place, I8), I64)
        return w.place((byte, 1), (_as_number(number), _DIGITS))

    def _pass(self, number: Number, source: Number, target: Number) -> None:
        """Put the entries in the order of one byte, unless it is the same in all."""
        w, s, b = self.w, self.s, self.w.b
        before, after = (b.load(box, typ=w.pointers[2].type) for box in (source, target))
        first = w.read(self.counts, self._digit(before, 0, number), self.count)
        with b.if_then(b.icmp_unsigned("!=", first, self.count(s.n))):
            so_far = w.variable(self.count(0))
            with w.loop(0, _DIGITS, "digit") as digit:
                place = w.place((number, _DIGITS), (digit, 1))
                start = b.load(so_far, typ=self.count)
                b.store(b.add(start, w.read(self.counts, place, self.count)), so_far)
                w.write(start, self.counts, place)
            with w.loop(0, s.n, "move") as i:
                digit = self._digit(before, i, number)
                place = w.read(self.counts, digit, self.count)
                w.write(b.add(place, self.count(1)), self.counts, digit)
                w.write(w.read(before, i, s.entry), after, w.resized(place, I64))
            b.store(after, source)
            b.store(before, target)


def _as_number(i: Number | int) -> Number:
    return I64(i) if isinstance(i, int) else i
