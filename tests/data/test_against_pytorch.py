"""The data room beside torch.utils.data: part sizes, batches, batch structure and dtypes."""

import importlib

import numpy as np
import pytest

import pullback as pb
from pullback import data
from pullback.data.partition import part_sizes

pytestmark = pytest.mark.oracle


@pytest.fixture
def torch():
    importlib.import_module("torch.utils.data")
    return importlib.import_module("torch")


def _describe(value):
    """A batch as plain values, with containers, shapes and dtypes told."""
    if hasattr(value, "dtype"):
        return str(value.dtype).split(".")[-1], tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return {key: _describe(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [_describe(each) for each in value]
    return value


FRACTIONS = [[0.8, 0.1, 0.1], [1 / 3, 1 / 3, 1 / 3], [0.29, 0.71], [0.7, 0.2, 0.1], [0.123, 0.456, 0.421]]


@pytest.mark.parametrize("fractions", FRACTIONS, ids=str)
def test_fractions_give_the_same_sizes(torch, fractions):
    for n in (10, 99, 100, 1000, 1234):
        theirs = [len(part) for part in torch.utils.data.random_split(range(n), fractions)]
        assert part_sizes(fractions, n) == theirs


ITEMS = [
    [1, 2],
    [1.5, 2.0],
    [True, False],
    [(1, 0.5), (2, 1.5)],
    [[1, "a"], [2, "b"]],
    [{"x": np.ones((2, 2), np.float32), "y": 1}, {"x": np.zeros((2, 2), np.float32), "y": 2}],
    [np.float64(1), np.float64(2)],
    [np.int8([1, 2]), np.int8([3, 4])],
    [(np.float16([1]), ("a", b"b"))] * 3,
]


@pytest.mark.parametrize("items", ITEMS, ids=str)
def test_items_collate_to_the_same_structure(torch, items):
    assert _describe(data.default_collate(items)) == _describe(torch.utils.data.default_collate(items))


LOADERS = [
    {},
    {"batch_size": 4},
    {"batch_size": 4, "drop_last": True},
    {"batch_size": 2, "sampler": [4, 4, 0, 1, 6]},
    {"batch_sampler": [[1, 2], [0], [6, 5, 4]]},
    {"batch_size": None},
    {"batch_size": 3, "collate_fn": len},
]


@pytest.mark.parametrize("options", LOADERS, ids=str)
def test_loaders_give_the_same_batches(torch, options):
    x, y = np.arange(14, dtype=np.float32).reshape(7, 2), np.arange(7)
    ours = data.DataLoader(data.TensorDataset(pb.tensor(x), pb.tensor(y)), **options)
    theirs = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y)), **options)
    assert len(ours) == len(theirs)
    assert [_describe(batch) for batch in ours] == [_describe(batch) for batch in theirs]
    assert (ours.batch_size, ours.drop_last) == (theirs.batch_size, theirs.drop_last)


def test_concatenation_and_subsets_number_items_alike(torch):
    ours, theirs = (
        room.Subset(room.ConcatDataset([range(3), range(10, 12), range(20, 24)]), [8, 0, 3, 5, 4])
        for room in (data, torch.utils.data)
    )
    assert [ours[i] for i in range(5)] == [theirs[i] for i in range(5)]
