"""Padding."""

from collections.abc import Sequence

import numpy as np

import pullback.ops as ops
from pullback.base.errors import ArgumentError, ShapeError, suggest
from pullback.tensor.indexing import index_select
from pullback.tensor.shaping import cut
from pullback.tensor.tensor import Tensor, from_array

_MODES = ("constant", "reflect", "replicate", "circular")


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """x with something before and after it along its last dims: (before, after) of the last dim, then of the one
    before it, and so on. Negative widths cut off.

    mode: "constant" puts `value` (0), "reflect" mirrors without repeating the edge, "replicate" repeats the edge,
    "circular" goes on at the other end.

    Raises ArgumentError for an odd number of widths or another mode, ShapeError for widths that do not fit.

    >>> import pullback as pb
    >>> pb.nn.functional.pad(pb.tensor([1.0, 2.0]), (1, 2), value=9.0)
    tensor([9., 1., 2., 9., 9.])

    Source: torch.nn.functional.pad.
    """
    if mode not in _MODES:
        raise ArgumentError(f"pad knows the modes {', '.join(_MODES)}; got {mode!r}.{suggest(str(mode), _MODES)}")
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ArgumentError(
            f"pad needs a pair of widths for each of the last dims, at most {input.ndim} pairs here; got {tuple(pad)}"
        )
    if mode != "constant" and value:
        raise ArgumentError(f"pad takes a value with mode 'constant' alone; got {value} with mode {mode!r}")
    widths = {input.ndim - 1 - i: (int(pad[2 * i]), int(pad[2 * i + 1])) for i in range(len(pad) // 2)}
    if mode == "constant":
        return _constant_padded(input, widths, 0.0 if value is None else value)
    for axis, (before, after) in widths.items():
        input = index_select(input, axis, from_array(_places(input.shape[axis], before, after, mode)))
    return input


def _constant_padded(input: Tensor, widths: dict[int, tuple[int, int]], value: float) -> Tensor:
    kept = {a: (max(-low, 0), input.shape[a] - max(-high, 0), 1) for a, (low, high) in widths.items()}
    if any(start > stop for start, stop, _ in kept.values()):
        raise ShapeError(f"pad cannot cut {widths} off a tensor of shape {input.shape} (dim: before, after)")
    found = cut(input, kept) if any(low < 0 or high < 0 for low, high in widths.values()) else input
    ends = [widths.get(a, (0, 0)) for a in range(input.ndim)]
    low, high = tuple(max(b, 0) for b, _ in ends), tuple(max(a, 0) for _, a in ends)
    fill = value if input.dtype.is_floating_point else int(value)
    return Tensor(ops.pad(found.value, low=low, high=high, inner=(0,) * input.ndim, value=fill))


def _places(size: int, before: int, after: int, mode: str) -> np.ndarray:
    """Which element of a dim stands at each place of the padded one."""
    first, end = max(-before, 0), size - max(-after, 0)  # what negative widths leave
    most = {"reflect": size - 1, "replicate": max(before, after) if size else 0, "circular": end - first}[mode]
    if first > end or max(before, after) > most:
        raise ShapeError(
            f"pad with mode {mode!r} of a dim of size {size} takes widths up to {most}, and cuts off no more than "
            f"there is; got {before}, {after}"
        )
    places = np.arange(-before, size + after)
    if mode == "circular":
        return first + (places - first) % max(end - first, 1)
    within = places.clip(0, size - 1)
    return within if mode == "replicate" else 2 * within - places
