"""Splits: sizes exact, rows each in one part, classes in proportion, all decided by the seed."""

import itertools

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DataError, DTypeError, IndexOutOfRange, PullbackError, ShapeError
from pullback.data import Subset, TensorDataset, random_partition, random_split, stratified_partition, stratified_split
from pullback.data.partition import part_sizes, share_out
from pullback.data.randomness import permutation, raw_words, uniforms

SIZES = [
    ([3, 4, 3], 10, [3, 4, 3]),
    ([10], 10, [10]),
    ([0, 10], 10, [0, 10]),
    ([0.8, 0.1, 0.1], 10_000, [8000, 1000, 1000]),
    ([0.8, 0.1, 0.1], 99, [80, 10, 9]),
    ([1 / 3, 1 / 3, 1 / 3], 10, [4, 3, 3]),
    ([0.5, 0.5], 3, [2, 1]),
    ([np.float32(0.5), 0.5], 4, [2, 2]),
    ([1.0], 5, [5]),
]


@pytest.mark.parametrize(("lengths", "n", "sizes"), SIZES)
def test_sizes_of_parts(lengths, n, sizes):
    assert part_sizes(lengths, n) == sizes


BAD_LENGTHS = [
    ([], "at least one part"),
    ([3, 4], "adds up to 7"),
    ([11, -1], "0 or more"),
    ([0.5, 0.4], "adds up to 0.9"),
    ([1.5, -0.5], r"lie in \[0, 1\]"),
    ([0.5, 5], r"lie in \[0, 1\]"),
    (["a", "b"], "integers or fractions"),
]


@pytest.mark.parametrize(("lengths", "words"), BAD_LENGTHS)
def test_lengths_that_do_not_add_up_are_refused(lengths, words):
    with pytest.raises(ArgumentError, match=words):
        random_split(range(10), lengths)


def test_an_empty_part_is_warned_of():
    with pytest.warns(UserWarning, match="part 1 of the split is empty"):
        assert part_sizes([0.99, 0.01], 10) == [10, 0]


@pytest.mark.parametrize(("total", "counts"), [(7, [5, 3, 2]), (0, [4, 1]), (10, [4, 6]), (3, [1, 1, 1, 1]), (0, [])])
def test_shares_are_in_proportion(total, counts):
    shares = share_out(total, counts)
    assert sum(shares) == total
    for share, count in zip(shares, counts, strict=True):
        assert share <= count
        assert abs(share - total * count / sum(counts)) < 1


LABELS = [
    np.repeat(np.arange(10), [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]),
    np.array([0] * 95 + [1] * 5),
    np.array(["cat", "dog", "cat", "bird"] * 5),
    np.array([True, False] * 8 + [True]),
    np.zeros(12, int),
]
FRACTIONS = [[0.8, 0.1, 0.1], [0.5, 0.5], [1.0], [0.25, 0.25, 0.25, 0.25]]
SPLITTERS = [
    ("random", lambda labels, lengths, seed: random_partition(len(labels), lengths, seed)),
    ("stratified", stratified_partition),
]


@pytest.mark.parametrize(("name", "split"), SPLITTERS)
@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: f"{len(labels)} rows")
@pytest.mark.parametrize("fractions", FRACTIONS, ids=str)
def test_every_row_is_in_one_part_and_the_seed_decides(name, split, labels, fractions):
    parts = split(labels, fractions, 3)
    assert [len(part) for part in parts] == part_sizes(fractions, len(labels))
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for part, again in zip(parts, split(labels, fractions, 3), strict=True):
        np.testing.assert_array_equal(part, again)
    if len(parts) > 1:
        assert any(set(part) != set(other) for part, other in zip(parts, split(labels, fractions, 4), strict=True))


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: f"{len(labels)} rows")
@pytest.mark.parametrize("fractions", FRACTIONS, ids=str)
def test_strata_are_in_proportion(labels, fractions):
    for part in stratified_partition(labels, fractions, 0):
        for each in np.unique(labels):
            expected = np.mean(labels == each) * len(part)
            assert abs(np.sum(labels[part] == each) - expected) < 2


def test_strata_are_mixed_within_a_part():
    part = stratified_partition(np.repeat([0, 1], 500), [0.5, 0.5], 0)[0]
    classes = (part >= 500).astype(int)
    assert 150 < np.abs(np.diff(classes)).sum() < 350, "about half of the neighbours differ"


