"""Random bits by counting: a number is a function of the seed, the stream, the draw's counter and its place.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), Philox4x32 with 10 rounds.
"""

from dataclasses import dataclass
from functools import partial

from pullback.backends.native.kernel_writer import KernelWriter, Special, count_parts, wanted_chunks
from pullback.backends.native.scalars import I32, I64, Number
from pullback.ir.node import Node

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_WORDS = 4  # of a block
_VECTOR = 16  # blocks that LLVM works on at once


@dataclass(frozen=True)
class _Bits:
    """So many words of 32 bits, the blocks that lie wholly in them cut into parts."""

    size: int
    parts: int

    @property
    def blocks(self) -> int:
        """Whole blocks."""
        return self.size // _WORDS


def plan_random_bits(node: Node) -> Special:
    """How the kernel of `random_bits` runs."""
    size = node.types[0].size
    parts = count_parts(size // _WORDS, wanted_chunks(4 * size), _VECTOR) if size >= _WORDS else 1
    bits = _Bits(size, parts)
    return Special(parts, f"random {bits}", partial(_build, bits))


def _build(bits: _Bits, symbol: str) -> str:
    w = KernelWriter(symbol, 2)
    state, target = w.pointers
    seed, stream, counter = (w.read(state, i, I64) for i in range(3))
    high = [w.b.lshr(number, I64(32)) for number in (seed, counter)]
    rest = bits.size % _WORDS

    def write(block: Number, count: int) -> None:
        words = _philox(w, [block, counter, high[1], stream], [seed, high[0]])
        for i, word in enumerate(words[:count]):
            w.write(w.b.trunc(word, I32), target, w.place((block, _WORDS), (I64(i), 1)))

    with w.chunks() as chunk:
        with w.loop(*w.share(chunk, bits.parts, bits.blocks, _VECTOR), "block") as block:
            write(block, _WORDS)
        if rest:
            with w.b.if_then(w.b.icmp_signed("==", chunk, I64(bits.parts - 1))):
                write(I64(bits.blocks), rest)
    return w.finish(symbol)


def _philox(w: KernelWriter, words: list[Number], key: list[Number]) -> list[Number]:
    """The four words of a block, from its counter of four words and the key of two.

    Each stands in the lower half of 64 bits, as it is multiplied there; what the upper half holds does not matter.
    """
    b, low = w.b, I64(0xFFFFFFFF)
    for _ in range(_ROUNDS):
        first, second = (
            b.mul(b.and_(word, low), I64(factor)) for word, factor in zip(words[::2], _MULTIPLIERS, strict=True)
        )
        upper = [b.xor(b.lshr(product, I64(32)), k) for product, k in zip((second, first), key, strict=True)]
        words = [b.xor(upper[0], words[1]), second, b.xor(upper[1], words[3]), first]
        key = [b.add(k, I64(step)) for k, step in zip(key, _KEY_STEPS, strict=True)]
    return words
