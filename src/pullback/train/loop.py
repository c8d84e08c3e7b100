"""The training loop, written out once: forward, loss, backward, clip, update; validate, keep the best, save."""

import math
from collections.abc import Callable

from pullback.backends.compile import compile
from pullback.base.errors import PullbackError
from pullback.nn.clip import clip_grad_norm_
from pullback.tensor.tensor import Tensor
from pullback.train.events import EpochDone, Listener, RunEnded, RunStarted, StepDone
from pullback.train.interrupt import interruptible
from pullback.train.run import Run
from pullback.train.validate import validate


class Diverged(PullbackError):
    """Training that went to NaN or infinity."""


def train(run: Run, save: Callable[[Run], None], tell: Listener) -> str:
    """Train until the epochs are over, validation gets no better, or someone presses Ctrl-C.

    `save` is called after each epoch and when training is interrupted, `tell` with every event. Gives how it ended:
    "finished", "stopped early" or "interrupted". A run that was interrupted goes on from its very next step.

    Raises Diverged when the loss is NaN or infinite; what was saved last stays as it is.
    """
    settings, progress = run.config.training, run.progress
    step = compile(training_step(run))
    with interruptible() as interruption:
        tell(RunStarted(progress.epoch, settings.epochs, progress.step, len(run.loader), run.epoch_rows))
        while progress.epoch < settings.epochs and not _gave_up(run):
            run.model.train()
            for losses in step.over(run.loader, advance=run.schedule.step):
                for loss in losses.tolist():
                    _check_finite(run, loss, "loss")
                    rows = _rows_of_next_step(run)
                    progress.count(loss, rows)
                    tell(StepDone(progress.epoch, progress.step, loss, rows))
                if interruption.wished:
                    save(run)
                    return _end("interrupted", tell)
            record = {"learning_rate": run.optimizer.param_groups[0]["lr"], **validate(run)}
            _check_finite(run, record["validation_loss"], "validation loss")
            is_best = progress.close_epoch(record, run.model.state_dict())
            save(run)
            tell(EpochDone(progress.history[-1], is_best))
            if interruption.wished and progress.epoch < settings.epochs:
                return _end("interrupted", tell)
    return _end("stopped early" if progress.epoch < settings.epochs else "finished", tell)


def training_step(run: Run) -> Callable[[Tensor, Tensor], Tensor]:
    """One step of training as a function of a batch, to be compiled: it gives the loss before the update."""
    model, optimizer, clip_norm = run.model, run.optimizer, run.config.training.clip_norm

    def step(rows: Tensor, targets: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = run.loss(model(rows), targets)
        loss.backward()
        if clip_norm:
            clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        return loss

    return step


def _rows_of_next_step(run: Run) -> int:
    """How many rows the step after those that are counted sees: the last of an epoch may see fewer."""
    batch = run.config.training.batch_size
    return min(batch, run.epoch_rows - run.progress.step * batch)


def _gave_up(run: Run) -> bool:
    """Whether validation has not got better for as many epochs as patience allows."""
    patience, progress = run.config.training.patience, run.progress
    return bool(patience) and progress.epoch - progress.best_epoch >= patience and progress.epoch > 0


def _end(why: str, tell: Listener) -> str:
    tell(RunEnded(why))
    return why


def _check_finite(run: Run, loss: float, what: str) -> None:
    """Raise Diverged when the loss is no number any more, with what happened and what to do."""
    if math.isfinite(loss):
        return
    progress, clip = run.progress, run.config.training.clip_norm
    kept = f"the weights after epoch {progress.epoch} are saved" if progress.epoch else "nothing was learnt yet"
    remedy = "a smaller learning rate" + ("" if clip else ", or a limit for the gradient (clip_norm = 1)")
    raise Diverged(
        f"the {what} became {loss} in epoch {progress.epoch + 1}, step {progress.step + 1}, at the learning rate "
        f"{run.optimizer.param_groups[0]['lr']:.3g}; {kept}. Try {remedy}"
    )
