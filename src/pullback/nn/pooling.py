"""Layers that pool: the largest, the mean or another sum of each window of the last axes."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pullback.nn.functional as F
from pullback.nn.functional.spatial import per_axis
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor

# Integers for all axes, or a sequence with one for each.
Axes = Any


class _MaxPool(Module):
    """The largest of each window."""

    __constants__ = ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode")
    _pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Axes,
        stride: Axes = None,
        padding: Axes = 0,
        dilation: Axes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """The largest, with return_indices also their places."""
        return type(self)._pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest of each window over one axis: (b, c, n) or (c, n) to (..., m).

    m = ⌊(n + 2 padding − dilation (kernel_size − 1) − 1) / stride⌋ + 1; stride is kernel_size when none is given. Of
    equally large elements the first receives the gradient.

    ceil_mode: m is rounded up, so that the last window may reach beyond the end.
    return_indices: the result is (y, places), with the places (int64) of the largest.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> pb.nn.MaxPool1d(2)(pb.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])

    Source: torch.nn.MaxPool1d.
    """

    _pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest of each window over two axes: (b, c, h, w) or (c, h, w) to (..., …, …).

    Options and sizes as in `MaxPool1d`, along each axis; places are those in the flattened axes.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> pb.nn.MaxPool2d(3, stride=2, padding=1)(pb.zeros(5, 4, 8, 8)).shape
    (5, 4, 4, 4)

    Source: torch.nn.MaxPool2d.
    """

    _pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest of each window over three axes: (b, c, d, h, w) or (c, d, h, w) to (..., …, …, …).

    Options and sizes as in `MaxPool1d`, along each axis; places are those in the flattened axes.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> pb.nn.MaxPool3d(2)(pb.zeros(5, 4, 6, 6, 6)).shape
    (5, 4, 3, 3, 3)

    Source: torch.nn.MaxPool3d.
    """

    _pool = staticmethod(F.max_pool3d)


