"""What a worker runs: a training step in some library and mode, ready to be run for a number of calls."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Contender:
    """run(calls, every): make so many calls, wait for their results; the losses that were fetched, the last among them.

    A call is a step, or a whole epoch of `steps_per_call` steps. The loss is fetched every so many calls, as a person
    would who watches the training. An epoch gives the loss of each of its steps.
    """

    run: Callable[[int, int], list[float]]
    steps_per_call: int = 1
    step: Any = None  # the step itself, for a peer that can say more of it


def called(step: Callable[..., Any], batches: Sequence[tuple[Any, ...]], wait: Callable[[], object]) -> Contender:
    """A step that Python calls, batch by batch; the batches are prepared beforehand, for all contenders alike."""
    feed = itertools.cycle(batches)

    def run(calls: int, every: int) -> list[float]:
        losses = []
        for done in range(1, calls + 1):
            loss = step(*next(feed))
            if done % every == 0 or done == calls:
                losses.append(float(loss))
        wait()
        return losses

    return Contender(run)