def test_a_rare_class_is_kept_for_training():
    labels = np.array([0] * 30 + [1])
    for seed in range(5):
        train, validation, test = stratified_partition(labels, [25, 3, 3], seed)
        assert 30 in train
        assert 30 not in validation
        assert 30 not in test


def _dataset():
    x = np.arange(40, dtype=np.float32).reshape(20, 2)
    return TensorDataset(x, np.repeat([0, 1], [15, 5]))


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_splits_of_data_sets_are_subsets(split):
    dataset = _dataset()
    parts = split(dataset, [12, 8], seed=1)
    assert all(isinstance(part, Subset) and part.dataset is dataset for part in parts)
    rows = sorted(int(item[0][0]) for part in parts for item in part)
    assert rows == list(range(0, 40, 2))
    again = split(dataset, [0.6, 0.4], pb.Generator().manual_seed(1))
    assert [part.indices.tolist() for part in parts] == [part.indices.tolist() for part in again]


def test_without_a_seed_the_library_s_decides():
    pb.manual_seed(5)
    first = random_split(range(50), [25, 25])[0].indices.tolist()
    assert first == random_split(range(50), [25, 25], seed=5)[0].indices.tolist()
    pb.manual_seed(6)
    assert first != random_split(range(50), [25, 25])[0].indices.tolist()


class _WithTargets:
    targets = (0, 0, 0, 1, 1, 1)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return index


WHERE_LABELS_STAND = [
    (_dataset(), None),
    (Subset(_dataset(), range(5, 20)), None),
    (_WithTargets(), None),
    ("aabbcc", list("aabbcc")),
    ("aabbcc", pb.tensor([0, 0, 1, 1, 2, 2])),
]


@pytest.mark.parametrize(("dataset", "labels"), WHERE_LABELS_STAND)
def test_labels_are_found_where_they_stand(dataset, labels):
    n = len(dataset)
    parts = stratified_split(dataset, [n - n // 3, n // 3], labels=labels, seed=0)
    assert sorted(itertools.chain(*(part.indices for part in parts))) == list(range(n))


BAD_CALLS = [
    (lambda: stratified_split("abc", [2, 1]), ArgumentError, "pass labels="),
    (lambda: stratified_split("abc", [2, 1], labels=[0, 1]), ShapeError, r"3 items; got shape \(2,\)"),
    (lambda: stratified_partition(np.zeros((3, 2)), [2, 1], 0), ShapeError, r"got shape \(3, 2\)"),
    (lambda: stratified_partition([0.0, np.nan, 1.0], [2, 1], 0), DataError, "NaN belongs to no class; row 1"),
    (lambda: random_split("ab", [1, 1], pb.Generator(), seed=1), ArgumentError, "not both"),
    (lambda: random_split("ab", [1, 1], seed=1.5), ArgumentError, "integer; got 1.5"),
    (lambda: random_split("ab", [1, 1], np.random.default_rng(0)), ArgumentError, "initial_seed"),
    (lambda: Subset("abc", [0, 3]), IndexOutOfRange, "no item 3: the data set has 3"),
    (lambda: Subset("abc", [True, False, True]), DTypeError, "flatnonzero"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD_CALLS)
def test_wrong_calls_are_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, PullbackError)


def test_the_order_of_a_seed_never_changes():
    # Written down once: a run that is resumed under another NumPy, or on another machine, must find the same.
    assert permutation(10, seed=0, stream=0).tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]
    assert raw_words(2, seed=-1, stream=1, epoch=3).tolist() == [10809431456266165220, 227225672448791311]


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_a_permutation_holds_every_number_once(n):
    assert sorted(permutation(n, 9, 0)) == list(range(n))


def test_permutations_are_even():
    firsts = np.bincount([permutation(5, seed, 0)[0] for seed in range(2000)], minlength=5)
    assert np.all(np.abs(firsts - 400) < 80), "five times 400, within 4.5 standard deviations"


def test_seeds_streams_and_epochs_have_nothing_in_common():
    keys = [(seed, stream, epoch) for seed in (0, 1, 2**64 - 2) for stream in (0, 1) for epoch in (0, 1)]
    orders = {tuple(permutation(50, *key)) for key in keys}
    assert len(orders) == len(keys)


def test_uniforms_are_inside_the_open_interval():
    drawn = uniforms(100_000, 0, 0)
    assert 0 < drawn.min() < drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.005
    assert abs(drawn.std() - 12**-0.5) < 0.005
