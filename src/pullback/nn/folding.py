"""Layers that cut images into columns and put them together again."""

from typing import Any

import pullback.nn.functional as F
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor


class Unfold(Module):
    """Every window of an image as a column: (b, c, h, w) or (c, h, w) to (..., c · kh · kw, windows).

    Raises ShapeError when no window fits, ArgumentError for other options.

    >>> import pullback as pb
    >>> pb.nn.Unfold(3, padding=1, stride=2)(pb.zeros(2, 4, 8, 8)).shape
    (2, 36, 16)

    Source: torch.nn.Unfold.
    """

    __constants__ = ("kernel_size", "dilation", "padding", "stride")

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """The windows."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Columns, laid out as `Unfold` gives them, added up where their windows stand: (..., c · kh · kw, windows) to
    (..., c, *output_size).

    Raises ShapeError when there are not as many columns as windows, ArgumentError for other options.

    >>> import pullback as pb
    >>> pb.nn.Fold((8, 8), 3, padding=1, stride=2)(pb.zeros(2, 36, 16)).shape
    (2, 4, 8, 8)

    Source: torch.nn.Fold.
    """

    __constants__ = ("output_size", "kernel_size", "dilation", "padding", "stride")

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """The columns added up."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
