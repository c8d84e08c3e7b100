"""A training run from its beginning, or from where it stopped, to its test."""

import shutil
import time
from dataclasses import dataclass, replace

from pullback.base.dtypes import Array
from pullback.base.errors import DataError
from pullback.data.source import StrPath
from pullback.train.baseline import Baseline, count_beside
from pullback.train.config import Config
from pullback.train.events import Listener, Remark
from pullback.train.loop import train
from pullback.train.problem import Problem, load_problem
from pullback.train.report import Report, make_report
from pullback.train.run import Run
from pullback.train.run_folder import CHECKPOINT, NGRAMS, REPORT, TIME, RunFolder
from pullback.train.threads import one_thread
from pullback.train.validate import outputs_of, tell_text


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a run ended ("finished", "stopped early" or "interrupted"), and what it reached on the test rows.

    An interrupted run was not tested: its report is None, as are the outputs (n, outputs) and targets of the test;
    those of text are too large to be kept. `baseline` is what counting reaches on text, None for other data.
    """

    run: Run
    folder: RunFolder
    why: str
    report: Report | None = None
    outputs: Array | None = None
    targets: Array | None = None
    baseline: Baseline | None = None


def begin(config: Config, problem: Problem, parent: StrPath) -> tuple[Run, RunFolder]:
    """A new run, and a new folder for it in `parent`."""
    run = Run(config, problem)
    folder = RunFolder.create(parent, config.name)
    try:
        folder.begin(run)
    except KeyboardInterrupt:
        leave(folder)
        raise
    return run, folder


def leave(folder: RunFolder) -> str:
    """Leave a run at once, wherever it is: a sentence on what is left of it, and how it goes on.

    A folder in which nothing was saved yet is removed.
    """
    if folder.is_over:
        return f"Interrupted after the test; the run is complete but for its pictures: {folder}"
    if (folder.path / CHECKPOINT).exists():
        return f"Interrupted; what was learnt is saved; go on with: pullback train {folder} --resume"
    shutil.rmtree(folder.path)
    return f"Interrupted before anything was learnt; {folder} is removed"


def take_up(folder: RunFolder) -> Run:
    """The run of a folder, as it was when it was saved last.

    Raises DataError when it is over, and as `open_run` does.
    """
    if folder.is_over:
        raise DataError(f"{folder} was trained to its end; there is nothing to resume")
    return open_run(folder)


def open_run(folder: RunFolder) -> Run:
    """The run of a folder, over or not, as it was when it was saved last.

    Raises DataError when nothing was saved, or when its data has changed since.
    """
    if not (folder.path / CHECKPOINT).exists():
        raise DataError(f"{folder} has no {CHECKPOINT}: it stopped before anything was saved")
    config = folder.config()
    problem = load_problem(config.data, config.seed)
    if problem.fingerprint != folder.about().fingerprint:
        raise DataError(f"{config.data.source} has changed since {folder} was begun; a run goes on with the same data")
    run = Run(config, problem)
    run.load_state_dict(folder.checkpoint())
    return run


def carry_through(run: Run, folder: RunFolder, tell: Listener) -> Outcome:
    """Train, and unless that was interrupted, test the weights that were best on the validation rows."""
    with one_thread():
        return _carry_through(run, folder, tell)


def _carry_through(run: Run, folder: RunFolder, tell: Listener) -> Outcome:
    before, started = folder.seconds(), time.perf_counter()
    why = train(run, folder.save, tell)
    folder.save_last(run)
    seconds = before + time.perf_counter() - started
    folder.write_json(TIME, {"training_seconds": seconds})
    if why == "interrupted":
        return Outcome(run, folder, why)
    run.model.load_state_dict(run.progress.best)
    outcome = _tested(run, folder, why)
    if outcome.report is not None:
        best = {"epoch": run.progress.best_epoch, **run.progress.history[run.progress.best_epoch - 1]}
        folder.write_json(REPORT, {"ended": why, "best": best, "test": outcome.report.to_dict()})
    if run.problem.texts is None:
        return outcome
    tell(Remark(f"Counting n-grams beside it, for at most the {seconds:.0f} s that the network was trained"))
    baseline = count_beside(run.problem, seconds)
    folder.write_json(NGRAMS, baseline.to_dict())
    return replace(outcome, baseline=baseline)


def _tested(run: Run, folder: RunFolder, why: str) -> Outcome:
    """The outcome with what the network reaches on the test rows."""
    problem = run.problem
    if problem.task == "language":
        return Outcome(run, folder, why, tell_text(run.model, problem.test, run.forward))
    outputs, targets = outputs_of(run.model, problem.test)
    return Outcome(
        run, folder, why, make_report(outputs, targets, problem.class_names, problem.encoder), outputs, targets
    )
