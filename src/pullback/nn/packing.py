"""Sequences of different lengths in one batch: padded to one length, or packed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pullback.base.dtypes import Array, int64
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.ir.mode import mode
from pullback.nn.functional.padding import pad
from pullback.tensor.creation import arange, full, tensor
from pullback.tensor.indexing import index_select
from pullback.tensor.pointwise import cast_to, lt, where
from pullback.tensor.reduction import argsort
from pullback.tensor.shaping import flatten, narrow, reshape, select, stack, transpose, unbind
from pullback.tensor.tensor import Tensor


@dataclass(init=False, eq=False, repr=False)
class PackedSequence:
    """A batch of sequences of different lengths, which the recurrent layers run through each to its own end.

    Made by `pack_padded_sequence` and `pack_sequence`. As in PyTorch, `data` holds the steps without padding: first
    those of all sequences at time 0, the longest sequence first, and `batch_sizes` says how many sequences reach each
    time. sorted_indices and unsorted_indices are the order from longest to shortest and its inverse, or None when the
    sequences came in that order. Unpacks into these four.

    It is kept as `padded` (t, b, ...), in the order in which the sequences came, and `lengths` (b,): shapes that do not
    depend on the lengths, so that a compiled function takes lengths as tensors and is traced once. There `data` and
    `batch_sizes`, whose shapes do depend on them, can be had when the lengths were given as numbers.

    Raises ArgumentError for batch_sizes that grow or do not add up to the steps in data.

    >>> import pullback as pb
    >>> data, batch_sizes, _, _ = pb.nn.utils.rnn.pack_sequence([pb.tensor([4, 5, 6]), pb.tensor([1, 2])])
    >>> data, batch_sizes
    (tensor([4, 1, 5, 2, 6]), tensor([2, 2, 1]))

    Source: torch.nn.utils.rnn.PackedSequence.
    """

    padded: Tensor
    lengths: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None

    def __init__(
        self,
        data: Tensor | None = None,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
        *,
        padded: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> None:
        self._known: Array | None = None  # the lengths, where they are known though a program is being recorded
        self.sorted_indices = sorted_indices
        self.unsorted_indices = invert_permutation(sorted_indices) if unsorted_indices is None else unsorted_indices
        if padded is not None and lengths is not None:
            self.padded, self.lengths = padded, lengths
        elif data is not None and batch_sizes is not None:
            self._unpack(data, batch_sizes)
        else:
            raise ArgumentError("a PackedSequence is made of data and batch_sizes; see pack_padded_sequence")

    def _unpack(self, data: Tensor, batch_sizes: Tensor) -> None:
        sizes = batch_sizes.array("PackedSequence needs to know its batch_sizes").astype(np.int64)
        if sizes.ndim != 1 or not sizes.size or (np.diff(sizes) > 0).any() or sizes.sum() != len(data):
            raise ArgumentError(
                "batch_sizes say how many sequences reach each time: they never grow, and add up to the "
                f"{len(data)} steps in data; got {sizes.tolist()}"
            )
        lane = np.arange(sizes[0])
        place = (np.cumsum(sizes) - sizes)[:, None] + lane  # (t, b), meaningless where a sequence has ended
        inside = lane < sizes[:, None]
        lengths = inside.sum(0)
        if self.sorted_indices is not None:
            back = np.argsort(self.sorted_indices.array("PackedSequence needs to know its sorted_indices"))
            place, inside, lengths = place[:, back], inside[:, back], lengths[back]
        rows = index_select(data, 0, tensor(np.where(inside, place, 0).reshape(-1)))
        self.padded = _kept(reshape(rows, (*place.shape, *data.shape[1:])), tensor(inside), 0)
        self.lengths, self._known = tensor(lengths), lengths

    def with_padded(self, padded: Tensor) -> "PackedSequence":
        """Other contents (t, b, ...) for the same lengths; what stands behind the end of a sequence is ignored."""
        made = PackedSequence(
            None, None, self.sorted_indices, self.unsorted_indices, padded=padded, lengths=self.lengths
        )
        made._known = self._known
        return made

    def mask(self) -> Tensor:
        """Whether a sequence has not ended yet, (t, b), of bools."""
        return _mask(self.padded.shape[0], self.lengths)

    def _sorted_lengths(self) -> tuple[Array, Array]:
        """The order from longest to shortest, and the lengths in that order."""
        why = "how much there is in a PackedSequence depends on its lengths"
        lengths = self.lengths.array(why) if self._known is None else self._known
        if self.sorted_indices is None:
            return np.arange(len(lengths)), lengths
        order = np.argsort(-lengths, kind="stable")
        return order, lengths[order]

    @property
    def data(self) -> Tensor:
        """The steps of all sequences (n, ...), without padding."""
        order, lengths = self._sorted_lengths()
        times = np.arange(self.padded.shape[0])[:, None]
        places = (times * len(order) + order)[times < lengths]
        return index_select(flatten(self.padded, 0, 1), 0, tensor(places))

    @property
    def batch_sizes(self) -> Tensor:
        """How many sequences reach each time, (t,)."""
        _, lengths = self._sorted_lengths()
        return tensor((np.arange(lengths[0])[:, None] < lengths).sum(1))

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """The sequences in another dtype or on another device, as Tensor.to."""
        return self.with_padded(self.padded.to(*args, **kwargs))

    def __iter__(self) -> Iterator[Tensor | None]:
        return iter((self.data, self.batch_sizes, self.sorted_indices, self.unsorted_indices))

    def __getitem__(self, place: int) -> Tensor | None:
        return list(self)[place]

    def __len__(self) -> int:
        return 4

    def __repr__(self) -> str:
        names = ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
        return f"PackedSequence({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def _mask(steps: int, lengths: Tensor) -> Tensor:
    """Whether each sequence has not ended at each time, (t, b)."""
    return lt(reshape(arange(steps, dtype=int64), (-1, 1)), lengths)


def _kept(padded: Tensor, mask: Tensor, value: float) -> Tensor:
    """What the mask (t, b) marks of (t, b, ...), and this value elsewhere."""
    marked = reshape(mask, (*mask.shape, *(1,) * (padded.ndim - 2)))
    return where(marked, padded, full((), value, dtype=padded.dtype))


def _lengths_of(name: str, lengths: Any, count: int, longest: int) -> tuple[Tensor, Array | None]:
    """The lengths as a tensor, and as an array where they are known."""
    given = lengths if isinstance(lengths, Tensor) else tensor(lengths, dtype=int64)
    if given.dtype.kind != "int":
        raise DTypeError(f"{name} takes lengths as integers; got {given.dtype.name}: write lengths.long()")
    if given.shape != (count,):
        raise ShapeError(f"{name} needs a length for each of {count} sequences; got the shape {given.shape}")
    if mode.recorder is not None and isinstance(lengths, Tensor):
        return cast_to(given, int64), None
    known = np.asarray(lengths if not isinstance(lengths, Tensor) else given.array()).astype(np.int64)
    if known.size and not (known.min() >= 1 and known.max() <= longest):
        raise ArgumentError(f"{name} takes lengths from 1 to {longest}, the padded length; got {known.tolist()}")
    return cast_to(given, int64), known


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another, (n,); None of None.

    >>> import pullback as pb
    >>> pb.nn.utils.rnn.invert_permutation(pb.tensor([2, 0, 1]))
    tensor([1, 2, 0])

    Source: torch.nn.utils.rnn.invert_permutation.
    """
    return None if permutation is None else argsort(permutation)


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The sequences in a padded batch (t, b, ...), or (b, t, ...) with batch_first, each with its length.

    lengths: integers (b,) from 1 to t, as a tensor or as numbers. With enforce_sorted they must not grow. Inside a
    compiled function lengths may be a tensor, whose numbers are not known then, and are not checked.

    Raises ArgumentError for lengths outside 1 … t and for lengths that grow, ShapeError for another number of them,
    DTypeError for floats.

    >>> import pullback as pb
    >>> x = pb.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    >>> packed = pb.nn.utils.rnn.pack_padded_sequence(x, [2, 1, 3], batch_first=True, enforce_sorted=False)
    >>> packed.data, packed.batch_sizes
    (tensor([4, 1, 3, 5, 2, 6]), tensor([3, 2, 1]))

    Source: torch.nn.utils.rnn.pack_padded_sequence.
    """
    name = "pack_padded_sequence"
    if input.ndim < 2 or not input.shape[0] or not input.shape[1]:
        layout = "(b, t, ...)" if batch_first else "(t, b, ...)"
        raise ShapeError(f"{name} takes a batch {layout} of one sequence or more; got {input.shape}")
    padded = transpose(input, 0, 1) if batch_first else input
    given, known = _lengths_of(name, lengths, padded.shape[1], padded.shape[0])
    if known is not None:
        if enforce_sorted and (np.diff(known) > 0).any():
            raise ArgumentError(
                f"{name} needs the longest sequence first and lengths that do not grow; got {known.tolist()}: sort the "
                "batch, or write enforce_sorted=False"
            )
        padded = narrow(padded, 0, 0, int(known.max()))
    order = None if enforce_sorted else argsort(given, descending=True)
    kept = _kept(padded, _mask(padded.shape[0], given), 0)
    packed = PackedSequence(None, None, order, invert_permutation(order), padded=kept, lengths=given)
    packed._known = known
    return packed


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The padded batch (t, b, ...), or (b, t, ...) with batch_first, and the lengths (b,), in the order they came in.

    t is the largest length, or total_length. Inside a compiled function that was given lengths as a tensor it is the
    length to which the batch was padded before it was packed.

    Raises ArgumentError when total_length is too small.

    >>> import pullback as pb
    >>> packed = pb.nn.utils.rnn.pack_sequence([pb.tensor([4, 5, 6]), pb.tensor([1, 2])])
    >>> pb.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[4, 5, 6],
            [1, 2, 0]]), tensor([3, 2]))

    Source: torch.nn.utils.rnn.pad_packed_sequence.
    """
    padded = _kept(sequence.padded, sequence.mask(), padding_value)
    if total_length is not None:
        more = total_length - padded.shape[0]
        if more < 0:
            raise ArgumentError(
                f"total_length={total_length} is less than the {padded.shape[0]} steps of the sequences"
            )
        padded = _lengthened(padded, more, padding_value)
    return (transpose(padded, 0, 1) if batch_first else padded), sequence.lengths


