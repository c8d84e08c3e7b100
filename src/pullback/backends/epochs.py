"""A compiled function over many batches: natively in portions where that can be, else call by call."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.trees import flatten, unflatten
from pullback.ir.mode import mode
from pullback.tensor.tensor import Tensor, from_array

if TYPE_CHECKING:
    from pullback.backends.compile import Compiled

PORTION_SECONDS = 0.05  # after about so long, results are handed out


def run_over(
    compiled: "Compiled", batches: Iterable[Any], advance: Callable[[], Any] | None, most: int
) -> Iterator[Any]:
    """The results of the function on each batch, those of several steps stacked; see `Compiled.over`."""
    iterator = iter(batches)
    take_rows = iterator.take_rows if getattr(iterator, "has_rows", False) else None
    if take_rows is None or compiled.backend != "native" or mode.recorder is not None:
        yield from _call_by_call(compiled, iterator, advance, most)
        return
    yield from _in_portions(compiled, iterator, take_rows, advance, most)


def _in_portions(
    compiled: "Compiled",
    iterator: Iterator[Any],
    take_rows: Callable[[int], tuple[Sequence[Array], Array] | None],
    advance: Callable[[], Any] | None,
    most: int,
) -> Iterator[Any]:
    from pullback.backends.native.epochs import NativeEpoch, batch_tensors  # LLVM is loaded where it is first needed

    epochs: dict[int, NativeEpoch] = {}  # by the size of the batch
    portion, epoch = 1, None
    while (taken := take_rows(min(portion, most or portion))) is not None:
        sources, order = taken
        batch = order.shape[1]
        given = epochs[batch].given if batch in epochs else batch_tensors(sources, batch)
        entry, _ = compiled._entry(tuple(given), {})
        if not NativeEpoch.can_run(entry.step) or (mode.grad and entry.traced.differentiable):
            yield from _row_by_row(compiled, sources, order, advance, most)
            yield from _call_by_call(compiled, iterator, advance, most)
            return
        if batch not in epochs or epochs[batch].step is not entry.step:
            epochs[batch] = NativeEpoch(entry.step, given, sources)  # type: ignore[arg-type]  # can_run has looked
        epoch = epochs[batch]
        yield epoch.step.result_of(epoch.run(order, advance))
        portion = epoch.steps_in_a_window()


def _row_by_row(
    compiled: "Compiled", sources: Sequence[Array], order: Array, advance: Callable[[], Any] | None, most: int
) -> Iterator[Any]:
    batches = ([from_array(source.take(rows, axis=0)) for source in sources] for rows in order)
    return _call_by_call(compiled, batches, advance, most)


def _call_by_call(
    compiled: "Compiled", batches: Iterator[Any], advance: Callable[[], Any] | None, most: int
) -> Iterator[Any]:
    results: list[Any] = []
    started = time.perf_counter()
    for batch in batches:
        args = batch if isinstance(batch, (tuple, list)) else (batch,)
        results.append(compiled(*args))
        if advance is not None:
            advance()
        if (most and len(results) >= most) or time.perf_counter() - started > PORTION_SECONDS:
            yield _stacked(results)
            results, started = [], time.perf_counter()
    if results:
        yield _stacked(results)


def _stacked(results: Sequence[Any]) -> Any:
    """Several results of one structure as one, each tensor with a new first axis."""
    leaves, structures = zip(*map(flatten, results), strict=True)
    stacked = [
        from_array(np.stack([x.array() for x in column])) if isinstance(column[0], Tensor) else column[0]
        for column in zip(*leaves, strict=True)
    ]
    return unflatten(structures[0], stacked)
