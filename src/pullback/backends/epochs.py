"""A compiled function over many batches: natively in portions where that can be, else call by call."""

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.trees import flatten, unflatten
from pullback.ir.mode import edits, mode
from pullback.ir.node import Value
from pullback.tensor.tensor import Tensor, from_array


class Repeatable(Protocol):
    """A compiled function, as much of it as is needed to run it over batches; as `backends.compile.Compiled`.

    `rooms` are the tensors that batches are gathered in, by size and types.
    """

    backend: str
    rooms: dict[Any, list[Tensor]]

    def __call__(self, *args: Any) -> Any:
        """The function's result."""

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Tensor]]:
        """The traced form for these arguments, and the tensors among them."""


def run_over(
    compiled: Repeatable, batches: Iterable[Any], advance: Callable[[], Any] | None, most: int
) -> Iterator[Any]:
    """The results of the function on each batch, those of several steps stacked; see `Compiled.over`."""
    iterator = iter(batches)
    has_rows = getattr(iterator, "has_rows", None)  # a DataLoader tells
    if compiled.backend != "native" or mode.recorder is not None or has_rows is False:
        yield from _call_by_call(compiled, iterator, advance)
    elif has_rows:
        yield from _in_portions(compiled, iterator, advance, most)
    elif isinstance(batches, (list, tuple, itertools.repeat)):
        yield from _in_repeats(compiled, iterator, advance, most)
    else:  # whoever makes the batches may look at the state, or set a rate, between one and the next
        yield from _call_by_call(compiled, iterator, advance)


def _native_epoch(compiled: Repeatable, given: Sequence[Tensor], sources: Sequence[Array] | None) -> Any:
    """The function's present form as a native epoch; None where its steps need Python."""
    from pullback.backends.native.epochs import NativeEpoch  # LLVM is loaded where it is first needed

    entry, tensors = compiled._entry(tuple(given), {})
    outside = mode.grad and entry.traced.differentiable
    if outside or len(tensors) != len(given) or not NativeEpoch.can_run(entry.step):
        return None
    return entry.epoch(NativeEpoch, given, sources)


def _in_portions(compiled: Repeatable, iterator: Any, advance: Callable[[], Any] | None, most: int) -> Iterator[Any]:
    """Batches that are rows of whole arrays: gathered inside."""
    from pullback.backends.native.epochs import batch_tensors  # LLVM is loaded where it is first needed

    portion = 1
    while (taken := iterator.take_rows(min(portion, most or portion))) is not None:
        sources, order = taken
        kind = order.shape[1], *((array.shape[1:], array.dtype) for array in sources)
        if kind not in compiled.rooms:
            compiled.rooms[kind] = batch_tensors(sources, order.shape[1])
        given = compiled.rooms[kind]
        epoch = _native_epoch(compiled, given, sources)
        if epoch is None:
            yield _joined(list(_row_by_row(compiled, sources, order, advance)))
            portion = 1
            continue
        yield epoch.step.traced.result_of(epoch.run(len(order), order, advance))
        portion = epoch.steps_in_a_window()


def _in_repeats(
    compiled: Repeatable, iterator: Iterator[Any], advance: Callable[[], Any] | None, most: int
) -> Iterator[Any]:
    """Any batches: those that are the very same tensors several times over run in one native call."""
    portion, waiting = 1, next(iterator, None)
    while waiting is not None:
        batch, repeats = _as_args(waiting), 1
        if not all(type(x) is Tensor for x in batch) or len(set(map(id, batch))) < len(batch):
            yield from _call_by_call(compiled, itertools.chain([batch], iterator), advance)
            return
        values = [x._value for x in batch]
        limit = min(portion, most or portion)
        first, edited, waiting = waiting, edits.count, None
        for following in itertools.islice(iterator, limit - 1):
            is_first = following is first and edits.count == edited
            if not is_first and not _are_same(batch, values, following):
                waiting = following
                break
            repeats += 1
        if waiting is None:
            waiting = next(iterator, None)
        # Whoever gives the batches may have written the next one into the same tensors.
        batch = tuple(x if x._value is v else Tensor(v) for x, v in zip(batch, values, strict=True))
        epoch = _native_epoch(compiled, batch, None)
        if epoch is None:
            rest = itertools.chain(itertools.repeat(batch, repeats), [] if waiting is None else [waiting], iterator)
            yield from _call_by_call(compiled, rest, advance)
            return
        yield epoch.step.traced.result_of(epoch.run(repeats, None, advance))
        portion = epoch.steps_in_a_window()


def _as_args(batch: Any) -> tuple[Any, ...]:
    return tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)


def _are_same(args: tuple[Tensor, ...], values: Sequence[Value], batch: Any) -> bool:
    """Whether the batch is these very tensors, and nobody has written into them since they had these values."""
    others = _as_args(batch)
    same = len(args) == len(others) and all(map(operator.is_, args, others))
    return same and all(x._value is v for x, v in zip(args, values, strict=True))


def _row_by_row(
    compiled: Repeatable, sources: Sequence[Array], order: Array, advance: Callable[[], Any] | None
) -> Iterator[Any]:
    batches = ([from_array(source.take(rows, axis=0)) for source in sources] for rows in order)
    return _call_by_call(compiled, batches, advance)


def _call_by_call(compiled: Repeatable, batches: Iterator[Any], advance: Callable[[], Any] | None) -> Iterator[Any]:
    """One result at a time, each before the next batch is asked for: whoever gives the batches may save where it is."""
    for batch in batches:
        result = compiled(*_as_args(batch))
        if advance is not None:
            advance()
        leaves, structure = flatten(result)
        yield unflatten(structure, [from_array(x.array()[None]) if isinstance(x, Tensor) else x for x in leaves])


def _joined(results: Sequence[Any]) -> Any:
    """The results of several steps, each stacked over some, as one stacked over all."""
    leaves, structures = zip(*map(flatten, results), strict=True)
    joined = [
        from_array(np.concatenate([x.array() for x in column])) if isinstance(column[0], Tensor) else column[0]
        for column in zip(*leaves, strict=True)
    ]
    return unflatten(structures[0], joined)
