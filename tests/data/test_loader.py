"""The DataLoader: which batches, in which order, and from exactly where it stopped."""

import itertools
import json

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, IndexOutOfRange, PullbackError, StateError, TraceError
from pullback.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)


class Squares(Dataset):
    """Items made one by one, and a note of which were."""

    def __init__(self, n):
        self.n, self.made = n, []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.made.append(index)
        return float(index), {"square": index**2}


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter([(i, str(i)) for i in range(self.n)])


class Augmented(TensorDataset):
    def __getitem__(self, index):
        return tuple(each + 100 for each in super().__getitem__(index))


def _points(n):
    return TensorDataset(np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n))


def _plain(batch):
    """A batch as Python values, so that batches compare."""
    if isinstance(batch, pb.Tensor):
        return batch.tolist()
    if isinstance(batch, tuple):
        return list(map(_plain, batch))
    if isinstance(batch, dict):
        return {key: _plain(value) for key, value in batch.items()}
    return [_plain(each) for each in batch] if isinstance(batch, list) else batch


def _all(loader):
    return [_plain(batch) for batch in loader]


def test_batches_of_a_tensor_data_set():
    batches = list(DataLoader(_points(5), batch_size=2))
    assert [type(batch) for batch in batches] == [list] * 3
    assert [batch[0].shape for batch in batches] == [(2, 2), (2, 2), (1, 2)]
    assert _plain(batches[2]) == [[[8.0, 9.0]], [4]]
    assert [each.dtype for each in batches[0]] == [pb.float32, pb.int64]


def test_batches_of_items_made_one_by_one():
    batches = _all(DataLoader(Squares(3), batch_size=2))
    assert batches == [[[0.0, 1.0], {"square": [0, 1]}], [[2.0], {"square": [4]}]]


GATHERED = [
    _points(23),
    Subset(_points(60), range(50, 4, -2)),
    Subset(Subset(_points(60), range(50)), range(23)),
    TensorDataset(np.asfortranarray(np.arange(46.0).reshape(23, 2)), np.arange(46)[::2]),
]


def _stack_columns(items):
    return [pb.stack(column) for column in zip(*items, strict=True)]


@pytest.mark.parametrize("options", [{}, {"shuffle": True, "seed": 4}, {"drop_last": True}])
@pytest.mark.parametrize("dataset", GATHERED)
def test_gathering_whole_arrays_gives_what_items_give(dataset, options):
    fast = DataLoader(dataset, 5, **options)
    slow = DataLoader(dataset, 5, collate_fn=_stack_columns, **options)
    for _ in range(2):
        assert _all(fast) == _all(slow)


def test_items_that_a_subclass_makes_are_not_bypassed():
    assert _all(DataLoader(Augmented(np.zeros(3, np.float32)), 3)) == [[[100.0, 100.0, 100.0]]]


def test_batches_are_the_loader_s_own():
    array = np.zeros((4, 2), np.float32)
    batch = next(iter(DataLoader(TensorDataset(array), 2)))[0]
    array[:] = 7
    assert batch.tolist() == [[0.0, 0.0], [0.0, 0.0]]


LENGTHS = [
    (lambda: DataLoader(_points(7), 3), 3),
    (lambda: DataLoader(_points(7), 3, drop_last=True), 2),
    (lambda: DataLoader(_points(6), 3, drop_last=True), 2),
    (lambda: DataLoader(_points(7)), 7),
    (lambda: DataLoader(_points(7), None), 7),
    (lambda: DataLoader(_points(7), 3, sampler=[1, 2]), 1),
    (lambda: DataLoader(_points(7), batch_sampler=[[1, 2], [5]]), 2),
    (lambda: DataLoader(_points(7), batch_sampler=BatchSampler(RandomSampler(range(7)), 2, True)), 3),
    (lambda: DataLoader([], 3), 0),
    (lambda: DataLoader([], 3, shuffle=True), 0),
    (lambda: DataLoader("abcde", 2), 3),
]


@pytest.mark.parametrize(("make", "length"), LENGTHS)
def test_as_many_batches_as_the_length_says(make, length):
    assert len(make()) == len(_all(make())) == length


def test_shuffling_is_decided_by_the_seed():
    def order(**options):
        loader = DataLoader(_points(30), 7, shuffle=True, **options)
        return [_all(loader) for _ in range(3)]

    first = order(seed=5)
    assert first == order(seed=5) == order(generator=pb.Generator().manual_seed(5))
    assert first != order(seed=6)
    assert len({str(epoch) for epoch in first}) == 3
    for epoch in first:
        assert sorted(label for _, labels in epoch for label in labels) == list(range(30))
    pb.manual_seed(5)
    assert first == order()


