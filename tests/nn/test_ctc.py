"""The CTC loss: infinities without NaN, compiled functions that take lengths, programs that do not grow."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
import pullback.nn.functional as F
from pullback.base.errors import PullbackError
from pullback.tensor.tracing import trace
from tests.contracts.backends import Backend
from tests.contracts.calls import spread

LABELS = pb.tensor([[1, 2, 3], [3, 3, 1]])
X = spread(6, 2, 4, seed=3).tensor(pb)


def gradients(x: pb.Tensor, loss: pb.Tensor) -> list[np.ndarray[Any, Any]]:
    """The first derivative, and that of its squares."""
    (first,) = pb.autograd.grad(loss, x, create_graph=True)
    (second,) = pb.autograd.grad((first * first).sum(), x)
    return [first.detach().numpy(), second.numpy()]


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_what_cannot_be_aligned_has_no_gradient(zero_infinity: bool, backend: Backend) -> None:
    def step(x: pb.Tensor) -> list[pb.Tensor]:
        losses = F.ctc_loss(x.log_softmax(-1), LABELS, (6, 3), (3, 3), reduction="none", zero_infinity=zero_infinity)
        (g,) = pb.autograd.grad(losses.sum(), x, create_graph=True)
        return [losses, g, *pb.autograd.grad((g * g).sum(), x)]

    losses, g, second = backend.compile(step)(X)
    assert losses[1].item() == (0.0 if zero_infinity else math.inf), "3, 3, 1 takes four steps"
    assert np.isfinite(g.detach().numpy()).all()
    assert np.isfinite(second.numpy()).all()
    assert (g[:, 1] == 0).all()
    assert (g[:, 0] != 0).any()


def test_impossible_labels_leave_the_rest_their_gradient() -> None:
    x = X.detach().clone()
    x[2, 0, 1:] = -math.inf  # a step that is a blank for certain
    x[:, 1, 3] = -math.inf  # a label that never comes
    x.requires_grad_()
    losses = F.ctc_loss(x.log_softmax(-1), LABELS, (6, 6), (3, 3), reduction="none", zero_infinity=True)
    assert losses[1].item() == 0.0
    first, second = gradients(x, losses.sum())
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()
    assert (first[:, 0] != 0).any()


def test_far_probabilities_do_not_overflow() -> None:
    x = pb.tensor(X.detach().numpy() * 1e4).requires_grad_()
    loss = F.ctc_loss(x.log_softmax(-1), LABELS, (6, 6), (3, 3))
    assert math.isfinite(loss.item())
    assert all(np.isfinite(g).all() for g in gradients(x, loss))


def by_all_alignments(probabilities: np.ndarray[Any, Any], labels: list[int]) -> float:
    """The loss (t, c) from its definition."""
    steps, classes = probabilities.shape
    total = 0.0
    for code in range(classes**steps):
        path = [code // classes**t % classes for t in range(steps)]
        joined = [k for k, before in zip(path, [None, *path], strict=False) if k != before]
        if [k for k in joined if k] == labels:
            total += math.prod(probabilities[t, k] for t, k in enumerate(path))
    return -math.log(total)


@pytest.mark.parametrize("labels", [[1, 2], [1, 1], [2], []])
def test_is_the_sum_over_alignments(labels: list[int]) -> None:
    log_probs = X.detach()[:4, 0, :3].log_softmax(-1)
    given = pb.tensor(labels, dtype=pb.int64)
    found = F.ctc_loss(log_probs, given, (4,), (len(labels),), reduction="sum")
    assert found.item() == pytest.approx(by_all_alignments(log_probs.exp().numpy(), labels), rel=1e-12)


@pytest.mark.parametrize("in_rows", [True, False])
def test_lengths_may_change_from_call_to_call(in_rows: bool, backend: Backend) -> None:
    traces = []

    def step(x: pb.Tensor, labels: pb.Tensor, times: pb.Tensor, sizes: pb.Tensor) -> list[pb.Tensor]:
        traces.append(1)
        loss = F.ctc_loss(x.log_softmax(-1), labels, times, sizes)
        return [loss, *pb.autograd.grad(loss, x)]

    compiled = backend.compile(step)
    for times, sizes in (((6, 5), (2, 3)), ((4, 6), (3, 2))):
        labels = LABELS if in_rows else pb.cat([LABELS[0, : sizes[0]], LABELS[1, : sizes[1]]])
        given = (X, labels, pb.tensor(times), pb.tensor(sizes))
        for a, b in zip(compiled(*given), step(*given), strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)
    assert len(traces) == 3, "traced once, and run twice eagerly"


def test_program_does_not_grow_with_the_steps() -> None:
    def nodes(steps: int) -> int:
        x = pb.zeros(steps, 2, 4, requires_grad=True)
        program = trace(lambda: pb.autograd.grad(F.ctc_loss(x, LABELS, (steps, steps), (3, 3)), x)).program
        inner = [node.params["program"] for node in program.nodes if "program" in node.params]
        return sum(len(part.nodes) for part in (program, *inner))

    assert nodes(8) == nodes(64)


REFUSALS: list[tuple[Callable[[], Any], str]] = [
    (lambda: F.ctc_loss(X, LABELS.double(), (6, 6), (3, 3)), "targets of integers"),
    (lambda: F.ctc_loss(X, LABELS + 1, (6, 6), (3, 3)), "labels from 0 to 3"),
    (lambda: F.ctc_loss(X, LABELS, (7, 6), (3, 3)), "input_lengths from 0 to the 6"),
    (lambda: F.ctc_loss(X, LABELS, (6, 6), (3, 4)), "target_lengths from 0 to the 3"),
    (lambda: F.ctc_loss(X, LABELS, (6,), (3, 3)), "input_lengths for each of 2"),
    (lambda: F.ctc_loss(X, LABELS, pb.tensor([6.0, 6.0]), (3, 3)), "input_lengths of integers"),
    (lambda: F.ctc_loss(X, LABELS.flatten(), (6, 6), (3, 2)), "add up to: 5; got 6"),
    (lambda: F.ctc_loss(X, LABELS[:1], (6, 6), (3, 2)), "each of 2 sequences"),
    (lambda: F.ctc_loss(X, LABELS, (6, 6), (3, 3), blank=4), "classes, 0 to 3; got 4"),
    (lambda: F.ctc_loss(X[0, 0], LABELS, (6, 6), (3, 3)), "log_probs of 2 or 3 dims"),
    (lambda: F.ctc_loss(X[:0], LABELS, (0, 0), (0, 0)), "one step or more"),
    (lambda: pb.nn.CTCLoss(reduction="all"), "reduction is one of"),
]


@pytest.mark.parametrize(("call", "words"), REFUSALS)
def test_wrong_use(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(PullbackError, match=re.escape(words)):
        call()
