"""Keys and values of what was read already, so that generating a token computes those of one token alone."""

from typing import Any

import pullback.ops as ops
from pullback.base.errors import ArgumentError, IndexOutOfRange, ShapeError
from pullback.nn.functional.checks import numbers_are_known
from pullback.nn.functional.positions import places
from pullback.tensor.creation import arange, tensor, zeros
from pullback.tensor.pointwise import le
from pullback.tensor.shaping import unsqueeze
from pullback.tensor.tensor import Tensor


class KeyValueCache:
    """Room for the keys and values (b, h, capacity, k) of each layer, and the place up to which it is filled.

    A layer of attention writes with `update` and looks at everything, with `mask` hiding what is not written yet; after
    the last layer `advance` moves the place on. Everything is a tensor of a fixed shape, so that a compiled step for
    one token serves every place without being traced anew. No gradient flows through the cache.

    Raises ArgumentError for sizes below 1.

    >>> import pullback as pb
    >>> cache = pb.nn.KeyValueCache(layers=1, batch_size=1, heads=2, capacity=4, head_dim=8)
    >>> k = v = pb.ones(1, 2, 3, 8)  # of three tokens
    >>> keys, values = cache.update(0, k, v)
    >>> keys.shape, cache.mask(3)[2].tolist()
    ((1, 2, 4, 8), [True, True, True, False])
    >>> cache.advance(3)
    >>> cache.position
    tensor(3)
    """

    def __init__(
        self, layers: int, batch_size: int, heads: int, capacity: int, head_dim: int, dtype: Any = None
    ) -> None:
        shape = (batch_size, heads, capacity, head_dim)
        if min(layers, *shape) < 1:
            raise ArgumentError(
                f"a cache needs sizes of 1 or more; got layers={layers} and (b, h, capacity, k) {shape}"
            )
        self.capacity = capacity
        self.keys = [zeros(shape, dtype=dtype) for _ in range(layers)]
        self.values = [zeros(shape, dtype=dtype) for _ in range(layers)]
        self.position = tensor(0)
        for i, (key, value) in enumerate(zip(self.keys, self.values, strict=True)):
            key.label, value.label = f"cache.keys.{i}", f"cache.values.{i}"
        self.position.label = "cache.position"

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write the keys and values (b, h, t, k) of t tokens from the place on; all of the layer's (b, h, capacity, k).

        Raises ShapeError when they do not fit beside those that are there, IndexOutOfRange when the cache is full.
        """
        return self._written(self.keys[layer], "key", key), self._written(self.values[layer], "value", value)

    def _written(self, store: Tensor, role: str, new: Tensor) -> Tensor:
        b, h, capacity, k = store.shape
        if new.ndim != 4 or (*new.shape[:2], new.shape[3]) != (b, h, k):
            raise ShapeError(f"this cache takes a {role} ({b}, {h}, time, {k}); got {new.shape}")
        t = new.shape[2]
        if numbers_are_known() and self.position.item() + t > capacity:
            raise IndexOutOfRange(
                f"the cache has room for {capacity} tokens; got {t} from place {self.position.item()} on: make it "
                "larger, or start again with reset()"
            )
        index = places(t, self.position).value
        store.assign(ops.scatter(store.detach().value, index, new.detach().to(store.dtype).value, axis=2))
        return store

    def mask(self, t: int) -> Tensor:
        """bool (t, capacity): True where the next t tokens may look, which is at themselves and what is before them."""
        return le(arange(self.capacity), unsqueeze(places(t, self.position), 1))

    def advance(self, t: int) -> None:
        """Count t tokens as written."""
        self.position.add_(t)

    def reset(self) -> None:
        """Start again with an empty cache of the same sizes."""
        self.position.zero_()