def test_two_passes_at_once_do_not_disturb_each_other():
    loader, twin = (DataLoader(_points(10), 3, shuffle=True, seed=1) for _ in range(2))
    first, second = [], []
    for one, two in zip(loader, loader, strict=True):
        first.append(_plain(one))
        second.append(_plain(two))
    assert [first, second] == [_all(twin), _all(twin)]


def test_passes_are_numbered_as_they_are_begun():
    loader, twin = (DataLoader(_points(10), 3, shuffle=True, seed=1) for _ in range(2))
    first, second = iter(loader), iter(loader)
    begun = [_plain(next(second))]  # the second is asked first, and is the second all the same
    assert begun + _all(second) != _all(first)
    _all(twin)
    assert begun == _all(twin)[:1]


def test_items_one_by_one():
    dataset = [{"x": np.ones(2, np.float32), "y": 3}]
    [item] = DataLoader(dataset, batch_size=None)
    assert _plain(item) == {"x": [1.0, 1.0], "y": 3}
    assert isinstance(item["x"], pb.Tensor)
    assert _all(DataLoader(_points(3), None, sampler=[2, 0], collate_fn=lambda item: item[1])) == [2, 0]


STREAMS = [
    ({"batch_size": 2}, [[[0, 1], ["0", "1"]], [[2, 3], ["2", "3"]], [[4], ["4"]]]),
    ({"batch_size": 2, "drop_last": True}, [[[0, 1], ["0", "1"]], [[2, 3], ["2", "3"]]]),
    ({"batch_size": None}, [[i, str(i)] for i in range(5)]),
    ({"batch_size": 3, "collate_fn": len}, [3, 2]),
]


@pytest.mark.parametrize(("options", "batches"), STREAMS)
def test_a_stream_is_cut_into_batches(options, batches):
    loader = DataLoader(Stream(5), **options)
    assert _all(loader) == _all(loader) == batches
    with pytest.raises(TypeError):
        len(loader)


def _random_batches():
    return BatchSampler(RandomSampler(range(23), seed=8), 3, True)


# Every way to choose an order, each with the position saved and restored.
LOADERS = {
    "in order": lambda: DataLoader(_points(23), 4),
    "shuffled": lambda: DataLoader(_points(23), 4, shuffle=True, seed=3),
    "shuffled, last dropped": lambda: DataLoader(_points(23), 4, shuffle=True, drop_last=True, seed=3),
    "shuffled by the library's seed": lambda: DataLoader(_points(23), 4, shuffle=True),
    "items": lambda: DataLoader(Squares(23), 4, shuffle=True, seed=3),
    "one by one": lambda: DataLoader(_points(11), None, sampler=RandomSampler(range(11), seed=2)),
    "subset sampler": lambda: DataLoader(_points(23), 4, sampler=SubsetRandomSampler(range(3, 20), seed=1)),
    "weighted": lambda: DataLoader(_points(23), 4, sampler=WeightedRandomSampler(range(23), 17, seed=1)),
    "list of numbers": lambda: DataLoader(_points(23), 4, sampler=[5, 3, 8, 1, 0, 2]),
    "batch sampler": lambda: DataLoader(_points(23), batch_sampler=_random_batches()),
    "list of batches": lambda: DataLoader(_points(23), batch_sampler=[[1, 2], [3], [4, 5, 6]]),
    "stream": lambda: DataLoader(Stream(11), 3),
    "stream, one by one": lambda: DataLoader(Stream(5), None),
}


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize("epochs", [0, 2])
def test_the_position_is_exact_after_every_batch(make, epochs):
    pb.manual_seed(7)
    uninterrupted = make()
    wanted = [_all(uninterrupted) for _ in range(epochs + 3)]
    for done in range(len(wanted[epochs]) + 1):
        pb.manual_seed(7)
        stopped = make()
        for _ in range(epochs):
            _all(stopped)
        list(itertools.islice(stopped, done))
        state = json.loads(json.dumps(stopped.state_dict()))
        pb.manual_seed(1234)  # as in another process: what decides must be in the state
        resumed = make()
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert [_all(resumed) for _ in range(3)] == [wanted[epochs][done:], *wanted[epochs + 1 :]]


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_after_an_epoch_the_position_is_the_next_one_s_beginning(make):
    loader = make()
    _all(loader)
    state = loader.state_dict()
    following = [_all(loader) for _ in range(2)]
    resumed = make()
    resumed.load_state_dict(state)
    assert state["position"] == 0
    assert [_all(resumed) for _ in range(2)] == following


