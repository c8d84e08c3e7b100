"""Sampling: which tokens can be drawn, how often, and when writing ends."""

import math
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.models.generate import generate, sample

LOGITS = pb.tensor([0.1, 0.4, 0.05, 0.25, 0.2]).log()  # as probabilities


def shares(**options: Any) -> list[float]:
    """How often each of five tokens is drawn."""
    g = pb.Generator().manual_seed(11)
    drawn = sample(LOGITS.expand(20_000, 5), generator=g, **options)
    return [(drawn == i).double().mean().item() for i in range(5)]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [0.1, 0.4, 0.05, 0.25, 0.2]),
        ({"top_k": 2}, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        ({"top_k": 9}, [0.1, 0.4, 0.05, 0.25, 0.2]),
        ({"top_p": 0.6}, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        ({"top_p": 0.7}, [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]),
        ({"top_p": 0.01}, [0, 1, 0, 0, 0]),
        ({"top_k": 3, "top_p": 0.7}, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        ({"temperature": 0.5}, np.array([0.01, 0.16, 0.0025, 0.0625, 0.04]) / 0.275),
        ({"temperature": 0.0, "top_k": 3}, [0, 1, 0, 0, 0]),
    ],
)
def test_shares(options: dict[str, Any], wanted: list[float]) -> None:
    np.testing.assert_allclose(shares(**options), wanted, atol=0.015)


def test_same_seed_same_tokens() -> None:
    def model(ids: pb.Tensor) -> pb.Tensor:
        return pb.zeros(*ids.shape, 50)

    start = pb.tensor([[1], [2]])
    first, again, other = (generate(model, start, 10, generator=pb.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert pb.equal(first, again)
    assert not pb.equal(first, other)


def test_stop_tokens_and_context() -> None:
    lengths = []

    def counts(ids: pb.Tensor) -> pb.Tensor:
        lengths.append(ids.shape[1])
        return pb.nn.functional.one_hot((ids + 1) % 6, 6).float()

    start = pb.tensor([[3], [1]])
    found = generate(counts, start, 9, temperature=0.0, stop_token=4, context=2)
    assert found.tolist() == [[3, 4, 4, 4], [1, 2, 3, 4]]
    assert lengths == [1, 2, 2]
    assert generate(counts, start, 0).tolist() == start.tolist()


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"temperature": -1.0}, ArgumentError, "0 or more; got -1.0"),
    ({"top_k": 0}, ArgumentError, "1 or more; got 0"),
    ({"top_p": 0.0}, ArgumentError, "above 0 and at most 1; got 0.0"),
    ({"input_ids": pb.tensor([1])}, ShapeError, "token numbers (b, t), t at least 1; got (1,)"),
    ({"input_ids": pb.tensor([[1.0]])}, DTypeError, "got a tensor of float32"),
    ({"context": 2, "cache": pb.nn.KeyValueCache(1, 1, 1, 1, 1)}, ArgumentError, "either a cache or a context"),
]


@pytest.mark.parametrize(("changes", "error", "words"), WRONG, ids=[words for _, _, words in WRONG])
def test_refusals(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    def model(ids: pb.Tensor) -> pb.Tensor:
        return pb.full((*ids.shape, 3), math.pi)

    with pytest.raises(error) as caught:
        generate(model, **{"input_ids": pb.tensor([[1]]), "max_new_tokens": 2, **changes})
    assert words in str(caught.value)
