"""What the training loop tells whoever listens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Training begins, or goes on, with this step of this epoch (both counted from 0)."""

    epoch: int
    epochs: int
    step: int
    steps: int  # of an epoch
    rows: int  # of an epoch


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step was taken: its place in its epoch (the first is 1), its loss, and the rows that it saw."""

    epoch: int
    step: int
    loss: float
    rows: int


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch is over: its record as it stands in metrics.jsonl, and whether its weights are the best so far."""

    record: Mapping[str, float]
    is_best: bool


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Training is over: "finished", "stopped early" or "interrupted"."""

    why: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something else takes its time: a sentence that says what."""

    text: str


Event = RunStarted | StepDone | EpochDone | RunEnded | Remark
Listener = Callable[[Event], None]
