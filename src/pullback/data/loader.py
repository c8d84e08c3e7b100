"""The DataLoader: batches of a data set, in an order that a seed decides, from a position that can be
saved."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, IndexOutOfRange, StateError
from pullback.data.collate import default_collate, default_convert
from pullback.data.convert import fresh_tensor
from pullback.data.datasets import IterableDataset, whole_arrays
from pullback.data.randomness import refuse_while_recording
from pullback.data.samplers import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    batched,
    check_batch_size,
    count_batches,
)

Collate = Callable[[Any], Any]
# The arrays of which batches are rows, and which of their rows are the items (None: all).
Whole = tuple[tuple[Array, ...], Array | None]


class DataLoader:
    """Batches of a data set.

    Arguments are PyTorch's. `shuffle` takes the items in a random order, a new one each epoch, which `seed`
    decides (or the seed of `generator`, or that of `pb.manual_seed` when the first epoch begins). `sampler`
    chooses the order itself, `batch_sampler` the batches. With `drop_last` a last batch that is not full is
    left out. `batch_size=None` gives the items one by one (see `default_convert`). `collate_fn` makes a batch
    of a list of items (see `default_collate`). Batches are made in this process, where they are asked for:
    `num_workers`, `pin_memory`, `timeout`, `worker_init_fn`, `multiprocessing_context`, `prefetch_factor` and
    `persistent_workers` are taken, so that scripts run as they are, and change nothing.

    A TensorDataset, or a subset of one, is never taken apart into items: a batch is one gather from each
    array.

    **Position.** `state_dict()`, called at any moment, also in the middle of an epoch, holds the seed, the
    epoch and the number of batches handed out. A new loader that loads it goes on with the very next batch;
    where that was the epoch's last, the rest of the epoch is empty and the next one follows. (With a sampler
    of your own this holds when it has `state_dict` and `load_state_dict`, or gives the same order every
    time.)

    Raises ArgumentError for arguments that exclude each other; TraceError when a compiled function asks for a
    batch, for it would be recorded once and given again at every call: hand batches to the function.

    >>> import pullback as pb
    >>> from pullback.data import TensorDataset
    >>> points = TensorDataset(pb.tensor([1.0, 2.0, 3.0]), pb.tensor([0, 1, 0]))
    >>> for x, y in DataLoader(points, batch_size=2):
    ...     print(x.tolist(), y.tolist())
    [1.0, 2.0] [0, 1]
    [3.0] [0]

    Source: torch.utils.data.DataLoader; the position as in torchdata's StatefulDataLoader.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Any = None,
        seed: int | None = None,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        if not isinstance(num_workers, int) or num_workers < 0:
            raise ArgumentError(f"num_workers is 0 or a positive integer; got {num_workers!r}")
        _check_combination(dataset, batch_size, bool(shuffle), sampler, batch_sampler, drop_last)
        self.dataset, self.drop_last, self.collate_fn = dataset, drop_last, collate_fn
        self.num_workers, self.pin_memory = num_workers, pin_memory
        self.batch_size = None if batch_sampler is not None else batch_size
        self.sampler: Any = getattr(batch_sampler, "sampler", None) if sampler is None else sampler
        if self.sampler is None and batch_sampler is None and not isinstance(dataset, IterableDataset):
            self.sampler = SequentialSampler(dataset)
            if shuffle:
                self.sampler = RandomSampler(dataset, generator=generator, seed=seed)
        self.batch_sampler: Any = batch_sampler
        if batch_sampler is None and batch_size is not None and self.sampler is not None:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self._epoch: _Epoch | None = None
        self._skip = 0

    def __len__(self) -> int:
        """The number of batches of an epoch; TypeError when the data set or the sampler has no length."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        if self.batch_size is None:
            return len(self.dataset if self.sampler is None else self.sampler)
        return count_batches(len(self.dataset), self.batch_size, self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        refuse_while_recording("a DataLoader for a batch")
        skip, self._skip = self._skip, 0
        began = self._sampler_state()  # before the sampler begins its pass, which moves its state on
        self._epoch = _Epoch(self._chosen(skip), self._maker(), self._whole(), skip, began)
        return self._epoch

    def state_dict(self) -> dict[str, Any]:
        """The position: the number of batches handed out in this epoch, and the sampler's state as it began.

        All values are plain and go to JSON (with a sampler of your own, if its state does).
        """
        items = None if isinstance(self.dataset, IterableDataset) else len(self.dataset)
        if self._epoch is None or self._epoch.finished:
            position, sampler = self._skip, self._sampler_state()
        else:
            position, sampler = self._epoch.position, self._epoch.sampler_state
        return {"items": items, "batch_size": self.batch_size, "position": position, "sampler": sampler}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Make the next epoch begin at the position that `state_dict` named.

        Raises StateError when the state is another loader's: of other keys, number of items or batch size.
        """
        here = self.state_dict()
        if set(state) != set(here):
            came = ", ".join(map(str, state)) or "nothing"
            raise StateError(f"the state of a DataLoader has {', '.join(here)}; got {came}")
        for key in ("items", "batch_size"):
            if state[key] != here[key]:
                raise StateError(f"{key} was {state[key]} when the position was saved and is {here[key]} here")
        stateful = self._stateful_sampler()
        if (stateful is None) != (state["sampler"] is None):
            raise StateError("the position was saved with another kind of sampler, or with another shuffle=")
        if stateful is not None:
            stateful.load_state_dict(state["sampler"])
        self._epoch, self._skip = None, int(state["position"])

    def _stateful_sampler(self) -> Any:
        """The sampler whose state decides the order, None when there is none."""
        candidates = (self.sampler, self.batch_sampler)
        return next((each for each in candidates if hasattr(each, "load_state_dict")), None)

    def _sampler_state(self) -> Any:
        stateful = self._stateful_sampler()
        return None if stateful is None else stateful.state_dict()

    def _chosen(self, skip: int) -> Iterator[Any]:
        """What is chosen for each batch of one epoch, from number `skip` on: numbers of items, or the items
        themselves of a data set that gives them in its own order."""
        if isinstance(self.dataset, IterableDataset):
            items = iter(self.dataset)
            batches = items if self.batch_size is None else batched(items, self.batch_size, self.drop_last)
            return itertools.islice(batches, skip, None)
        return itertools.islice(self.sampler if self.batch_sampler is None else self.batch_sampler, skip, None)

    def _whole(self) -> Whole | None:
        """The arrays of which batches are rows, and which of their rows are the items; None where they are not."""
        takes_rows = self.batch_sampler is not None and self.collate_fn is None
        return whole_arrays(self.dataset) if takes_rows else None

    def _maker(self) -> Callable[[Any], Any]:
        """What makes a batch of the numbers of its items, or an item of its number; or of items what they are."""
        dataset, whole = self.dataset, self._whole()
        if isinstance(dataset, IterableDataset):
            return self.collate_fn or (default_convert if self.batch_size is None else default_collate)
        if self.batch_sampler is None:
            convert = self.collate_fn or default_convert
            return lambda index: convert(dataset[index])
        if whole is not None:
            return lambda batch: _gather(*whole, batch)
        collate = self.collate_fn or default_collate
        return lambda batch: collate([dataset[index] for index in batch])


