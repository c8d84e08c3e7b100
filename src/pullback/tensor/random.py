"""Random numbers that repeat: each draw is a pure function of a seed, a stream and a counter."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

import pullback.ops as ops
from pullback.base.dtypes import as_dtype, float32, float64, int64
from pullback.base.errors import ArgumentError, DTypeError
from pullback.base.settings import get_default_dtype
from pullback.base.shapes import Shape, as_shape
from pullback.ir.mode import mode
from pullback.ir.node import Value
from pullback.tensor.creation import check_device, finished
from pullback.tensor.promotion import convert, wanted_dtype
from pullback.tensor.tensor import Tensor, from_array


class Generator:
    """A source of random numbers: a seed, a stream and a counter that each draw moves on by one.

    Its state is a tensor, so that a compiled step draws afresh at each call and a saved run goes on exactly.

    >>> import pullback as pb
    >>> g = pb.Generator().manual_seed(3)
    >>> bool((pb.rand(2, generator=g) == pb.rand(2, generator=pb.Generator().manual_seed(3))).all())
    True

    Source: torch.Generator; the bits are Philox4x32-10 (Salmon et al. 2011).
    """

    def __init__(self, device: Any = None, stream: int = 0) -> None:
        check_device(device)
        self.state = from_array(np.array([0, stream, 0], np.int64))
        self.state.label = "random_state"

    def manual_seed(self, seed: int) -> "Generator":
        """Start again from this seed; the generator itself."""
        self.set_state([_as_int64(seed), int(self.state.array()[1]), 0])
        return self

    def initial_seed(self) -> int:
        """The seed."""
        return int(self.state.array()[0])

    def get_state(self) -> Tensor:
        """Seed, stream and counter as int64[3]."""
        return self.state.detach()

    def set_state(self, state: Any) -> None:
        """Go on from a state that `get_state` gave."""
        found = np.asarray(state, np.int64)
        if found.shape != (3,):
            raise ArgumentError(
                f"a generator's state is three integers (seed, stream, counter); got shape {found.shape}"
            )
        self.state.refill(from_array(found).value)

    def draw(self, shape: Shape) -> Value:
        """32 random bits in each place, uint32; the counter moves on."""
        state = self.state.value
        bits = ops.random_bits(state, shape=shape)
        step = ops.pad(ops.full(value=1, shape=(1,), dtype=int64), low=(2,), high=(0,), inner=(0,), value=0)
        self.state.assign(state + step)
        return bits


def _as_int64(seed: int) -> int:
    return int(np.array(int(seed) % 2**64, np.uint64).astype(np.int64))


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the generator that random functions use by default. The same seed gives the same numbers everywhere.

    Source: torch.manual_seed.
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the system's randomness; the seed.

    Source: torch.seed.
    """
    found = int.from_bytes(os.urandom(8)) >> 1
    manual_seed(found)
    return found


def initial_seed() -> int:
    """The seed of the default generator.

    Source: torch.initial_seed.
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator.

    Source: torch.get_rng_state.
    """
    return default_generator.get_state()


def set_rng_state(state: Any) -> None:
    """Go on from a state that `get_rng_state` gave.

    Source: torch.set_rng_state.
    """
    default_generator.set_state(state)


def uniform_bits(shape: Shape, dtype: Any, generator: Generator | None) -> Value:
    """Floats in [0, 1): the upper 24 bits (for float64 53 of two draws) as a fraction."""
    source = generator or default_generator
    if dtype is float64:
        high, low = (convert(source.draw(shape), float64) for _ in range(2))
        return (ops.floor(high * 2.0**-6) * 2.0**27 + ops.floor(low * 2.0**-5)) * 2.0**-53
    bits = source.draw(shape)
    upper = ops.shift_right(bits, ops.filled_like(bits, 8))
    return convert(convert(upper, float32) * 2.0**-24, dtype)


def normal_bits(shape: Shape, dtype: Any, generator: Generator | None) -> Value:
    """Normally distributed floats with mean 0 and deviation 1, by Box and Muller's transform."""
    wide = float64 if dtype is float64 else float32
    distance = 1.0 - uniform_bits(shape, wide, generator)  # in (0, 1], so that the logarithm is finite
    angle = uniform_bits(shape, wide, generator) * (2.0 * math.pi)
    return convert(ops.sqrt(ops.log(distance) * -2.0) * ops.cos(angle), dtype)


