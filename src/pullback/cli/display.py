"""Training as it happens: a line for each epoch, and on a terminal a bar below them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pullback.cli.console import console
from pullback.train.events import EpochDone, Event, Listener, Remark, RunEnded, RunStarted, StepDone
from pullback.train.run import Run
from pullback.train.run_folder import RunFolder
from pullback.train.validate import WATCHED

_SMOOTHING = 0.98  # of the loss that the bar shows, from step to step
_MOST_LINES = 40  # of epochs; of more epochs every second or third is told
_PATIENCE = 0.1  # seconds between two looks of the bar

_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "validation_accuracy": ("val accuracy", lambda x: f"{100 * x:.2f} %"),
    "validation_r2": ("val R²", lambda x: f"{x:.4f}"),
    "validation_bits": ("val bits", lambda x: f"{x:.4f}"),
}
_METRICS = {task: f"validation_{names[0]}" for task, names in WATCHED.items()}


@contextmanager
def open_display(run: Run, folder: RunFolder, quiet: bool) -> Iterator[Listener]:
    """What listens to the training loop, for as long as it runs: nothing, plain lines, or lines and a bar."""
    if quiet:
        yield lambda event: None
        return
    _introduce(run, folder)
    if not console().is_terminal:
        yield Lines(run).tell
        return
    with _make_bar() as bar:
        yield Bar(run, bar, Lines(run)).tell


def _introduce(run: Run, folder: RunFolder) -> None:
    """What is trained on what, and where it goes."""
    problem, config = run.problem, run.config
    numbers = sum(parameter.numel() for parameter in run.model.parameters())
    rows = [f"{len(part):,}" for part in (problem.train, problem.validation, problem.test)]
    windows = f", windows of {problem.inputs} characters" if problem.task == "language" else ""
    epochs = "1 epoch" if config.training.epochs == 1 else f"{config.training.epochs} epochs"
    to_tell = [
        f"Network     {config.model.words(problem.inputs, problem.outputs)}, {numbers:,} parameters",
        f"Rows        {rows[0]} to train on, {rows[1]} to validate, {rows[2]} to test{windows}",
        f"Learning    {config.optimizer.name}, learning rate {config.optimizer.lr:g} {config.schedule.name}",
        f"            {epochs} in batches of {config.training.batch_size}, seed {config.seed}",
        f"Run folder  {folder}",
        *(f"Note        {note}" for note in problem.notes),
    ]
    if run.progress.epoch or run.progress.step:
        to_tell.append(f"Resumed     in epoch {run.progress.epoch + 1}, after step {run.progress.step}")
    for line in to_tell:
        console().print(line, soft_wrap=True, markup=False)
    console().print()


class Lines:
    """A line for each epoch."""

    def __init__(self, run: Run) -> None:
        self.metric = _METRICS[run.problem.task]
        self.rows, self.started = 0, time.perf_counter()
        self.stride, self.got_better = 1, False
        self.print: Callable[[str], Any] = lambda line: console().print(line, soft_wrap=True)

    def tell(self, event: Event) -> None:
        """Print what an event is worth."""
        if isinstance(event, RunStarted):
            self.print(f"{'epoch':>9}  {'train loss':>10}  {'val loss':>8}  {_COLUMNS[self.metric][0]:>12}  samples/s")
            self.epochs, self.started = event.epochs, time.perf_counter()
            self.stride = -(-event.epochs // _MOST_LINES)
        elif isinstance(event, StepDone):
            self.rows += event.rows
        elif isinstance(event, EpochDone):
            self.got_better |= event.is_best
            if event.record["epoch"] % self.stride == 0 or event.record["epoch"] == self.epochs:
                self.print(self._line(event))
                self.rows, self.started, self.got_better = 0, time.perf_counter(), False
        elif isinstance(event, RunEnded) and event.why == "stopped early":
            self.print("Stopped early: validation has not got better for as many epochs as patience allows")
        elif isinstance(event, Remark):
            self.print(event.text)

    def _line(self, event: EpochDone) -> str:
        record = event.record
        speed = self.rows / (time.perf_counter() - self.started)
        metric = _COLUMNS[self.metric][1](record[self.metric])
        place = f"{record['epoch']:.0f}/{self.epochs}"
        losses = f"{record['train_loss']:>10.4f}  {record['validation_loss']:>8.4f}"
        line = f"{place:>9}  {losses}  {metric:>12}  {speed:>9,.0f}"
        return f"{line}  better" if self.got_better else line


class Bar:
    """Lines, and below them a bar that moves with every step."""

    def __init__(self, run: Run, bar: Any, lines: Lines) -> None:
        self.bar, self.lines = bar, lines
        lines.print = lambda line: bar.console.print(line, soft_wrap=True)
        self.task: Any = None
        self.loss, self.metric, self.rows = float("nan"), "", 0
        self.shown = self.started = time.perf_counter()

    def tell(self, event: Event) -> None:
        """Move the bar, and print what an event is worth above it."""
        self.lines.tell(event)
        if isinstance(event, RunStarted):
            self._start(event)
        elif isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, EpochDone):
            self.metric = _COLUMNS[self.lines.metric][1](event.record[self.lines.metric])

    def _start(self, event: RunStarted) -> None:
        self.epochs, self.steps, self.started = event.epochs, event.steps, time.perf_counter()
        done = event.epoch * event.steps + event.step
        self.task = self.bar.add_task("", total=event.epochs * event.steps, completed=done, told="")

    def _step(self, event: StepDone) -> None:
        known = self.loss == self.loss
        self.loss = _SMOOTHING * self.loss + (1 - _SMOOTHING) * event.loss if known else event.loss
        self.rows += event.rows
        now = time.perf_counter()
        done = event.epoch * self.steps + event.step
        if now - self.shown >= _PATIENCE or done == self.epochs * self.steps:
            self.shown = now
            accuracy = f"  val {self.metric}" if self.metric else ""
            told = f"loss {self.loss:.4f}{accuracy}  {self.rows / (now - self.started):,.0f} samples/s"
            place = f"epoch {event.epoch + 1}/{self.epochs}"
            self.bar.update(self.task, completed=done, description=place, told=told)


def _make_bar() -> Any:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", style="bold"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("left", style="dim"),
        console=console(),
        transient=True,
    )
