"""Random numbers: the bits are Philox's, the distributions are right, and everything repeats."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError
from pullback.ops import random_bits

COUNT = 20_000


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32 with 10 rounds, written out plainly in Python's integers."""
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        left, right = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (right >> 32) ^ b ^ k, right & 0xFFFFFFFF, (left >> 32) ^ d ^ m, left & 0xFFFFFFFF
        k, m = (k + 0x9E3779B9) & 0xFFFFFFFF, (m + 0xBB67AE85) & 0xFFFFFFFF
    return [a, b, c, d]


# The known answers that the authors of Philox publish beside their code (Random123, kat_vectors).
KNOWN = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_the_plain_philox_gives_the_published_answers(counter: list[int], key: list[int], answer: list[int]) -> None:
    assert philox(counter, key) == answer


@pytest.mark.parametrize(("seed", "stream", "counter"), [(0, 0, 0), (3, 1, 2), (-5, 7, 2**40 + 9), (2**63 - 1, 0, 1)])
def test_the_bits_are_philox(seed: int, stream: int, counter: int) -> None:
    state = np.array([seed, stream, counter], np.int64)
    found = random_bits.run([state], {"shape": (11,)})[0].tolist()
    key = [seed % 2**32, (seed % 2**64) >> 32]
    wanted = [n for block in range(3) for n in philox([block, counter % 2**32, counter >> 32, stream], key)]
    assert found == wanted[:11]


def test_a_seed_repeats_and_seeds_differ() -> None:
    pb.manual_seed(7)
    first, second = pb.rand(5).tolist(), pb.rand(5).tolist()
    pb.manual_seed(7)
    assert pb.rand(5).tolist() == first
    assert pb.rand(5).tolist() == second != first
    pb.manual_seed(8)
    assert pb.rand(5).tolist() != first


def test_what_was_drawn_before_changes_nothing_by_its_size() -> None:
    pb.manual_seed(7)
    pb.rand(3)
    after_small = pb.rand(4).tolist()
    pb.manual_seed(7)
    pb.rand(1000)
    assert pb.rand(4).tolist() == after_small


def test_state_is_saved_and_set_back() -> None:
    pb.manual_seed(1)
    pb.rand(3)
    state = pb.get_rng_state()
    drawn = pb.randn(3).tolist()
    pb.set_rng_state(state)
    assert pb.randn(3).tolist() == drawn
    with pytest.raises(ArgumentError, match="three integers"):
        pb.set_rng_state([1, 2])


def test_seeds_of_any_size() -> None:
    for seed in (0, -1, 2**63, 2**64 - 1):
        pb.manual_seed(seed)
        assert pb.initial_seed() % 2**64 == seed % 2**64
    assert pb.seed() == pb.initial_seed()
    assert pb.seed() != pb.seed()


def test_generators_are_independent_of_each_other() -> None:
    a, b = pb.Generator().manual_seed(5), pb.Generator(stream=1).manual_seed(5)
    pb.manual_seed(5)
    default = pb.rand(4).tolist()
    assert pb.rand(4, generator=a).tolist() == default
    assert pb.rand(4, generator=b).tolist() != default
    assert (a.initial_seed(), b.initial_seed()) == (5, 5)
    again = pb.Generator()
    again.set_state(a.get_state())
    assert pb.randn(3, generator=again).tolist() == pb.randn(3, generator=a).tolist()


def draws(make: Callable[[], pb.Tensor]) -> np.ndarray[Any, Any]:
    pb.manual_seed(2024)
    return np.asarray(make().tolist(), np.float64)


def assert_mean(numbers: np.ndarray[Any, Any], mean: float, deviation: float) -> None:
    """The mean lies within five standard errors."""
    assert abs(numbers.mean() - mean) < 5 * deviation / math.sqrt(numbers.size)


@pytest.mark.parametrize("dtype", [pb.float64, pb.float32, pb.float16, pb.bfloat16])
def test_uniform_numbers(dtype: Any) -> None:
    numbers = draws(lambda: pb.rand(COUNT, dtype=dtype))
    assert numbers.min() >= 0
    assert numbers.max() < 1 if dtype in (pb.float64, pb.float32) else numbers.max() <= 1
    assert_mean(numbers, 0.5, math.sqrt(1 / 12))
    assert_mean((numbers - 0.5) ** 2, 1 / 12, math.sqrt(1 / 180))
    counts = np.histogram(numbers, 20, (0, 1))[0]
    assert ((counts - COUNT / 20) ** 2 / (COUNT / 20)).sum() < 60  # chi squared with 19 degrees of freedom
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.04


@pytest.mark.parametrize("dtype", [pb.float64, pb.float32, pb.float16, pb.bfloat16])
def test_normal_numbers(dtype: Any) -> None:
    numbers = draws(lambda: pb.randn(COUNT, dtype=dtype))
    assert np.isfinite(numbers).all()
    assert_mean(numbers, 0.0, 1.0)
    assert_mean(numbers**2, 1.0, math.sqrt(2))
    assert_mean(numbers**3, 0.0, math.sqrt(15))
    assert_mean(numbers**4, 3.0, math.sqrt(96))
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.04


