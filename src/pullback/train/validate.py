"""What a network gives for rows, without learning from them, and how good that is."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pullback.backends.compile import compile
from pullback.base.dtypes import Array
from pullback.data.loader import DataLoader
from pullback.grad.backward import no_grad
from pullback.nn.module import Module
from pullback.tensor.creation import from_numpy
from pullback.tensor.tensor import Tensor
from pullback.train.metrics import METRICS
from pullback.train.run import Run

ROWS_AT_ONCE = 500
# What is watched in training, by task; all metrics are taken once at the end.
WATCHED = {"classification": ("accuracy",), "regression": ("r2",)}


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
    outputs, targets = outputs_of(run.model, run.problem.validation, run.forward)
    with no_grad():
        loss = run.loss(from_numpy(outputs), from_numpy(targets)).item()
    if not math.isfinite(loss):
        return {"validation_loss": loss}
    named = {name: METRICS[name].compute(outputs, targets) for name in WATCHED[run.problem.task]}
    return {"validation_loss": loss, **{f"validation_{name}": value for name, value in named.items()}}
