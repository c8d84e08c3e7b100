"""A run's training step as source."""

from pullback.backends.compile import compile
from pullback.emit.source import source
from pullback.train.loop import training_step
from pullback.train.run import Run


def step_source(run: Run) -> str:
    """The training step of a run as a module of plain NumPy: forward, backward and update.

    The step is taken once for it, on the run's next batch: the run has moved on afterwards.
    """
    step = compile(training_step(run))
    rows, targets = next(iter(run.loader))
    run.model.train()
    step(rows, targets)
    return source(step)