def test_float64_uniforms_use_all_their_bits() -> None:
    numbers = draws(lambda: pb.rand(COUNT, dtype=pb.float64))
    assert len(np.unique(numbers)) == COUNT
    assert len(np.unique(numbers * 2**53 % 2)) == 2


def test_integers() -> None:
    numbers = draws(lambda: pb.randint(-2, 5, (COUNT,)))
    values, counts = np.unique(numbers, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2, 3, 4]
    assert ((counts - COUNT / 7) ** 2 / (COUNT / 7)).sum() < 30
    assert pb.randint(3, (2, 2)).dtype is pb.int64
    assert pb.randint(0, 3, (2,), dtype=pb.uint8).dtype is pb.uint8
    with pytest.raises(ArgumentError, match="low < high; got 3 and 3"):
        pb.randint(3, 3, (2,))


def test_permutations() -> None:
    pb.manual_seed(1)
    found = [pb.randperm(4).tolist() for _ in range(2400)]
    assert all(sorted(p) == [0, 1, 2, 3] for p in found)
    counts = np.unique([int("".join(map(str, p))) for p in found], return_counts=True)[1]
    assert len(counts) == 24
    assert ((counts - 100) ** 2 / 100).sum() < 60
    assert pb.randperm(0).shape == (0,)


def test_bernoulli() -> None:
    chances = pb.tensor([0.0, 0.25, 1.0]).expand(COUNT, 3)
    numbers = draws(lambda: pb.bernoulli(chances))
    assert numbers[:, 0].sum() == 0
    assert numbers[:, 2].sum() == COUNT
    assert_mean(numbers[:, 1], 0.25, math.sqrt(0.1875))
    assert_mean(draws(lambda: pb.bernoulli(pb.zeros(COUNT), 0.7)), 0.7, math.sqrt(0.21))


def test_normal_with_its_own_mean_and_deviation() -> None:
    mean, std = pb.tensor([0.0, 10.0]).expand(COUNT, 2), pb.tensor([1.0, 0.1]).expand(COUNT, 2)
    numbers = draws(lambda: pb.normal(mean, std))
    assert_mean(numbers[:, 1], 10.0, 0.1)
    assert_mean((numbers[:, 1] - 10) ** 2, 0.01, 0.01 * math.sqrt(2))
    assert_mean(draws(lambda: pb.normal(3.0, 2.0, (COUNT,))), 3.0, 2.0)
    assert pb.normal(0.0, std[0]).shape == (2,)


def test_multinomial() -> None:
    weights = pb.tensor([1.0, 0.0, 3.0, 4.0])
    numbers = draws(lambda: pb.multinomial(weights, COUNT, replacement=True))
    counts = np.bincount(numbers.astype(int), minlength=4)
    assert counts[1] == 0
    for place, share in ((0, 1 / 8), (2, 3 / 8), (3, 1 / 2)):
        assert abs(counts[place] / COUNT - share) < 5 * math.sqrt(share * (1 - share) / COUNT)


def test_multinomial_without_replacement() -> None:
    weights = pb.tensor([[1.0, 0.0, 3.0, 4.0]]).expand(4000, 4)
    numbers = draws(lambda: pb.multinomial(weights, 3)).astype(int)
    assert (np.sort(numbers, 1) == [0, 2, 3]).all()
    first = np.bincount(numbers[:, 0], minlength=4) / 4000
    np.testing.assert_allclose(first, [1 / 8, 0, 3 / 8, 1 / 2], atol=0.04)
    with pytest.raises(ArgumentError, match="5 samples without replacement from 4 weights"):
        pb.multinomial(weights[0], 5)
    with pytest.raises(ArgumentError, match="without replacement"):
        pb.multinomial(pb.tensor([1.0, 0.0, 0.0]), 2)


@pytest.mark.parametrize("weights", [[-1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    for replacement in (True, False):
        with pytest.raises(ArgumentError, match="weights"):
            pb.multinomial(pb.tensor(weights), 1, replacement=replacement)


def test_in_place_forms() -> None:
    x = pb.empty(COUNT)
    pb.manual_seed(3)
    assert x.uniform_(-1, 3) is x
    assert_mean(np.asarray(x.tolist()), 1.0, math.sqrt(16 / 12))
    assert -1 <= x.min() < x.max() < 3
    x.normal_(5, 0.5)
    assert_mean(np.asarray(x.tolist()), 5.0, 0.5)
    if hasattr(x, "bernoulli_"):
        x.bernoulli_(0.3)
        assert set(x.tolist()) == {0.0, 1.0}


def test_like_forms_and_requires_grad() -> None:
    x = pb.zeros(2, 3, dtype=pb.float64)
    assert pb.rand_like(x).type_ == x.type_
    assert pb.randn_like(x, dtype=pb.float32).dtype is pb.float32
    assert pb.rand(2, requires_grad=True).requires_grad
    assert pb.randn((2, 3)).shape == (2, 3)
    with pytest.raises(DTypeError, match="use randint for integers"):
        pb.rand(2, dtype=pb.int64)


def test_no_gradient_flows_into_a_draw() -> None:
    p = pb.tensor([0.5, 0.5], requires_grad=True)
    assert not pb.bernoulli(p).requires_grad
    assert not pb.multinomial(p, 1).requires_grad