def test_the_state_inside_the_loop_counts_the_batch_in_hand():
    loader = DataLoader(_points(10), 4)
    assert [loader.state_dict()["position"] for _ in loader] == [1, 2, 3]


def test_a_pass_broken_off_is_followed_by_a_new_one():
    loader, whole = (DataLoader(_points(10), 4, shuffle=True, seed=0) for _ in range(2))
    next(iter(loader))
    _all(whole)
    assert _all(loader) == _all(whole)


def test_what_was_done_is_not_made_again():
    dataset = Squares(12)
    loader = DataLoader(dataset, 3)
    loader.load_state_dict({**loader.state_dict(), "position": 3})
    _all(loader)
    assert dataset.made == [9, 10, 11]


FOREIGN = [
    ({"items": 5}, "items was 5 when the position was saved and is 6 here"),
    ({"batch_size": 3}, "batch_size was 3"),
    ({"sampler": None}, "another shuffle="),
]


@pytest.mark.parametrize(("change", "words"), FOREIGN)
def test_the_position_of_another_loader_is_refused(change, words):
    loader = DataLoader(_points(6), 2, shuffle=True, seed=0)
    before = loader.state_dict()
    with pytest.raises(StateError, match=words):
        loader.load_state_dict({**before, **change})
    with pytest.raises(StateError, match="got position"):
        loader.load_state_dict({"position": 1})
    assert loader.state_dict() == before


def test_arguments_for_workers_change_nothing():
    workers = {"num_workers": 2, "persistent_workers": True, "prefetch_factor": 4, "timeout": 5, "pin_memory": True}
    loader = DataLoader(_points(5), 2, shuffle=True, seed=0, worker_init_fn=print, **workers)
    alone = DataLoader(_points(5), 2, shuffle=True, seed=0)
    assert [x.tolist() for x, *_ in loader] == [x.tolist() for x, *_ in alone]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_compiled_function_does_not_record_a_batch_as_a_constant(shuffle):
    loader = DataLoader(_points(4), 2, shuffle=shuffle)

    @pb.compile
    def total():
        return sum(x.sum() for x, *_ in loader)

    with pytest.raises(TraceError, match="loop over the loader outside"):
        total()
    assert len(list(loader)) == 2


ordered = SequentialSampler(range(3))
BAD_CALLS = [
    (lambda: DataLoader("abc", num_workers=-1), ArgumentError, "num_workers is 0 or a positive.*got -1"),
    (lambda: DataLoader("abc", 0), ArgumentError, "batch_size.*got 0"),
    (lambda: DataLoader("abc", 1.5), ArgumentError, "batch_size.*got 1.5"),
    (lambda: DataLoader("abc", shuffle=True, sampler=ordered), ArgumentError, "shuffle and sampler"),
    (lambda: DataLoader("abc", shuffle=True, batch_sampler=[[1]]), ArgumentError, "shuffle and batch_sampler"),
    (lambda: DataLoader("abc", sampler=ordered, batch_sampler=[[1]]), ArgumentError, "sampler and batch_sampler"),
    (lambda: DataLoader("abc", 2, batch_sampler=[[1]]), ArgumentError, "batch_sampler decides"),
    (lambda: DataLoader("abc", drop_last=True, batch_sampler=[[1]]), ArgumentError, "batch_sampler decides"),
    (lambda: DataLoader("abc", None, drop_last=True), ArgumentError, "drop_last needs batches"),
    (lambda: DataLoader(Stream(3), shuffle=True), ArgumentError, "IterableDataset.*shuffle"),
    (lambda: DataLoader(Stream(3), sampler=ordered), ArgumentError, "IterableDataset.*sampler"),
    (lambda: DataLoader(Stream(3), -1), ArgumentError, "got -1"),
    (lambda: DataLoader(c for c in "abc"), ArgumentError, "got generator"),
    (lambda: DataLoader("abc", shuffle=True, seed=1, generator=pb.Generator()), ArgumentError, "not both"),
    (lambda: _all(DataLoader(_points(3), 2, sampler=[0, 5])), IndexOutOfRange, "item 5, but the data set has 3"),
    (lambda: _all(DataLoader(Subset(_points(9), [1, 2]), 2, sampler=[0, -3])), IndexOutOfRange, "item -3.*has 2"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD_CALLS)
def test_wrong_calls_are_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, PullbackError)
