"""The DataLoader: batches of a data set, in an order that a seed decides, from a position that can be saved."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from pullback.base.errors import ArgumentError, StateError
from pullback.data.collate import default_collate
from pullback.data.convert import fresh_tensor
from pullback.data.datasets import IterableDataset, whole_arrays
from pullback.data.samplers import BatchSampler, RandomSampler, SequentialSampler, batched


class DataLoader:
    """Batches of a data set.

    Arguments are PyTorch's. `shuffle` takes the items in a random order, a new one each epoch, which `seed` decides
    (or the seed of `generator`, or that of `pb.manual_seed`). `sampler` chooses the order itself, `batch_sampler` the
    batches. A last batch that is not full is left out with `drop_last`. `batch_size=None` gives the items one by one.
    `collate_fn` makes a batch of a list of items (see `default_collate`). Batches are made where they are asked
    for: `num_workers` can only be 0, and `pin_memory` changes nothing, as there is no second memory.

    A TensorDataset, or a subset of one, is never taken apart into items: every batch is one gather from each array.

    **Position.** `state_dict()`, called at any moment, also in the middle of an epoch, holds the seed, the epoch
    and the number of batches handed out. A new loader that loads it goes on with the very next batch. (With a
    sampler of your own this holds when it gives the same order again, or has `state_dict` and `load_state_dict`.)

    Raises ArgumentError for arguments that exclude each other.

    >>> import pullback as pb
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
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Any = None,
        seed: int | None = None,
    ) -> None:
        if num_workers != 0:
            raise ArgumentError(f"num_workers must be 0: batches are made in the calling process; got {num_workers}")
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.collate_fn, self.pin_memory, self.num_workers = collate_fn, pin_memory, num_workers
        self.sampler: Any = None
        self.batch_sampler: Any = None
        if isinstance(dataset, IterableDataset):
            _refuse_order(shuffle, sampler, batch_sampler)
        elif batch_sampler is not None:
            _refuse_batches(batch_size, shuffle, sampler, drop_last)
            self.batch_size, self.batch_sampler = None, batch_sampler
            self.sampler = getattr(batch_sampler, "sampler", None)
        else:
            self.sampler = _choose_sampler(dataset, shuffle, sampler, generator, seed)
        if batch_size is not None and batch_sampler is None:
            # Also checks batch_size for an IterableDataset, whose items it is never asked for.
            self.batch_sampler = BatchSampler(self.sampler if self.sampler is not None else (), batch_size, drop_last)
        elif batch_size is None and drop_last:
            raise ArgumentError("drop_last needs batches; with batch_size=None there are none")
        self._running: _Epoch | None = None
        self._resume: Mapping[str, Any] | None = None
        self._epochs = 0

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        ...
