"""Pixels and channels in another order."""

from pullback.base.errors import ArgumentError, ShapeError
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.shaping import permute, reshape, transpose
from pullback.tensor.tensor import Tensor


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels made pixels: (..., c · r², height, width) to (..., c, height · r, width · r), with r the factor.

    The r² channels of one pixel become a block of r rows and r columns.

    Raises ShapeError for less than three dims or when the channels are no multiple of r², ArgumentError for r below 1.

    >>> import pullback as pb
    >>> pb.nn.functional.pixel_shuffle(pb.arange(4).reshape(4, 1, 1), 2)
    tensor([[[0, 1],
             [2, 3]]])

    Source: torch.nn.functional.pixel_shuffle; Shi et al. 2016, equation 4.
    """
    r = _checked_factor("pixel_shuffle", input, upscale_factor)
    *leading, channels, height, width = input.shape
    if channels % (r * r):
        raise ShapeError(f"pixel_shuffle by {r} needs a multiple of {r * r} channels; got {channels} of {input.shape}")
    n, c = len(leading), channels // (r * r)
    blocks = reshape(input, (*leading, c, r, r, height, width))
    mixed = permute(blocks, *range(n + 1), n + 3, n + 1, n + 4, n + 2)  # (..., c, height, r, width, r)
    return reshape(mixed, (*leading, c, height * r, width * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels made channels: (..., c, height · r, width · r) to (..., c · r², height, width), with r the factor.

    Raises ShapeError for less than three dims or when height or width is no multiple of r, ArgumentError for r below 1.

    >>> import pullback as pb
    >>> pb.nn.functional.pixel_unshuffle(pb.arange(4).reshape(1, 2, 2), 2).flatten()
    tensor([0, 1, 2, 3])

    Source: torch.nn.functional.pixel_unshuffle.
    """
    r = _checked_factor("pixel_unshuffle", input, downscale_factor)
    *leading, c, height, width = input.shape
    if height % r or width % r:
        raise ShapeError(f"pixel_unshuffle by {r} needs height and width to be multiples of {r}; got {input.shape}")
    n = len(leading)
    blocks = reshape(input, (*leading, c, height // r, r, width // r, r))
    mixed = permute(blocks, *range(n + 1), n + 2, n + 4, n + 1, n + 3)  # (..., c, r, r, height, width)
    return reshape(mixed, (*leading, c * r * r, height // r, width // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of x, (b, c, ...), dealt out anew: the first of every group, then the second of every group, ….

    Raises ShapeError for less than three dims or when the channels do not make equal groups.

    >>> import pullback as pb
    >>> pb.nn.functional.channel_shuffle(pb.arange(4).reshape(1, 4, 1), 2).flatten()
    tensor([0, 2, 1, 3])

    Source: torch.nn.functional.channel_shuffle; Zhang et al. 2018.
    """
    check_tensor("channel_shuffle", "input", input)
    if input.ndim < 3:
        raise ShapeError(f"channel_shuffle takes inputs (b, c, ...) of three dims or more; got {input.shape}")
    samples, channels, *rest = input.shape
    if groups < 1 or channels % groups:
        raise ShapeError(f"channel_shuffle cannot make {groups} equal groups of {channels} channels")
    grouped = reshape(input, (samples, groups, channels // groups, *rest))
    return reshape(transpose(grouped, 1, 2), input.shape)


def _checked_factor(name: str, input: Tensor, factor: int) -> int:
    check_tensor(name, "input", input)
    if input.ndim < 3:
        raise ShapeError(f"{name} takes inputs (..., c, height, width); got {input.shape}")
    if factor < 1:
        raise ArgumentError(f"{name} takes a factor of at least 1; got {factor}")
    return factor
