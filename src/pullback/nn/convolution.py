"""Layers that convolve, and those that transpose a convolution."""

import math
from collections.abc import Sequence
from typing import Any

import pullback.nn.functional as F
import pullback.nn.init as init
from pullback.base.errors import ArgumentError, ShapeError, suggest
from pullback.nn.functional.convolution import Axes, check_padding
from pullback.nn.functional.spatial import Sizes, per_axis, reaches
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import empty
from pullback.tensor.tensor import Tensor

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolving(Module):
    """A layer with a kernel, and how it slides."""

    __constants__ = (
        "stride", "padding", "dilation", "groups", "padding_mode", "output_padding", "in_channels", "out_channels",
        "kernel_size",
    )  # fmt: skip
    _rank: int
    in_channels: int
    out_channels: int
    kernel_size: Sizes
    stride: Sizes
    padding: Sizes | str
    dilation: Sizes
    output_padding: Sizes
    groups: int
    padding_mode: str
    bias: Parameter | None

    def _take(
        self, in_channels: int, out_channels: int, groups: int, padding_mode: str, padding: Axes, **axes: Axes
    ) -> None:
        """Keep the options, each with one number per axis."""
        name = type(self).__name__
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"{name} cannot cut {in_channels} channels and {out_channels} outputs into {groups} equal groups"
            )
        if padding_mode not in PADDING_MODES:
            known = ", ".join(PADDING_MODES)
            hint = suggest(str(padding_mode), PADDING_MODES)
            raise ArgumentError(f"{name} knows the padding modes {known}; got {padding_mode!r}.{hint}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.groups, self.padding_mode = groups, padding_mode
        for role, given in axes.items():
            setattr(self, role, per_axis(name, role, given, self._rank, least=int(role != "output_padding")))
        if isinstance(padding, str):
            check_padding(name, padding, self.stride)
            self.padding = padding
        else:
            self.padding = per_axis(name, "padding", padding, self._rank, least=0)

    def _make_parameters(self, first: int, second: int, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = Parameter(empty(first, second // self.groups, *self.kernel_size, dtype=dtype, device=device))
        part = Parameter(empty(self.out_channels, dtype=dtype, device=device)) if bias else None
        self.register_parameter("bias", part)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            bound = 1 / math.sqrt(fan_in)
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Channels, kernel and stride, and the options that differ from the usual."""
        none, one = (0,) * self._rank, (1,) * self._rank
        usual = {"padding": none, "dilation": one, "output_padding": none, "groups": 1}
        different = [f"{name}={getattr(self, name)}" for name, was in usual.items() if getattr(self, name) != was]
        head = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        tail = ["bias=False"] * (self.bias is None) + [f"padding_mode={self.padding_mode}"] * (
            self.padding_mode != "zeros"
        )
        return ", ".join([head, *different, *tail])


class _Conv(_Convolving):
    """A convolution over the last axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Axes,
        stride: Axes = 1,
        padding: Axes = 0,
        dilation: Axes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._take(
            in_channels,
            out_channels,
            groups,
            padding_mode,
            padding,
            kernel_size=kernel_size,
            stride=stride,
            dilation=dilation,
            output_padding=0,
        )
        self._make_parameters(out_channels, in_channels, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """The kernel's product with every window, and the bias."""
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self._rank - 1]
        if self.padding_mode == "zeros":
            return convolve(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        around = F.pad(input, self._widths(), mode=self.padding_mode)
        return convolve(around, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def _widths(self) -> list[int]:
        """What stands before and after each axis, the last axis first."""
        if self.padding == "same":
            total = [reach - 1 for reach in reaches(self.kernel_size, self.dilation)]
            pairs = [(n // 2, n - n // 2) for n in total]
        else:
            pairs = [(0, 0)] * self._rank if isinstance(self.padding, str) else [(n, n) for n in self.padding]
        return [n for pair in reversed(pairs) for n in pair]


class Conv1d(_Conv):
    """Convolution over one axis: (b, in_channels, n) or (in_channels, n) to (..., out_channels, m), with
    m = ⌊(n + 2 padding − dilation (kernel_size − 1) − 1) / stride⌋ + 1.

    weight is (out_channels, in_channels / groups, kernel_size), bias (out_channels,); both start uniform in ±1/√fan,
    with fan = kernel_size · in_channels / groups.

    padding: so many elements before and after, or "valid" for none, or "same" for as many as keep n.
    padding_mode: "zeros"; "reflect" mirrors, "replicate" repeats the edge, "circular" goes on at the other end.
    groups: channels are cut into so many parts, each of which makes its part of the outputs.

    Raises ArgumentError for options that do not fit, ShapeError for inputs with other channels or too few elements.

    >>> import pullback as pb
    >>> pb.nn.Conv1d(2, 3, 5, padding="same")(pb.zeros(4, 2, 10)).shape
    (4, 3, 10)

    Source: torch.nn.Conv1d.
    """

    _rank = 1


class Conv2d(_Conv):
    """Convolution over two axes: (b, in_channels, h, w) or (in_channels, h, w) to (..., out_channels, …, …).

    weight is (out_channels, in_channels / groups, kh, kw), bias (out_channels,); both start uniform in ±1/√fan, with
    fan = kh · kw · in_channels / groups. kernel_size, stride, padding and dilation are one number or two; all options
    and sizes as in `Conv1d`, along each axis.

    Raises ArgumentError for options that do not fit, ShapeError for inputs with other channels or too few elements.

    >>> import pullback as pb
    >>> conv = pb.nn.Conv2d(3, 16, 3, stride=2, padding=1)
    >>> conv(pb.zeros(4, 3, 32, 32)).shape
    (4, 16, 16, 16)

    Source: torch.nn.Conv2d; LeCun et al. 1989.
    """

    _rank = 2


class Conv3d(_Conv):
    """Convolution over three axes: (b, in_channels, d, h, w) or without b to (..., out_channels, …, …, …).

    weight is (out_channels, in_channels / groups, kd, kh, kw), bias (out_channels,). All as in `Conv2d`.

    Raises ArgumentError for options that do not fit, ShapeError for inputs with other channels or too few elements.

    >>> import pullback as pb
    >>> pb.nn.Conv3d(1, 2, (1, 3, 3))(pb.zeros(1, 4, 8, 8)).shape
    (2, 4, 6, 6)

    Source: torch.nn.Conv3d.
    """

    _rank = 3


class _ConvTranspose(_Convolving):
    """What takes gradients back through a convolution over the last axes, as a layer."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Axes,
        stride: Axes = 1,
        padding: Axes = 0,
        output_padding: Axes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Axes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros" or isinstance(padding, str):
            raise ArgumentError(
                f"{type(self).__name__} cuts off what it pads, so it knows padding in numbers and padding_mode 'zeros' "
                f"alone; got {padding!r} and {padding_mode!r}"
            )
        self._take(
            in_channels,
            out_channels,
            groups,
            padding_mode,
            padding,
            kernel_size=kernel_size,
            stride=stride,
            dilation=dilation,
            output_padding=output_padding,
        )
        self._make_parameters(in_channels, out_channels, bias, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Each element spread over its window; output_size chooses among the sizes that a stride allows."""
        convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self._rank - 1]
        more = self.output_padding if output_size is None else self._missing(input, output_size)
        return convolve(input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation)

    def _missing(self, input: Tensor, output_size: Sequence[int]) -> Sizes:
        """The output padding that gives this size, which is that of the last axes or of all."""
        rank, name = self._rank, type(self).__name__
        wanted = tuple(output_size)
        if len(wanted) not in (rank, input.ndim):
            raise ArgumentError(f"{name} takes an output_size of {rank} or {input.ndim} numbers; got {wanted}")
        wanted = wanted[-rank:]
        assert not isinstance(self.padding, str)
        spans = reaches(self.kernel_size, self.dilation)
        axes = zip(input.shape[-rank:], self.stride, self.padding, spans, strict=True)
        least = tuple((n - 1) * s - 2 * p + r for n, s, p, r in axes)
        more = tuple(w - n for w, n in zip(wanted, least, strict=True))
        if any(not 0 <= m < s for m, s in zip(more, self.stride, strict=True)):
            most = tuple(n + s - 1 for n, s in zip(least, self.stride, strict=True))
            raise ShapeError(
                f"{name} makes sizes from {least} to {most} of an input {input.shape}; got output_size={wanted}"
            )
        return more


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution over one axis: (b, in_channels, n) or (in_channels, n) to (..., out_channels, m), with
    m = (n − 1) stride − 2 padding + dilation (kernel_size − 1) + output_padding + 1.

    weight is (in_channels, out_channels / groups, kernel_size), bias (out_channels,); both start uniform in ±1/√fan,
    with fan = kernel_size · out_channels / groups.

    padding: so many places are cut off at both ends. output_padding: so many more are kept at the far end.
    Called with an output_size, it works the output padding out.

    Raises ArgumentError for options that do not fit, ShapeError for inputs with other channels.

    >>> import pullback as pb
    >>> pb.nn.ConvTranspose1d(2, 3, 4, stride=2, padding=1)(pb.zeros(5, 2, 10)).shape
    (5, 3, 20)

    Source: torch.nn.ConvTranspose1d.
    """

    _rank = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution over two axes: (b, in_channels, h, w) or without b to (..., out_channels, …, …).

    weight is (in_channels, out_channels / groups, kh, kw), bias (out_channels,). All as in `ConvTranspose1d`, along
    each axis.

    Raises ArgumentError for options that do not fit, ShapeError for inputs with other channels.

    >>> import pullback as pb
    >>> up = pb.nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1)
    >>> up(pb.zeros(1, 8, 5, 5), output_size=(10, 10)).shape
    (1, 4, 10, 10)

    Source: torch.nn.ConvTranspose2d; Zeiler et al. 2010.
    """

    _rank = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution over three axes: (b, in_channels, d, h, w) or without b to (..., out_channels, …, …, …).

    weight is (in_channels, out_channels / groups, kd, kh, kw), bias (out_channels,). All as in `ConvTranspose1d`,
    along each axis.

    Raises ArgumentError for options that do not fit, ShapeError for inputs with other channels.

    >>> import pullback as pb
    >>> pb.nn.ConvTranspose3d(2, 1, 2, stride=2)(pb.zeros(2, 3, 3, 3)).shape
    (1, 6, 6, 6)

    Source: torch.nn.ConvTranspose3d.
    """

    _rank = 3