def _float_dtype(dtype: Any) -> Any:
    found = wanted_dtype(dtype, get_default_dtype())
    if not found.is_floating_point:
        raise DTypeError(f"random floats need a float dtype; got {found.name}: use randint for integers")
    return found


def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Floats spread evenly over [0, 1).

    Source: torch.rand (other numbers for the same seed).
    """
    check_device(device)  # before a number is drawn
    return finished(uniform_bits(as_shape(size), _float_dtype(dtype), generator), device, requires_grad)


def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Normally distributed floats with mean 0 and standard deviation 1.

    Source: torch.randn (other numbers for the same seed).
    """
    check_device(device)  # before a number is drawn
    return finished(normal_bits(as_shape(size), _float_dtype(dtype), generator), device, requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None) -> Tensor:
    """Floats spread evenly over [0, 1), in the shape and dtype of another tensor.

    Source: torch.rand_like.
    """
    return rand(*input.shape, dtype=wanted_dtype(dtype, input.dtype))


def randn_like(input: Tensor, *, dtype: Any = None) -> Tensor:
    """Normally distributed floats, in the shape and dtype of another tensor.

    Source: torch.randn_like.
    """
    return randn(*input.shape, dtype=wanted_dtype(dtype, input.dtype))


def normal(
    mean: Any, std: Any, size: Sequence[int] | None = None, *, generator: Generator | None = None, dtype: Any = None
) -> Tensor:
    """Normally distributed floats with this mean and standard deviation (numbers or tensors).

    Source: torch.normal.
    """
    shaped = next((x for x in (mean, std) if isinstance(x, Tensor)), None)
    shape = as_shape(size) if size is not None else shaped.shape if shaped is not None else ()
    found = wanted_dtype(dtype, shaped.dtype if shaped is not None else get_default_dtype())
    return Tensor(normal_bits(shape, found, generator)) * std + mean


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Integers from low up to but without high, all equally likely (to one part in 2⁵³ / (high − low)).

    Source: torch.randint.
    """
    check_device(device)
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise ArgumentError(f"randint needs low < high; got {low} and {high}")
    fraction = uniform_bits(as_shape(size), float64, generator)
    return Tensor(convert(convert(ops.floor(fraction * float(high - low)), int64) + low, as_dtype(dtype or int64)))


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The integers from 0 to n − 1 in random order.

    Source: torch.randperm.
    """
    check_device(device)
    keys = uniform_bits((n,), float64, generator)
    return Tensor(convert(ops.argsort(keys, axis=0, descending=False), as_dtype(dtype or int64)))


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that stands in each place (or p), else 0.

    Source: torch.bernoulli.
    """
    drawn = Tensor(uniform_bits(input.shape, input.dtype, generator))
    return (drawn < (input if p is None else p)).to(input.dtype)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Places drawn with probabilities in proportion to the weights (n,) or (rows, n).

    Raises ArgumentError when more are asked for, without replacement, than have a weight.

    Source: torch.multinomial; by Gumbel's trick (largest ln w + noise) without replacement.
    """
    _check_weights(input, num_samples, replacement)
    weights = input.detach().double()
    if not replacement:
        noise = -(-Tensor(1.0 - uniform_bits(input.shape, float64, generator)).log()).log()
        places: Tensor = (weights.log() + noise).argsort(-1, descending=True)
        return places[..., :num_samples]
    edges = weights.cumsum(-1)
    drawn = Tensor(uniform_bits((*input.shape[:-1], num_samples), float64, generator)) * edges[..., -1:]
    return (edges.unsqueeze(-2) <= drawn.unsqueeze(-1)).sum(-1)


def _check_weights(input: Tensor, num_samples: int, replacement: bool) -> None:
    """Raise ArgumentError where nothing can be drawn; by value where the numbers are known."""
    if not replacement and num_samples > input.shape[-1]:
        raise ArgumentError(f"{num_samples} samples without replacement from {input.shape[-1]} weights")
    if mode.recorder is not None:
        return
    weights = input.detach().double().array()
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ArgumentError("weights must be finite and not negative")
    positive = (weights > 0).sum(-1).min(initial=input.shape[-1])
    if positive < (1 if replacement else num_samples):
        raise ArgumentError(
            f"{num_samples} samples {'with' if replacement else 'without'} replacement from {positive} weights above 0"
        )
