"""Runs short enough for tests."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pullback.train.config import Config
from pullback.train.events import Event, StepDone
from pullback.train.problem import load_problem
from pullback.train.recipes import RECIPES
from pullback.train.session import Outcome, begin, carry_through, take_up

SHORT: dict[str, Any] = {
    "data": {"limit": 200},
    "model": {"hidden": [16], "dropout": 0.2, "input_dropout": 0.1},
    "training": {"epochs": 3, "batch_size": 64},  # 4 steps an epoch, the last of 8 rows
}


def nowhere(path: tuple[str, ...]) -> str:
    return ".".join(path)


def short_config(recipe: str = "digits", changes: Mapping[str, Any] | None = None) -> Config:
    return RECIPES[recipe].changed(SHORT, nowhere).changed(changes or {}, nowhere)


def run_through(config: Config, parent: Path, tell: Callable[[Event], None] = lambda event: None) -> Outcome:
    run, folder = begin(config, load_problem(config.data, config.seed), parent)
    return carry_through(run, folder, tell)


def run_with_stops(config: Config, parent: Path, stops: list[int]) -> tuple[Outcome, int]:
    """The run, interrupted after each of the numbers of steps given, and resumed; and how often it stopped."""
    outcome = run_through(config, parent, interrupt_after(stops[0]))
    interruptions = int(outcome.why == "interrupted")
    for steps in [*stops[1:], 10**9]:
        outcome = carry_through(take_up(outcome.folder), outcome.folder, interrupt_after(steps))
        interruptions += outcome.why == "interrupted"
    return outcome, interruptions


def interrupt_after(steps: int) -> Callable[[Event], None]:
    """A listener that presses Ctrl-C after so many steps."""
    left = steps

    def tell(event: Event) -> None:
        nonlocal left
        if isinstance(event, StepDone):
            left -= 1
            if left == 0:
                signal.raise_signal(signal.SIGINT)

    return tell