class _MaxUnpool(Module):
    """Zeros with the largest of windows where they were."""

    __constants__ = ("kernel_size", "stride", "padding")
    _rank: ClassVar[int]
    _pool: ClassVar[Callable[..., Any]]

    def __init__(self, kernel_size: Axes, stride: Axes = None, padding: Axes = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, self._rank)
        self.stride = self.kernel_size if stride is None else per_axis(name, "stride", stride, self._rank)
        self.padding = per_axis(name, "padding", padding, self._rank, least=0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Any:
        """The largest put back."""
        return type(self)._pool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Zeros with the largest of each window where `MaxPool1d` found them.

    It is called with what `MaxPool1d` gave with return_indices. output_size, where given, chooses among the sizes that
    the stride allows.

    Raises ShapeError for sizes that do not fit, IndexOutOfRange for a place outside.

    >>> import pullback as pb
    >>> pb.nn.MaxUnpool1d(2)(pb.ones(1, 1), pb.zeros(1, 1, dtype=pb.int64)).shape
    (1, 2)

    Source: torch.nn.MaxUnpool1d.
    """

    _rank = 1
    _pool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Zeros with the largest of each window where `MaxPool2d` found them.

    It is called with what `MaxPool2d` gave with return_indices. output_size, where given, chooses among the sizes that
    the stride allows.

    Raises ShapeError for sizes that do not fit, IndexOutOfRange for a place outside.

    >>> import pullback as pb
    >>> pb.nn.MaxUnpool2d(2)(pb.ones(1, 1, 1), pb.zeros(1, 1, 1, dtype=pb.int64)).shape
    (1, 2, 2)

    Source: torch.nn.MaxUnpool2d.
    """

    _rank = 2
    _pool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Zeros with the largest of each window where `MaxPool3d` found them.

    It is called with what `MaxPool3d` gave with return_indices. output_size, where given, chooses among the sizes that
    the stride allows.

    Raises ShapeError for sizes that do not fit, IndexOutOfRange for a place outside.

    >>> import pullback as pb
    >>> pb.nn.MaxUnpool3d(2)(pb.ones(1, 1, 1, 1), pb.zeros(1, 1, 1, 1, dtype=pb.int64)).shape
    (1, 2, 2, 2)

    Source: torch.nn.MaxUnpool3d.
    """

    _rank = 3
    _pool = staticmethod(F.max_unpool3d)


class AvgPool1d(Module):
    """The mean of each window over one axis: (b, c, n) or (c, n) to (..., m), with zeros as padding.

    m = ⌊(n + 2 padding − kernel_size) / stride⌋ + 1; stride is kernel_size when none is given.

    ceil_mode: m is rounded up; what then lies beyond the padding does not count.
    count_include_pad: whether the zeros count among the elements that the sum is divided by.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> pb.nn.AvgPool1d(2)(pb.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])

    Source: torch.nn.AvgPool1d.
    """

    __constants__ = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")

    def __init__(
        self,
        kernel_size: Axes,
        stride: Axes = None,
        padding: Axes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = per_axis("AvgPool1d", "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else per_axis("AvgPool1d", "stride", stride, 1)
        self.padding = per_axis("AvgPool1d", "padding", padding, 1, least=0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    """The mean of each window over more axes."""

    __constants__ = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    _pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Axes,
        stride: Axes = None,
        padding: Axes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Any:
        """The means."""
        return type(self)._pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of each window over two axes: (b, c, h, w) or (c, h, w) to (..., …, …).

    Options and sizes as in `AvgPool1d`, along each axis. divisor_override: what the sums are divided by instead.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> pb.nn.AvgPool2d(2)(pb.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])

    Source: torch.nn.AvgPool2d.
    """

    _pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of each window over three axes: (b, c, d, h, w) or (c, d, h, w) to (..., …, …, …).

    Options and sizes as in `AvgPool1d`, along each axis. divisor_override: what the sums are divided by instead.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> pb.nn.AvgPool3d(2)(pb.zeros(5, 4, 6, 6, 6)).shape
    (5, 4, 3, 3, 3)

    Source: torch.nn.AvgPool3d.
    """

    _pool = staticmethod(F.avg_pool3d)


class _Adaptive(Module):
    """Pooling into a given number of windows."""

    __constants__: tuple[str, ...] = ("output_size",)
    _pool: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Axes) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        """The means."""
        return type(self)._pool(input, self.output_size)

    def extra_repr(self) -> str:
        """How many windows."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """The means of windows that share out one axis: (b, c, n) or (c, n) to (..., m).

    Window i of m = output_size goes from ⌊i n / m⌋ to below ⌈(i + 1) n / m⌉; 1 gives the mean of all.

    Raises ShapeError for inputs of other dims, ArgumentError for other sizes.

    >>> import pullback as pb
    >>> pb.nn.AdaptiveAvgPool1d(5)(pb.zeros(3, 4, 10)).shape
    (3, 4, 5)

    Source: torch.nn.AdaptiveAvgPool1d.
    """

    _pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_Adaptive):
    """The means of windows that share out two axes: (b, c, h, w) or (c, h, w) to
    (..., *output_size).

    output_size is one number or one per axis, None for an axis that stays as it is; 1 gives the mean of each channel.

    Raises ShapeError for inputs of other dims, ArgumentError for other sizes.

    >>> import pullback as pb
    >>> pb.nn.AdaptiveAvgPool2d((2, None))(pb.zeros(3, 4, 8, 8)).shape
    (3, 4, 2, 8)

    Source: torch.nn.AdaptiveAvgPool2d.
    """

    _pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_Adaptive):
    """The means of windows that share out three axes: (b, c, d, h, w) or (c, d, h, w) to
    (..., *output_size).

    output_size is one number or one per axis, None for an axis that stays as it is; 1 gives the mean of each channel.

    Raises ShapeError for inputs of other dims, ArgumentError for other sizes.

    >>> import pullback as pb
    >>> pb.nn.AdaptiveAvgPool3d(1)(pb.zeros(3, 4, 6, 6, 6)).shape
    (3, 4, 1, 1, 1)

    Source: torch.nn.AdaptiveAvgPool3d.
    """

    _pool = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMax(_Adaptive):
    """The largest of a given number of windows."""

    __constants__ = ("output_size", "return_indices")

    def __init__(self, output_size: Axes, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """The largest, with return_indices also their places."""
        return type(self)._pool(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The largest of windows that share out one axis: (b, c, n) or (c, n) to (..., m).

    Windows as in `AdaptiveAvgPool1d`. return_indices: the result is (y, places), the places (int64) of the largest.

    Raises ShapeError for inputs of other dims, ArgumentError for other sizes.

    >>> import pullback as pb
    >>> pb.nn.AdaptiveMaxPool1d(5)(pb.zeros(3, 4, 10)).shape
    (3, 4, 5)

    Source: torch.nn.AdaptiveMaxPool1d.
    """

    _pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMax):
    """The largest of windows that share out two axes: (b, c, h, w) or (c, h, w) to
    (..., *output_size).

    Windows as in `AdaptiveAvgPool2d`. return_indices: the result is (y, places), the places (int64) of the largest.

    Raises ShapeError for inputs of other dims, ArgumentError for other sizes.

    >>> import pullback as pb
    >>> pb.nn.AdaptiveMaxPool2d((2, None))(pb.zeros(3, 4, 8, 8)).shape
    (3, 4, 2, 8)

    Source: torch.nn.AdaptiveMaxPool2d.
    """

    _pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMax):
    """The largest of windows that share out three axes: (b, c, d, h, w) or (c, d, h, w) to
    (..., *output_size).

    Windows as in `AdaptiveAvgPool3d`. return_indices: the result is (y, places), the places (int64) of the largest.

    Raises ShapeError for inputs of other dims, ArgumentError for other sizes.

    >>> import pullback as pb
    >>> pb.nn.AdaptiveMaxPool3d(1)(pb.zeros(3, 4, 6, 6, 6)).shape
    (3, 4, 1, 1, 1)

    Source: torch.nn.AdaptiveMaxPool3d.
    """

    _pool = staticmethod(F.adaptive_max_pool3d)


