"""Clipping of gradients within compiled steps, and what it refuses. Its numbers beside PyTorch's: rows_clipping.py."""

import math
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError, GradientError, TraceError
from pullback.nn.clip import clip_grad_norm_, clip_grad_value_, get_total_norm
from tests.contracts.backends import Backend


def parameters() -> list[pb.Tensor]:
    return [pb.tensor([3.0, -4.0], requires_grad=True), pb.tensor([[12.0]], requires_grad=True)]


def clipped_step(params: list[pb.Tensor], clip: Any) -> Any:
    """A function that computes the gradient x of ½x² and clips it."""

    def step(limit: Any) -> Any:
        for p in params:
            p.grad = None
        sum((0.5 * p * p).sum() for p in params).backward()
        return clip(params, limit)

    return step


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_], ids=["norm", "value"])
@pytest.mark.parametrize("limit", [6.5, 100.0])
def test_compiled_clips_as_eager_does(clip: Any, limit: float, backend: Backend) -> None:
    eager, traced = parameters(), parameters()
    given = clip if clip is clip_grad_norm_ else lambda params, _: clip(params, limit)
    norm = clipped_step(eager, given)(limit)
    step = backend.compile(clipped_step(traced, given))
    for _ in range(2):
        compiled_norm = step(limit)
    assert step.traces == 1
    assert norm is None or norm.item() == 13.0
    backend.assert_agrees([compiled_norm, *(q.grad for q in traced)], [norm, *(p.grad for p in eager)])


def test_the_limit_may_change_without_tracing_anew() -> None:
    params = parameters()
    step = pb.compile(clipped_step(params, clip_grad_norm_))
    for limit in (1.0, 6.5):
        step(limit)
        assert get_total_norm([p.grad for p in params]).item() == pytest.approx(limit, rel=1e-5)
    step(pb.tensor(2.0))
    assert get_total_norm([p.grad for p in params]).item() == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_a_norm_that_is_no_number_is_an_error_when_asked_for(number: float) -> None:
    p = pb.zeros(2, requires_grad=True)
    p.grad = pb.tensor([1.0, number])
    with pytest.raises(GradientError, match=r"norm of order 2\.0 of the gradients is (inf|nan)"):
        clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    assert p.grad.tolist()[0] == 1.0
    clip_grad_norm_([p], 1.0)
    assert p.grad.tolist()[0] != 1.0


def test_a_compiled_function_cannot_look_at_the_norm() -> None:
    step = pb.compile(clipped_step(parameters(), lambda params, limit: clip_grad_norm_(params, limit, 2.0, True)))
    with pytest.raises(TraceError, match="return the norm from the function"):
        step(1.0)


def test_a_generator_of_parameters_is_clipped_whole() -> None:
    params = parameters()
    clipped_step(params, lambda params, limit: clip_grad_norm_((p for p in params), limit))(6.5)
    assert [p.grad.tolist() for p in params] == [pytest.approx([1.5, -2.0]), [pytest.approx([6.0])]]


def test_a_negative_bound_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least 0; got -1"):
        clip_grad_value_(parameters(), -1.0)


def test_a_bound_that_is_no_number_is_refused() -> None:
    w = pb.ones(2, requires_grad=True)
    (3 * w).sum().backward()
    with pytest.raises(DTypeError, match="clip_value is a number; got str"):
        clip_grad_value_(w, "a")  # type: ignore[arg-type]
    clip_grad_value_(w, np.float32(0.5))  # type: ignore[arg-type]
    assert w.grad is not None
    assert w.grad.tolist() == [0.5, 0.5]
