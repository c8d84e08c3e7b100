"""Samplers: in which order, and how many together, the items of a data set are taken.

Random samplers are pure functions of a seed and an epoch. `epoch` is the number that the next pass has;
beginning a pass moves it on. Their state is that number, so a pass can be repeated or taken up in the middle
exactly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, StateError
from pullback.data.convert import as_array
from pullback.data.datasets import as_indices
from pullback.data.randomness import DRAW, SHUFFLE, permutation, resolve_seed, uniforms


class Sampler:
    """The numbers of the items in the order in which they are taken; a subclass defines `__iter__`.

    Source: torch.utils.data.Sampler.
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")


class SequentialSampler(Sampler):
    """All items in order.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]

    Source: torch.utils.data.SequentialSampler.
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))


class SeededSampler(Sampler):
    """A random sampler: each pass is decided by the seed and the pass's number; a subclass defines
    `draw(epoch)`.

    The seed is `seed`, or that of `generator`, or that of `pb.manual_seed` at the time of the first pass.
    """

    def __init__(self, seed: int | None = None, generator: Any = None) -> None:
        self._seed = None if seed is None and generator is None else resolve_seed(seed, generator)
        self.epoch = 0

    @property
    def seed(self) -> int:
        """The seed, settled when it is first asked for."""
        if self._seed is None:
            self._seed = resolve_seed(None)
        return self._seed

    def draw(self, epoch: int) -> Array:
        """The numbers of the items of one pass, (n,) int64."""
        raise NotImplementedError(f"{type(self).__name__} must define draw(epoch)")

    def __iter__(self) -> Iterator[int]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return iter(self.draw(epoch).tolist())

    def state_dict(self) -> dict[str, int]:
        """The seed, and the number of the next pass."""
        return {"seed": self.seed, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on with the pass, and the seed, that `state_dict` named.

        Raises StateError when either is missing.
        """
        if not {"seed", "epoch"} <= set(state):
            came = ", ".join(state) or "nothing"
            raise StateError(f"the state of a sampler has seed and epoch; got {came}")
        self._seed, self.epoch = int(state["seed"]), int(state["epoch"])


class RandomSampler(SeededSampler):
    """All items in random order, each once; or with `replacement`, `num_samples` drawn independently.

    Without replacement `num_samples` may also be more than there are items: then all are taken several times
    over.

    Raises ArgumentError when there are no items to draw from, or num_samples is not positive.

    >>> sorted(RandomSampler("abcd", seed=1))
    [0, 1, 2, 3]

    Source: torch.utils.data.RandomSampler (other orders for the same seed).
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(seed, generator)
        self.data_source, self.replacement = data_source, replacement
        if num_samples is not None and num_samples < 1:
            raise ArgumentError(f"num_samples must be 1 or more; got {num_samples}")
        self._num_samples = num_samples

    def __len__(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def draw(self, epoch: int) -> Array:
        """The numbers of the items of one pass, (n,) int64."""
        n, count = len(self.data_source), len(self)
        if not n and count:
            raise ArgumentError("there are no items to draw from: the data set is empty")
        if self.replacement:
            return (uniforms(count, self.seed, DRAW, epoch) * n).astype(np.int64)
        rounds = [permutation(n, self.seed, SHUFFLE, epoch)] if count <= n else self._rounds(n, count, epoch)
        return np.concatenate(rounds)[:count]

    def _rounds(self, n: int, count: int, epoch: int) -> list[Array]:
        """As many orders of all items as it takes; each a pass of its own number, which no other pass has."""
        each = -(-count // n)
        return [permutation(n, self.seed, SHUFFLE, epoch * each + i) for i in range(each)]


class SubsetRandomSampler(SeededSampler):
    """The given items in random order, each once.

    >>> sorted(SubsetRandomSampler([3, 5, 8], seed=0))
    [3, 5, 8]

    Source: torch.utils.data.SubsetRandomSampler (other orders for the same seed).
    """

    def __init__(self, indices: Sequence[int] | Array, generator: Any = None, *, seed: int | None = None) -> None:
        super().__init__(seed, generator)
        self.indices: Array = as_indices(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def draw(self, epoch: int) -> Array:
        """The numbers of the items of one pass, (n,) int64."""
        chosen: Array = self.indices[permutation(len(self.indices), self.seed, SHUFFLE, epoch)]
        return chosen


class WeightedRandomSampler(SeededSampler):
    """`num_samples` items drawn with probabilities in proportion to their weights (n,).

    With replacement each draw is independent. Without, those with the smallest -ln(u) / weight are taken, u
    drawn evenly for each item, which is the same as drawing one after another from what is left.

    Raises ArgumentError for weights that are negative, not finite or all 0, and for more samples without
    replacement than there are positive weights.

    >>> set(WeightedRandomSampler([0.0, 1.0, 3.0], 100, seed=0))
    {1, 2}

    Source: torch.utils.data.WeightedRandomSampler; Efraimidis, Spirakis, Inf. Proc. Letters 97 (2006).
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: Any = None,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(seed, generator)
        self.weights: Array = as_array(weights).astype(np.float64)
        self.num_samples, self.replacement = num_samples, replacement
        self._check()

    def _check(self) -> None:
        weights = self.weights
        if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise ArgumentError(
                "weights must be (n,) finite numbers, none negative and not all 0; "
                f"got shape {weights.shape} with {weights.min(initial=0):g} to {weights.max(initial=0):g}"
            )
        most = np.count_nonzero(weights)
        if self.num_samples < 1 or (not self.replacement and self.num_samples > most):
            limit = "1 or more" if self.replacement else f"from 1 to {most}, the items with a weight"
            raise ArgumentError(f"num_samples must be {limit}; got {self.num_samples}")

    def __len__(self) -> int:
        return self.num_samples

    def draw(self, epoch: int) -> Array:
        """The numbers of the items of one pass, (n,) int64."""
        if self.replacement:
            edges = np.cumsum(self.weights)
            drawn = uniforms(self.num_samples, self.seed, DRAW, epoch) * edges[-1]
            # The last item with a weight is the limit: a product may round up to the very end.
            found: Array = np.searchsorted(edges, drawn, side="right")
            return np.minimum(found, np.flatnonzero(self.weights)[-1])
        waits = np.full(len(self.weights), np.inf)
        positive = self.weights > 0
        draws = uniforms(len(self.weights), self.seed, DRAW, epoch)
        waits[positive] = -np.log(draws[positive]) / self.weights[positive]
        return np.argsort(waits, kind="stable")[: self.num_samples]


class BatchSampler(Sampler):
    """The numbers of another sampler in lists of `batch_size`; the last may be shorter, unless `drop_last`.

    Raises ArgumentError when batch_size is no positive integer.

    >>> list(BatchSampler(SequentialSampler(range(5)), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]

    Source: torch.utils.data.BatchSampler.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        check_batch_size(batch_size)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __len__(self) -> int:
        # As in PyTorch, a TypeError when the sampler has no length.
        return count_batches(len(self.sampler), self.batch_size, self.drop_last)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[list[int]]:
        return batched(iter(self.sampler), self.batch_size, self.drop_last)


def check_batch_size(batch_size: Any) -> None:
    """Raise ArgumentError for what is no positive integer."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ArgumentError(f"batch_size must be a positive integer; got {batch_size!r}")


def count_batches(items: int, batch_size: int, drop_last: bool) -> int:
    """How many batches the items make."""
    return items // batch_size if drop_last else -(-items // batch_size)


def batched(items: Iterable[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    """The items in lists of `size`; the last may be shorter, unless `drop_last`."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch and not drop_last:
        yield batch
