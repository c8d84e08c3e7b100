"""Counting: how likely each character is after the last few, without any gradient. What a network is to beat."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pullback.base.dtypes import Array


@dataclass(frozen=True)
class Level:
    """The k-grams of a text, which are its different runs of k characters, sorted and numbered.

    keys: (m,), context · v + last character; the context is the number of the first k − 1 characters. counts: (m,), how
    often each occurs. shorter: (m,), the number of the (k − 1)-gram that is left without the first character.
    """

    keys: Array
    counts: Array
    shorter: Array


class Grams:
    """The grams of a text of numbers (n,) below v, of one length after another."""

    def __init__(self, text: Array, v: int) -> None:
        self.text, self.v, self.length = text, v, 0
        self._ending = np.zeros(
            len(text), np.int64
        )  # the number of the gram that ends at each place from length − 1 on

    def longer(self) -> Level:
        """The grams that have one character more than the last ones."""
        ending, start = self._ending, self.length
        contexts = ending[start - 1 : -1] if start else ending
        keys, number, counts = np.unique(contexts * self.v + self.text[start:], return_inverse=True, return_counts=True)
        shorter = np.zeros(len(keys), np.int64)
        shorter[number] = ending[start:]
        self._ending = np.zeros(len(self.text), np.int64)
        self._ending[start:] = number
        self.length += 1
        return Level(keys, counts, shorter)


class Told:
    """A text that is told by the grams of another, with grams of one length after another.

    gram: the number of the gram that ends at each place, −1 where it is none of the other text's; context: likewise the
    gram of one character less that ends before the place. lower: what the shorter grams together estimate (n,).
    """

    def __init__(self, text: Array, v: int) -> None:
        self.text, self.v = text, v
        self.gram: Array = np.zeros(len(text), np.int64)
        self.context: Array = self.gram
        self.lower: Array = np.full(len(text), 1 / v)

    def find(self, level: Level, length: int) -> None:
        """Find the grams of a level, the one above the last, in this text."""
        self.context = self.gram if length == 1 else np.concatenate([[-1], self.gram[:-1]])
        keys = self.context * self.v + self.text
        at = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
        self.gram = np.where((self.context >= 0) & (level.keys[at] == keys), at, -1)

    def estimate(self, level: Level, counts: Array) -> Array:
        """How likely each character is by the grams of a level, counted so, and by those below."""
        contexts, discounts = level.keys // self.v, _discounts(counts)[np.minimum(counts, 3)]
        total, spare = np.bincount(contexts, counts), np.bincount(contexts, discounts)
        at = np.where((self.context >= 0) & (self.context < len(total)), self.context, 0)
        known = (self.context == at) & (total[at] > 0)
        seen = np.where(self.gram >= 0, (counts - discounts)[self.gram], 0)
        return np.where(known, (seen + spare[at] * self.lower) / np.where(known, total[at], 1), self.lower)


def _discounts(counts: Array) -> Array:
    """What is taken from counts of 0, 1, 2, and 3 or more, by how many grams have counts of 1 to 4."""
    ones, twos, threes, fours = (max(1, int((counts == n).sum())) for n in (1, 2, 3, 4))
    share = ones / (ones + 2 * twos)
    taken = (1 - 2 * share * twos / ones, 2 - 3 * share * threes / twos, 3 - 4 * share * fours / threes)
    return np.array([0, *(min(max(d, 0), n) for n, d in enumerate(taken, 1))], np.float64)


def _bits(likely: Array) -> float:
    return float(-np.log2(likely).mean())


@dataclass(frozen=True)
class NGramResult:
    """What grams of up to `order` characters reach, in bits for each character, and the seconds until they did."""

    order: int
    validation_bits: float
    test_bits: float
    seconds: float


def each_order(train: Array, validation: Array, test: Array, v: int) -> Iterator[NGramResult]:
    """What the orders 1, 2, 3, ... reach, counted on the training text: interpolated Kneser-Ney estimates.

    pₖ(w | h) = (c(h w) − d(c(h w)) + s(h) pₖ₋₁(w | h without its first character)) / c(h), where c(h) adds up all
    c(h w), s(h) all discounts d, and p₀ = 1 / v. For the longest grams c counts how often they occur, for those below
    how many different characters stand before them.

    >>> text = np.tile([0, 1, 2, 1], 200)
    >>> [round(found.test_bits, 1) for found, _ in zip(each_order(text, text, text[:100], 3), range(3))]
    [1.5, 0.5, 0.0]

    Source: Chen, Goodman, "An empirical study of smoothing techniques for language modeling" (1999), modified
    Kneser-Ney smoothing.
    """
    started = time.perf_counter()
    grams, parts = Grams(train, v), [Told(part, v) for part in (validation, test)]
    below: Level | None = None
    while grams.length < len(train):
        level = grams.longer()
        if below is not None:
            different = np.bincount(level.shorter, minlength=len(below.keys))
            for part in parts:
                part.lower = part.estimate(below, different)
        for part in parts:
            part.find(level, grams.length)
        validation_bits, test_bits = (_bits(part.estimate(level, level.counts)) for part in parts)
        yield NGramResult(grams.length, validation_bits, test_bits, time.perf_counter() - started)
        below = level
