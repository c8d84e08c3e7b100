"""What a network gives for rows, without learning from them, and how good that is."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import pullback.nn.functional as F
from pullback.backends.compile import compile
from pullback.base.dtypes import Array
from pullback.data.loader import DataLoader
from pullback.data.text import UNCOUNTED
from pullback.grad.backward import no_grad
from pullback.nn.module import Module
from pullback.tensor.creation import from_numpy, full
from pullback.tensor.shaping import cat
from pullback.tensor.tensor import Tensor
from pullback.train.metrics import METRICS
from pullback.train.report import TextReport
from pullback.train.run import Run, scores_in

ROWS_AT_ONCE = 500
CHARACTERS_AT_ONCE = 16_384
# What is watched in training, by task; all metrics are taken once at the end.
WATCHED = {"classification": ("accuracy",), "regression": ("r2",), "language": ("bits",)}


def outputs_of(model: Module, dataset: Any, forward: Callable[[Tensor], Tensor] | None = None) -> tuple[Array, Array]:
    """What the model gives for the rows of a data set (n, outputs), and their targets, in evaluation mode.

    `forward` is the model's compiled call, when there is one already.
    """
    was_training = model.training
    model.eval()
    forward = forward or compile(model.__call__)
    with no_grad():
        batches = [(forward(rows), targets) for rows, targets in DataLoader(dataset, ROWS_AT_ONCE)]
    model.train(was_training)
    outputs, targets = zip(*batches, strict=True)
    return np.concatenate([x.numpy() for x in outputs]), np.concatenate([y.numpy() for y in targets])


def validate(run: Run) -> dict[str, float]:
    """Loss and watched metrics on the validation rows, under the names that metrics.jsonl has.

    A loss that is NaN or infinite comes alone: there is nothing to measure then.
    """
    if run.problem.task == "language":
        told = tell_text(run.model, run.problem.validation, run.forward)
        return {"validation_loss": told.loss, "validation_bits": told.bits}
    outputs, targets = outputs_of(run.model, run.problem.validation, run.forward)
    with no_grad():
        loss = run.loss(from_numpy(outputs), from_numpy(targets)).item()
    if not math.isfinite(loss):
        return {"validation_loss": loss}
    named = {name: METRICS[name].compute(outputs, targets) for name in WATCHED[run.problem.task]}
    return {"validation_loss": loss, **{f"validation_{name}": value for name, value in named.items()}}


def tell_text(model: Module, windows: Any, forward: Callable[[Tensor], Any] | None = None) -> TextReport:
    """How well a model tells the characters of windows of text, of which targets of −100 do not count."""
    was_training = model.training
    model.eval()
    forward = forward or compile(model.__call__)
    loss, right, count = 0.0, 0, 0
    at_once = min(len(windows), max(1, CHARACTERS_AT_ONCE // windows[0][0].shape[0]))
    with no_grad():
        for rows, targets in DataLoader(windows, at_once):
            rows, targets = _filled_up(rows, at_once, 0), _filled_up(targets, at_once, UNCOUNTED)
            scores, wanted = scores_in(forward(rows)).flatten(0, 1), targets.flatten()
            loss += F.cross_entropy(scores, wanted, reduction="sum").item()
            found, counted = scores.numpy().argmax(axis=1), wanted.numpy() != UNCOUNTED
            right += int((found == wanted.numpy())[counted].sum())
            count += int(counted.sum())
    model.train(was_training)
    return TextReport(loss / count, loss / count / math.log(2), right / count, count)


def _filled_up(rows: Tensor, count: int, value: int) -> Tensor:
    """The rows with as many more as make up `count`: a last batch as large as all others needs no further program."""
    if len(rows) == count:
        return rows
    return cat([rows, full((count - len(rows), *rows.shape[1:]), value, dtype=rows.dtype)])
