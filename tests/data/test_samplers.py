"""Samplers: which numbers, how often, in which order, and from where again."""

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, PullbackError, StateError, TraceError
from pullback.data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    random_split,
    stratified_split,
)

SEEDED = {
    "all": lambda **seed: RandomSampler(range(20), **seed),
    "with replacement": lambda **seed: RandomSampler(range(20), replacement=True, **seed),
    "fewer": lambda **seed: RandomSampler(range(20), num_samples=7, **seed),
    "more": lambda **seed: RandomSampler(range(20), num_samples=50, **seed),
    "subset": lambda **seed: SubsetRandomSampler([5, 3, 19, 8, 2, 4, 11], **seed),
    "weighted": lambda **seed: WeightedRandomSampler(np.arange(1, 21), 15, **seed),
    "weighted, once": lambda **seed: WeightedRandomSampler(np.arange(1, 21), 15, replacement=False, **seed),
}


@pytest.mark.parametrize("make", SEEDED.values(), ids=SEEDED)
class TestSeededSamplers:
    def test_the_seed_decides_and_each_pass_differs(self, make):
        one, same, other = make(seed=3), make(generator=pb.Generator().manual_seed(3)), make(seed=4)
        passes = [list(one) for _ in range(4)]
        assert passes == [list(same) for _ in range(4)]
        assert passes != [list(other) for _ in range(4)]
        assert len({tuple(each) for each in passes}) == 4
        assert all(len(each) == len(one) and set(each) <= set(range(20)) for each in passes)

    def test_a_pass_is_found_again_by_its_state(self, make):
        sampler = make(seed=3)
        list(sampler)
        state = sampler.state_dict()
        following = [list(sampler), list(sampler)]
        resumed = make(seed=99)
        resumed.load_state_dict(state)
        assert [list(resumed), list(resumed)] == following
        with pytest.raises(StateError, match="seed and epoch; got epoch"):
            resumed.load_state_dict({"epoch": 1})

    def test_without_a_seed_the_library_s_decides_at_the_first_pass(self, make):
        sampler = make()
        pb.manual_seed(11)
        first = list(sampler)
        pb.manual_seed(12)
        second = list(sampler)
        seeded = make(seed=11)
        assert [first, second] == [list(seeded), list(seeded)]


@pytest.mark.parametrize(("count", "least", "most"), [(7, 0, 1), (20, 1, 1), (50, 2, 3)])
def test_without_replacement_items_come_equally_often(count, least, most):
    sampler = RandomSampler(range(20), num_samples=count, seed=0)
    for _ in range(3):
        times = np.bincount(list(sampler), minlength=20)
        assert (times.min(), times.max()) == (least, most)


def test_several_rounds_of_one_pass_differ_from_each_other_and_from_the_next():
    sampler = RandomSampler(range(20), num_samples=40, seed=0)
    halves = [half for _ in range(3) for chosen in [list(sampler)] for half in (tuple(chosen[:20]), tuple(chosen[20:]))]
    assert len(set(halves)) == 6


@pytest.mark.parametrize("replacement", [True, False])
def test_weights_are_kept(replacement):
    weights = pb.tensor([0.0, 1.0, 2.0, 4.0])
    firsts = [next(iter(WeightedRandomSampler(weights, 3, replacement, seed=seed))) for seed in range(3000)]
    share = np.bincount(firsts, minlength=4) / 3000
    np.testing.assert_allclose(share, np.array([0, 1, 2, 4]) / 7, atol=0.035)
    if not replacement:
        assert sorted(WeightedRandomSampler(weights, 3, False, seed=0)) == [1, 2, 3]


def test_replacement_draws_evenly():
    times = np.bincount(list(RandomSampler(range(4), True, 8000, seed=0)), minlength=4)
    assert np.all(np.abs(times - 2000) < 180)


BATCHES = [
    (5, 2, False, [[0, 1], [2, 3], [4]]),
    (5, 2, True, [[0, 1], [2, 3]]),
    (4, 2, True, [[0, 1], [2, 3]]),
    (1, 3, False, [[0]]),
    (1, 3, True, []),
    (0, 3, False, []),
]


@pytest.mark.parametrize(("items", "size", "drop_last", "batches"), BATCHES)
def test_batches(items, size, drop_last, batches):
    sampler = BatchSampler(SequentialSampler(range(items)), size, drop_last)
    assert list(sampler) == list(sampler) == batches
    assert len(sampler) == len(batches)


BAD_CALLS = [
    (lambda: BatchSampler([1], 0, False), ArgumentError, "positive integer; got 0"),
    (lambda: BatchSampler([1], 2.0, False), ArgumentError, "got 2.0"),
    (lambda: BatchSampler([1], True, False), ArgumentError, "got True"),
    (lambda: RandomSampler("ab", num_samples=0), ArgumentError, "1 or more; got 0"),
    (lambda: list(RandomSampler("", num_samples=2)), ArgumentError, "the data set is empty"),
    (lambda: WeightedRandomSampler([0, 0], 1), ArgumentError, "not all 0"),
    (lambda: WeightedRandomSampler([1, -1], 1), ArgumentError, "-1 to 1"),
    (lambda: WeightedRandomSampler([1, np.nan], 1), ArgumentError, "finite"),
    (lambda: WeightedRandomSampler([[1]], 1), ArgumentError, r"shape \(1, 1\)"),
    (lambda: WeightedRandomSampler([], 1), ArgumentError, r"shape \(0,\)"),
    (lambda: WeightedRandomSampler([1, 0], 2, replacement=False), ArgumentError, "from 1 to 1"),
    (lambda: WeightedRandomSampler([1, 0], 0), ArgumentError, "1 or more"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD_CALLS)
def test_wrong_calls_are_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, PullbackError)


DRAWS = {name: lambda make=make: list(make(seed=1)) for name, make in SEEDED.items()} | {
    "random_split": lambda: random_split(range(4), [2, 2], seed=1),
    "stratified_split": lambda: stratified_split(range(4), [2, 2], labels=[0, 0, 1, 1], seed=1),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_a_random_order_in_a_compiled_function_is_an_error(draw):
    def step(x):
        draw()
        return x + 1

    with pytest.raises(TraceError, match=r"a sampler or a split for a random order.*recorded once"):
        pb.compile(step)(pb.ones(1))
    draw()


def test_what_a_subclass_left_out_is_named():
    with pytest.raises(NotImplementedError, match="must define __iter__"):
        iter(Sampler())
