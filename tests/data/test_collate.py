"""Items into batches."""

from typing import NamedTuple

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import DataError, DTypeError, PullbackError
from pullback.data import default_collate, default_convert


class Pair(NamedTuple):
    x: float
    name: str


GOOD = [
    ([pb.ones(2), pb.zeros(2)], [[1.0, 1.0], [0.0, 0.0]], pb.float32),
    ([np.ones((1, 2), np.float16)], [[[1.0, 1.0]]], pb.float16),
    ([np.int8(3), np.int8(4)], [3, 4], pb.int8),
    ([1, 2], [1, 2], pb.int64),
    ([1.5, 2], [1.5, 2.0], pb.float64),
    ([1, 2.5], [1.0, 2.5], pb.float32),
    ([True, 2.5], [1.0, 2.5], pb.float32),
    ([2.5, True], [2.5, 1.0], pb.float64),
    ([True, 2], [1, 2], pb.int64),
    ([2, True], [2, 1], pb.int64),
    ([True, False], [True, False], pb.bool),
    ([pb.tensor(1), pb.tensor(2)], [1, 2], pb.int64),
]


@pytest.mark.parametrize(("items", "batch", "dtype"), GOOD)
def test_numbers_and_arrays_are_stacked(items, batch, dtype):
    made = default_collate(items)
    assert made.tolist() == batch
    assert made.dtype is dtype


def test_a_batch_of_tensors_with_gradients_leads_back_to_them():
    x = pb.tensor([1.0, 2.0], requires_grad=True)
    batch = default_collate([(x, 0), (3 * x, 1), (pb.ones(2), 2)])[0]
    (batch * pb.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    assert batch.tolist() == [[1.0, 2.0], [3.0, 6.0], [1.0, 1.0]]
    assert x.grad.tolist() == [31.0, 31.0]
    assert not default_collate([x.detach(), x.detach()]).requires_grad


def test_text_from_numpy_is_listed_as_python_text_is():
    assert default_collate(list(np.array(["a", "b"]))) == ["a", "b"]


def test_structures_are_put_together_entry_by_entry():
    first = {"x": (1.0, "a"), "y": [2, b"c"], "p": Pair(0.5, "e")}
    items = [first, {"x": (3.0, "b"), "y": [4, b"d"], "p": Pair(1, "f")}]
    batch = default_collate(items)
    assert batch["x"][0].tolist() == [1.0, 3.0]
    assert batch["x"][1] == ("a", "b")
    assert batch["y"][0].tolist() == [2, 4]
    assert batch["y"][1] == (b"c", b"d")
    assert type(batch["x"]) is type(batch["y"]) is list
    assert type(batch["p"]) is Pair
    assert batch["p"].name == ("e", "f")
    assert default_collate([{"a": "x"}, {"a": "y"}]) == {"a": ["x", "y"]}


def test_items_are_converted_alone():
    item = {"x": np.float32([1, 2]), "n": np.int64(3), "p": Pair(np.ones(1), "e"), "t": ("a", 1, None)}
    made = default_convert(item)
    assert (made["x"].tolist(), made["n"].tolist(), made["p"].x.tolist()) == ([1.0, 2.0], 3, [1.0])
    assert (made["p"].name, made["t"]) == ("e", ["a", 1, None])
    assert made["n"].dtype is pb.int64


BAD = [
    ([], DataError, "at least one"),
    ([np.ones(2), np.ones(3)], DataError, r"item 0 has \(2,\), item 1 has \(3,\).*pads"),
    ([(1, np.ones(2)), (1, np.ones(3))], DataError, r"items\[1\] of a batch must have one shape"),
    ([{"a": 1}, {"b": 1}], DataError, r"same keys: item 1"),
    ([(1, 2), (1,)], DataError, "same length: item 1"),
    ([(1, 2), 3], DataError, "same length: item 1"),
    ([None, None], DTypeError, "NoneType.*collate_fn"),
    ([{"a": {"b": None}}], DTypeError, r"items\['a'\]\['b'\] of type NoneType"),
    ([1, "a"], DTypeError, "one is str"),
    ([np.array(["a"])], DTypeError, "<U1"),
]


@pytest.mark.parametrize(("items", "error", "words"), BAD)
def test_what_does_not_fit_is_named(items, error, words):
    with pytest.raises(error, match=words) as caught:
        default_collate(items)
    assert isinstance(caught.value, PullbackError)