def _lengthened(x: Tensor, more: int, value: float, left: bool = False) -> Tensor:
    """So many rows more along dim 0."""
    return pad(x, (*(0, 0) * (x.ndim - 1), *((more, 0) if left else (0, more))), value=value) if more else x


def pad_sequence(
    sequences: Tensor | Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (t₁, ...), (t₂, ...), … as one padded batch (t, b, ...), or (b, t, ...) with batch_first.

    t is the largest of their lengths. padding_side: "right" puts the padding behind, "left" in front.

    Raises ArgumentError for another side and for no sequences, ShapeError when other dims differ.

    >>> import pullback as pb
    >>> pb.nn.utils.rnn.pad_sequence([pb.tensor([4, 5, 6]), pb.tensor([1, 2])], batch_first=True)
    tensor([[4, 5, 6],
            [1, 2, 0]])

    Source: torch.nn.utils.rnn.pad_sequence.
    """
    if padding_side not in ("left", "right"):
        raise ArgumentError(f"padding_side is 'left' or 'right'; got {padding_side!r}")
    listed = list(unbind(sequences) if isinstance(sequences, Tensor) else sequences)
    if not listed or not all(isinstance(x, Tensor) and x.ndim for x in listed):
        raise ArgumentError("pad_sequence takes a list of tensors (t, ...), one or more")
    if len({x.shape[1:] for x in listed}) > 1:
        shapes = ", ".join(str(x.shape) for x in listed)
        raise ShapeError(f"pad_sequence needs sequences that differ in their first size alone; got {shapes}")
    longest = max(len(x) for x in listed)
    left = padding_side == "left"
    return stack([_lengthened(x, longest - len(x), padding_value, left) for x in listed], 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch (t, b, ...), or (b, t, ...) with batch_first, each without its padding.

    Raises ArgumentError for lengths outside 1 … t, ShapeError for another number of them, TraceError for lengths that
    are tensors inside a compiled function.

    >>> import pullback as pb
    >>> pb.nn.utils.rnn.unpad_sequence(pb.tensor([[4, 5, 6], [1, 2, 0]]), [3, 2], batch_first=True)
    [tensor([4, 5, 6]), tensor([1, 2])]

    Source: torch.nn.utils.rnn.unpad_sequence.
    """
    rows = padded_sequences if batch_first else transpose(padded_sequences, 0, 1)
    given, known = _lengths_of("unpad_sequence", lengths, rows.shape[0], rows.shape[1])
    sizes = given.array("how long the results are depends on the lengths") if known is None else known
    return [narrow(select(rows, 0, i), 0, 0, int(n)) for i, n in enumerate(sizes)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (t₁, ...), (t₂, ...), … packed; with enforce_sorted the longest comes first.

    Errors as for `pad_sequence` and `pack_padded_sequence`.

    >>> import pullback as pb
    >>> pb.nn.utils.rnn.pack_sequence([pb.tensor([4, 5, 6]), pb.tensor([1, 2])]).batch_sizes
    tensor([2, 2, 1])

    Source: torch.nn.utils.rnn.pack_sequence.
    """
    return pack_padded_sequence(pad_sequence(sequences), [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed, as a list.

    >>> import pullback as pb
    >>> packed = pb.nn.utils.rnn.pack_sequence([pb.tensor([4, 5, 6]), pb.tensor([1, 2])])
    >>> pb.nn.utils.rnn.unpack_sequence(packed)
    [tensor([4, 5, 6]), tensor([1, 2])]

    Source: torch.nn.utils.rnn.unpack_sequence.
    """
    known = packed_sequences._known
    lengths = packed_sequences.lengths if known is None else known.tolist()
    return unpad_sequence(packed_sequences.padded, lengths)
