"""Layers that put pixels and channels in another order, and that resize images."""

from collections.abc import Sequence

import pullback.nn.functional as F
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor


class PixelShuffle(Module):
    """Channels made pixels: (..., c · r², height, width) to (..., c, height · r, width · r), with r = upscale_factor.

    Raises ShapeError when the channels are no multiple of r².

    >>> import pullback as pb
    >>> pb.nn.PixelShuffle(2)(pb.zeros(1, 12, 3, 3)).shape
    (1, 3, 6, 6)

    Source: torch.nn.PixelShuffle; Shi et al. 2016, equation 4.
    """

    __constants__ = ("upscale_factor",)

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Fewer channels, more pixels."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Pixels made channels: (..., c, height · r, width · r) to (..., c · r², height, width), with r = downscale_factor.

    Raises ShapeError when height or width is no multiple of r.

    >>> import pullback as pb
    >>> pb.nn.PixelUnshuffle(2)(pb.zeros(1, 3, 6, 6)).shape
    (1, 12, 3, 3)

    Source: torch.nn.PixelUnshuffle.
    """

    __constants__ = ("downscale_factor",)

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Fewer pixels, more channels."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """The channels of x, (b, c, ...), dealt out anew: the first of every group, then the second of every group, ….

    Raises ShapeError when the channels do not make equal groups.

    >>> import pullback as pb
    >>> pb.nn.ChannelShuffle(2)(pb.arange(4).reshape(1, 4, 1)).flatten()
    tensor([0, 2, 1, 3])

    Source: torch.nn.ChannelShuffle; Zhang et al. 2018.
    """

    __constants__ = ("groups",)

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """The channels in another order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """The number of groups."""
        return f"groups={self.groups}"


class Upsample(Module):
    """x in another size: (b, c, t), (b, c, height, width) or (b, c, depth, height, width) with the last dims resized.

    size: the new sizes, or one for all. Or instead scale_factor: by what the sizes are multiplied, rounded down.
    mode, align_corners, recompute_scale_factor: as for `nn.functional.interpolate`, whose errors it raises when called.

    >>> import pullback as pb
    >>> pb.nn.Upsample(scale_factor=2)(pb.tensor([[[1.0, 3.0]]]))
    tensor([[[1., 1., 3., 3.]]])

    Source: torch.nn.Upsample.
    """

    __constants__ = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor")

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.scale_factor = (
            tuple(map(float, scale_factor))
            if isinstance(scale_factor, Sequence)
            else None
            if scale_factor is None
            else float(scale_factor)
        )
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The input resized."""
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        """The factor or the sizes, and the mode."""
        given = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{given}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` of images in mode "nearest".

    >>> import pullback as pb
    >>> pb.nn.UpsamplingNearest2d(scale_factor=2)(pb.zeros(1, 3, 4, 5)).shape
    (1, 3, 8, 10)

    Source: torch.nn.UpsamplingNearest2d.
    """

    def __init__(
        self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
    ) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of images in mode "bilinear" with align_corners.

    >>> import pullback as pb
    >>> pb.nn.UpsamplingBilinear2d(size=(8, 10))(pb.zeros(1, 3, 4, 5)).shape
    (1, 3, 8, 10)

    Source: torch.nn.UpsamplingBilinear2d.
    """

    def __init__(
        self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
    ) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