class _Epoch(Iterator[Any]):
    """One pass over the batches that knows how many it has handed out."""

    def __init__(
        self, chosen: Iterator[Any], make: Callable[[Any], Any], whole: Whole | None, position: int, sampler_state: Any
    ) -> None:
        self._chosen, self._make, self._whole = chosen, make, whole
        self.position = position
        self.sampler_state = sampler_state
        self.finished = False

    def __next__(self) -> Any:
        refuse_while_recording("a DataLoader for a batch")
        batch = self._make(self._next_chosen())
        self.position += 1
        return batch

    def _next_chosen(self) -> Any:
        try:
            return next(self._chosen)
        except StopIteration:
            self.finished = True
            raise

    def take_rows(self, most: int) -> tuple[tuple[Array, ...], Array] | None:
        """The next batches, at most so many of equal length, as rows of whole arrays: the arrays, and the rows'
        numbers (batches, batch size). They count as handed out. None at the end of the epoch.

        Raises NotImplementedError where batches are not rows of whole arrays; `has_rows` tells.
        """
        if self._whole is None:
            raise NotImplementedError("the batches of this data set are not rows of whole arrays")
        arrays, rows = self._whole
        taken: list[Any] = []
        while len(taken) < most:
            try:
                batch = next(self._chosen)
            except StopIteration:
                self.finished = not taken  # while there are some, the epoch is over when the next are asked for
                break
            if taken and len(batch) != len(taken[0]):
                self._chosen = itertools.chain([batch], self._chosen)
                break
            taken.append(batch)
        if not taken:
            return None
        self.position += len(taken)
        return arrays, _row_numbers(arrays, rows, taken)

    @property
    def has_rows(self) -> bool:
        """Whether batches are rows of whole arrays."""
        return self._whole is not None


def _row_numbers(arrays: tuple[Array, ...], rows: Array | None, items: Any) -> Array:
    """The rows of the arrays that items are.

    Raises IndexOutOfRange when there is no such item.
    """
    index = np.asarray(items, dtype=np.int64)
    length = len(arrays[0]) if rows is None else len(rows)
    if index.size and not (-length <= index.min() and index.max() < length):
        wrong = index[(index < -length) | (index >= length)][0]
        raise IndexOutOfRange(f"the sampler chose item {wrong}, but the data set has {length} items")
    index = np.where(index < 0, index + length, index)
    return index if rows is None else rows[index]


def _gather(arrays: tuple[Array, ...], rows: Array | None, batch: Any) -> list[Any]:
    """A batch of whole arrays: the items at these numbers, which are rows of the arrays."""
    chosen = _row_numbers(arrays, rows, batch)
    return [fresh_tensor(array.take(chosen, axis=0)) for array in arrays]


def _check_combination(
    dataset: Any, batch_size: int | None, shuffle: bool, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    """Raise ArgumentError for arguments that exclude each other, or a batch size that is none."""
    if batch_size is not None:
        check_batch_size(batch_size)
    orders = {"shuffle": shuffle, "sampler": sampler is not None, "batch_sampler": batch_sampler is not None}
    given = [name for name, is_given in orders.items() if is_given]
    if isinstance(dataset, IterableDataset) and given:
        raise ArgumentError(f"an IterableDataset decides its order itself; {given[0]} cannot be given with it")
    if len(given) > 1:
        raise ArgumentError(f"{' and '.join(given)} each decide the order; give one of them")
    if batch_sampler is not None and (batch_size not in (1, None) or drop_last):
        raise ArgumentError("batch_sampler decides the batches; batch_size and drop_last cannot be given with it")
    if batch_sampler is None and batch_size is None and drop_last:
        raise ArgumentError("drop_last needs batches; with batch_size=None there are none")
    if not isinstance(dataset, IterableDataset) and not hasattr(dataset, "__getitem__"):
        raise ArgumentError(
            f"a data set has __getitem__ and __len__, or is an IterableDataset; got {type(dataset).__name__}"
        )
