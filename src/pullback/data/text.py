"""Text for language models: characters as numbers, and windows of them with what follows each."""

from collections.abc import Iterable

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, DataError
from pullback.data.datasets import TensorDataset

UNCOUNTED = -100  # the target of a place that does not count: what F.cross_entropy leaves out


class Vocabulary:
    """The characters that a text is written in, sorted; a character's number is its place among them.

    >>> vocabulary = Vocabulary.of("abracadabra")
    >>> len(vocabulary), vocabulary.encode("cab").tolist(), vocabulary.decode([2, 0, 1])
    (5, [2, 0, 1], 'cab')
    """

    def __init__(self, characters: str) -> None:
        if sorted(set(characters)) != list(characters):
            raise ArgumentError(f"a vocabulary is sorted and names every character once; got {characters!r}")
        self.characters = characters
        self._points: Array = _code_points(characters)

    @classmethod
    def of(cls, text: str) -> "Vocabulary":
        """The characters that occur in a text."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> Array:
        """The numbers (n,) int64 of the characters.

        Raises DataError for a character that is not known.
        """
        points = _code_points(text)
        places = np.searchsorted(self._points, points)
        known = self._points[np.minimum(places, len(self) - 1)] == points
        if not known.all():
            stranger = text[int(np.argmin(known))]
            raise DataError(f"the character {stranger!r} is not among the {len(self)} that the text is written in")
        return places.astype(np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the numbers."""
        return "".join(self.characters[int(i)] for i in ids)


def _code_points(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4")).astype(np.int64)


def split_by_position(ids: Array, validation: float = 0.05, test: float = 0.05) -> tuple[Array, Array, Array]:
    """The numbers (n,) in three parts: the first for training, then those for validation, the last for the test.

    By position, for neighbours know each other: a random split would test what was all but seen.

    Raises ArgumentError for shares that leave nothing to train on.

    >>> [len(part) for part in split_by_position(np.arange(100))]
    [90, 5, 5]
    """
    held_out = [round(len(ids) * share) for share in (validation, test)]
    if min(validation, test) < 0 or sum(held_out) >= len(ids):
        raise ArgumentError(f"the shares for validation ({validation:g}) and test ({test:g}) leave nothing to train on")
    first, last = len(ids) - sum(held_out), len(ids) - held_out[1]
    return ids[:first], ids[first:last], ids[last:]


class TextWindows(TensorDataset):
    """Windows of a text: item i is (x, y), the `length` numbers from place i · stride on, and what follows each.

    ids: the text as numbers (n,) int64, of which x and y are views. (A compiled epoch gathers from copies, which are
    length / stride times as large as the text.) A rest at the end that fills no window is left out.

    stride: from one window to the next; `length` unless given, so that every place is seen once. counted: only the last
    so many targets of each window but the first count, the others are −100, which `F.cross_entropy` leaves out. With
    `stride == counted` every place counts once and is told from at least length − counted places before it.

    Raises ArgumentError for a length, stride or count that cannot be, DataError for a text too short for a window.

    >>> windows = TextWindows(np.arange(10), length=4, stride=2)
    >>> len(windows), [part.tolist() for part in windows[1]]
    (3, [[2, 3, 4, 5], [3, 4, 5, 6]])
    """

    def __init__(self, ids: Array, length: int, stride: int | None = None, counted: int | None = None) -> None:
        stride = length if stride is None else stride
        if length < 1 or stride < 1 or not 1 <= (counted or 1) <= length:
            raise ArgumentError(
                "length and stride are 1 or more, counted from 1 to length; "
                f"got length={length}, stride={stride}, counted={counted}"
            )
        ids = np.ascontiguousarray(ids, np.int64)
        if len(ids) <= length:
            raise DataError(f"a text of {len(ids)} places is too short for windows of {length} and what follows")
        self.length, self.stride = length, stride
        count = (len(ids) - length - 1) // stride + 1
        x, y = (_rows(ids[shift:], count, length, stride) for shift in (0, 1))
        if counted is not None and counted < length:
            y = y.copy()
            y[1:, : length - counted] = UNCOUNTED
        super().__init__(x, y)


def _rows(ids: Array, count: int, length: int, stride: int) -> Array:
    """Rows (count, length) of a text, each `stride` places after the one before, as a view to read."""
    step = ids.strides[0]
    return as_strided(ids, (count, length), (stride * step, step), writeable=False)
