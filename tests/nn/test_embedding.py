"""Embeddings where no row says it: words that are not there, refusals, bags that end before the input does."""

import numpy as np
import pytest

import pullback as pb
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, DTypeError, GradientError, IndexOutOfRange, ShapeError
from tests.contracts.backends import Backend
from tests.contracts.calls import spread

WORDS = pb.tensor([1, 4, 0, 4, 2, 4])


def table() -> pb.Tensor:
    return spread(5, 3, seed=6).tensor(pb).detach()


@pytest.mark.parametrize("wrong", [5, -1])
def test_a_word_that_is_not_there(wrong: int, backend: Backend) -> None:
    words = pb.nn.Embedding(5, 3)
    with pytest.raises(IndexOutOfRange, match=rf"embedding of 5 rows takes indices from 0 to 4; got {wrong}"):
        words(pb.tensor([0, wrong]))
    with pytest.raises(IndexOutOfRange):
        backend.compile(words)(pb.tensor([0, wrong]))


def test_refusals_say_what_to_write() -> None:
    w = table()
    with pytest.raises(DTypeError, match=r"int64 or int32; got float64: write input.long\(\)"):
        F.embedding(w, w)
    with pytest.raises(ShapeError, match=r"weight \(rows, size\); got the shape \(3,\)"):
        F.embedding(WORDS, w[0])
    with pytest.raises(ArgumentError, match="Embedding of 5 rows needs padding_idx from -5 to 4; got 5"):
        pb.nn.Embedding(5, 3, padding_idx=5)
    with pytest.raises(ShapeError, match=r"4 rows of 3 has the shape \(4, 3\); got \(5, 3\)"):
        pb.nn.Embedding(4, 3, _weight=w)
    with pytest.raises(ShapeError, match=r"\(rows, size\); got the shape \(3,\)"):
        pb.nn.EmbeddingBag.from_pretrained(w[0])
    with pytest.raises(ArgumentError, match="offsets rise from 0 to at most the input's 6 entries; got"):
        F.embedding_bag(WORDS, w, pb.tensor([0, 3, 2]))
    with pytest.raises(ArgumentError, match="modes sum, mean, max; got 'median'"):
        F.embedding_bag(WORDS, w, pb.tensor([0]), mode="median")
    with pytest.raises(GradientError, match="it must be a leaf"):
        F.embedding(WORDS, w.requires_grad_() * 2, max_norm=1.0)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_may_end_before_the_input_does(mode: str) -> None:
    """PyTorch takes what lies behind the last bag into it, or leaves its gradient unset, depending on the dtype."""
    w = table().requires_grad_()
    found = F.embedding_bag(WORDS, w, pb.tensor([0, 1, 4]), mode=mode, include_last_offset=True)
    wanted = F.embedding_bag(WORDS[:4], w, pb.tensor([0, 1]), mode=mode)
    assert found.tolist() == wanted.tolist()
    for y in (found, wanted):
        y.sum().backward()
    assert w.grad.array()[2].tolist() == [0.0, 0.0, 0.0]


def test_of_equal_rows_the_first_has_the_gradient() -> None:
    """As in PyTorch, whichever way the bags are given."""
    for words, offsets in ((pb.tensor([[1, 0]]), None), (pb.tensor([1, 0]), pb.tensor([0]))):
        w = pb.ones(2, 3).requires_grad_()
        F.embedding_bag(words, w, offsets, mode="max").sum().backward()
        assert w.grad.tolist() == [[0.0] * 3, [1.0] * 3]


def test_new_tables_are_normally_distributed() -> None:
    pb.manual_seed(1)
    numbers = pb.nn.Embedding(2000, 10).weight.detach().numpy()
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.02
    assert np.abs(numbers).max() > 3


def test_a_table_learns_within_a_compiled_step(backend: Backend) -> None:
    words = pb.nn.Embedding(5, 3, padding_idx=0)
    optimizer = pb.optim.SGD(words.parameters(), lr=0.5)

    def step(batch: pb.Tensor) -> pb.Tensor:
        optimizer.zero_grad()
        loss = (words(batch) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    compiled = backend.compile(step)
    assert compiled(pb.tensor([1, 0, 2])).item() > compiled(pb.tensor([1, 0, 2])).item()
    assert words.weight.detach()[1:3].tolist() == [[0.0] * 3] * 2
    assert words.weight.detach()[3:].abs().sum().item() > 0