class _LPPool(Module):
    """(Σ xᵖ)^(1/p) of each window."""

    __constants__ = ("norm_type", "kernel_size", "stride", "ceil_mode")
    _pool: ClassVar[Callable[..., Any]]

    def __init__(self, norm_type: float, kernel_size: Axes, stride: Axes = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """The roots of the sums of powers."""
        return type(self)._pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(Σ xᵖ)^(1/p), p = norm_type, of each window over one axis: (b, c, n) or (c, n) to
    (..., m).

    m = ⌊(n − kernel_size) / stride⌋ + 1; stride is kernel_size when none is given. The power is of x itself, not of
    |x|, and its sum counts as 0 where it is negative; where it is 0 the gradient is NaN.

    Raises ShapeError when no window fits, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.LPPool1d(2, 2)(pb.ones(3, 4, 10)).shape
    (3, 4, 5)

    Source: torch.nn.LPPool1d.
    """

    _pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """(Σ xᵖ)^(1/p), p = norm_type, of each window over two axes: (b, c, h, w) or (c, h, w) to
    (..., …, …).

    Options and sizes as in `LPPool1d`, along each axis.

    Raises ShapeError when no window fits, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.LPPool2d(2, 2)(pb.ones(3, 4, 8, 8)).shape
    (3, 4, 4, 4)

    Source: torch.nn.LPPool2d.
    """

    _pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """(Σ xᵖ)^(1/p), p = norm_type, of each window over three axes: (b, c, d, h, w) or (c, d, h, w) to
    (..., …, …, …).

    Options and sizes as in `LPPool1d`, along each axis.

    Raises ShapeError when no window fits, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.LPPool3d(2, 2)(pb.ones(3, 4, 6, 6, 6)).shape
    (3, 4, 3, 3, 3)

    Source: torch.nn.LPPool3d.
    """

    _pool = staticmethod(F.lp_pool3d)
