"""Data sets and what they do with wrong numbers and wrong shapes."""

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, PullbackError, ShapeError
from pullback.data import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset
from pullback.data.datasets import whole_arrays


class Squares(Dataset[int]):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        if not -5 <= index < 5:
            raise IndexError(index)
        return (index % 5) ** 2


class Stream(IterableDataset[int]):
    def __iter__(self):
        return iter(range(3))


POINTS = TensorDataset(np.arange(10, dtype=np.float32).reshape(5, 2), np.arange(5))


def _plain(item):
    return [each.tolist() for each in item] if isinstance(item, tuple) else item


SEQUENCES = [
    (Squares(), [0, 1, 4, 9, 16]),
    (Subset(Squares(), [4, 0, -1]), [16, 0, 16]),
    (Subset(Subset(Squares(), [4, 3, 2]), [2, 0]), [4, 16]),
    (ConcatDataset([Squares(), "ab"]), [0, 1, 4, 9, 16, "a", "b"]),
    (ConcatDataset([[], [1], [], [2, 3]]), [1, 2, 3]),
    (Squares() + Squares(), [0, 1, 4, 9, 16] * 2),
    (Subset(POINTS, [3, 1]), [[[6.0, 7.0], 3], [[2.0, 3.0], 1]]),
    (POINTS, [[[2.0 * i, 2.0 * i + 1], i] for i in range(5)]),
]


@pytest.mark.parametrize(("dataset", "items"), SEQUENCES)
def test_items_come_by_number_from_both_ends_and_by_loop(dataset, items):
    assert len(dataset) == len(items)
    assert [_plain(dataset[i]) for i in range(len(items))] == items
    assert [_plain(dataset[i - len(items)]) for i in range(len(items))] == items
    assert [_plain(item) for item in dataset] == items


@pytest.mark.parametrize(("dataset", "items"), SEQUENCES)
@pytest.mark.parametrize("beyond", [0, 7])
def test_a_number_beyond_the_end_is_an_index_error(dataset, items, beyond):
    for index in (len(items) + beyond, -len(items) - 1 - beyond):
        with pytest.raises(IndexError):
            dataset[index]


@pytest.mark.parametrize("dtype", [np.float64, np.float16, pb.bfloat16.numpy, np.int8, np.bool_])
def test_tensors_keep_their_dtype(dtype):
    dataset = TensorDataset(np.ones((3, 2), dtype), pb.tensor(np.zeros(3, dtype)))
    assert {each.dtype.numpy for each in (*dataset[0], *dataset.tensors)} == {np.dtype(dtype)}


def test_lists_become_what_tensors_of_them_are():
    assert [each.dtype for each in TensorDataset([1.0, 2.0], [1, 2]).tensors] == [pb.float32, pb.int64]


def test_tensors_that_need_a_gradient_are_held_without_it():
    weights = pb.ones(3, requires_grad=True)
    assert not TensorDataset(weights)[0][0].requires_grad


def test_items_are_copies():
    array = np.zeros((2, 2), np.float32)
    item = TensorDataset(array)[0][0]
    array[0] = 7
    assert item.tolist() == [0.0, 0.0]


BAD_CALLS = [
    (lambda: TensorDataset(), ArgumentError, "at least one"),
    (lambda: TensorDataset(np.ones(3), np.ones(4)), ShapeError, r"\(3,\), \(4,\)"),
    (lambda: TensorDataset(np.float32(1)), ShapeError, r"\(\)"),
    (lambda: TensorDataset(np.array(["a", "b"])), DTypeError, "<U1"),
    (lambda: ConcatDataset([]), ArgumentError, "at least one"),
    (lambda: ConcatDataset([Stream()]), ArgumentError, "IterableDataset"),
    (lambda: POINTS[5], IndexOutOfRange, "no row 5: the data set has 5"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD_CALLS)
def test_wrong_calls_are_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, PullbackError)


def test_what_a_subclass_left_out_is_named():
    with pytest.raises(NotImplementedError, match=r"Dataset must define __getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match=r"must define __iter__"):
        iter(IterableDataset())
    with pytest.raises(TypeError, match="Stream is iterable"):
        Stream()[0]


class Augmented(TensorDataset):
    def __getitem__(self, index):
        return tuple(each + 1 for each in super().__getitem__(index))


class Renumbered(Subset):
    def __getitem__(self, index):
        return super().__getitem__(0)


WHOLE = [(POINTS, None), (Subset(POINTS, [3, 1]), [3, 1]), (Subset(Subset(POINTS, [4, 3, 2]), [2, 0]), [2, 4])]


@pytest.mark.parametrize(("dataset", "rows"), WHOLE)
def test_whole_arrays_are_found(dataset, rows):
    arrays, found = whole_arrays(dataset)
    assert all(mine is theirs for mine, theirs in zip(arrays, POINTS.arrays, strict=True))
    assert (found if found is None else found.tolist()) == rows


@pytest.mark.parametrize(
    "dataset", [Augmented(np.ones(3)), Renumbered(POINTS, [1, 2]), Subset(Augmented(np.ones(3)), [0]), Squares(), [1]]
)
def test_data_sets_that_make_their_items_have_no_whole_arrays(dataset):
    assert whole_arrays(dataset) is None
