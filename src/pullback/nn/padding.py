"""Layers that put something around the last dims of their input."""

from collections.abc import Sequence

import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, ShapeError
from pullback.nn.functional.checks import check_tensor
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor

Padding = int | Sequence[int]


class _Padding(Module):
    """A layer that pads its last dims, as many as `_dims` says, by fixed widths."""

    __constants__: Sequence[str] = ("padding",)
    _dims: int
    _mode = "constant"

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        widths = (padding,) * (2 * self._dims) if isinstance(padding, int) else tuple(padding)
        if len(widths) != 2 * self._dims:
            raise ArgumentError(
                f"{type(self).__name__} takes one width, or {2 * self._dims} of them: (before, after) of the last dim "
                f"first; got {padding}"
            )
        self.padding = widths

    def forward(self, input: Tensor) -> Tensor:
        """The input with something around it."""
        self._check_dims(input)
        return F.pad(input, self.padding, self._mode)

    def _check_dims(self, input: Tensor) -> None:
        name, wanted = type(self).__name__, (self._dims + 1, self._dims + 2)
        check_tensor(name, "input", input)
        if self._mode != "constant" and input.ndim not in wanted:
            raise ShapeError(f"{name} takes inputs of {wanted[0]} or {wanted[1]} dims; got {input.shape}")

    def extra_repr(self) -> str:
        """The widths."""
        return f"{self.padding}"


class _ConstantPadding(_Padding):
    __constants__ = ("padding", "value")

    def __init__(self, padding: Padding, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The input with the value around it."""
        self._check_dims(input)
        return F.pad(input, self.padding, value=self.value)

    def extra_repr(self) -> str:
        """The widths and the value."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadding):
    """A number around the last dim: `padding` = (before, after), or one width for both; negative widths cut off.

    x may have any dims.

    Raises ArgumentError for another number of widths, ShapeError for widths that do not fit.

    >>> import pullback as pb
    >>> pb.nn.ConstantPad1d((1, 2), 9.0)(pb.tensor([[1.0, 2.0]]))
    tensor([[9., 1., 2., 9., 9.]])

    Source: torch.nn.ConstantPad1d.
    """

    _dims = 1


class ConstantPad2d(_ConstantPadding):
    """`ConstantPad1d` for the last two dims: `padding` is one width, or 4 of them, those of the last dim first.

    Raises as `ConstantPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.ConstantPad2d((1, 1, 2, 0), 9.0)(pb.ones(1, 3, 3)).shape
    (1, 5, 5)

    Source: torch.nn.ConstantPad2d.
    """

    _dims = 2


class ConstantPad3d(_ConstantPadding):
    """`ConstantPad1d` for the last three dims: `padding` is one width, or 6 of them, those of the last dim first.

    Raises as `ConstantPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.ConstantPad3d((1, 1, 2, 0, 0, 0), 9.0)(pb.ones(1, 3, 3, 3)).shape
    (1, 3, 5, 5)

    Source: torch.nn.ConstantPad3d.
    """

    _dims = 3


class ZeroPad1d(_Padding):
    """Zeros around the last dim: `padding` = (before, after), or one width for both; negative widths cut off.

    x may have any dims.

    Raises ArgumentError for another number of widths, ShapeError for widths that do not fit.

    >>> import pullback as pb
    >>> pb.nn.ZeroPad1d((1, 2))(pb.tensor([[1.0, 2.0]]))
    tensor([[0., 1., 2., 0., 0.]])

    Source: torch.nn.ZeroPad1d.
    """

    _dims = 1


class ZeroPad2d(_Padding):
    """`ZeroPad1d` for the last two dims: `padding` is one width, or 4 of them, those of the last dim first.

    Raises as `ZeroPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.ZeroPad2d((1, 1, 2, 0))(pb.ones(1, 3, 3)).shape
    (1, 5, 5)

    Source: torch.nn.ZeroPad2d.
    """

    _dims = 2


class ZeroPad3d(_Padding):
    """`ZeroPad1d` for the last three dims: `padding` is one width, or 6 of them, those of the last dim first.

    Raises as `ZeroPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.ZeroPad3d((1, 1, 2, 0, 0, 0))(pb.ones(1, 3, 3, 3)).shape
    (1, 3, 5, 5)

    Source: torch.nn.ZeroPad3d.
    """

    _dims = 3


class ReflectionPad1d(_Padding):
    """x mirrored beyond both ends of the last dim, without repeating the last element: `padding` = (before, after), or
    one width for both.

    x is (b, c, t) or (c, t).

    Raises ArgumentError for another number of widths, ShapeError for an x of other dims or not larger than the
    widths.

    >>> import pullback as pb
    >>> pb.nn.ReflectionPad1d((1, 2))(pb.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3., 2., 1.]])

    Source: torch.nn.ReflectionPad1d.
    """

    _dims = 1
    _mode = "reflect"


class ReflectionPad2d(_Padding):
    """`ReflectionPad1d` for the last two dims: `padding` is one width, or 4 of them, those of the last dim first.

    x is (b, c, height, width) or (c, height, width).

    Raises as `ReflectionPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.ReflectionPad2d((1, 1, 2, 0))(pb.ones(1, 3, 3)).shape
    (1, 5, 5)

    Source: torch.nn.ReflectionPad2d.
    """

    _dims = 2
    _mode = "reflect"


class ReflectionPad3d(_Padding):
    """`ReflectionPad1d` for the last three dims: `padding` is one width, or 6 of them, those of the last dim first.

    x is (b, c, depth, height, width) or (c, depth, height, width).

    Raises as `ReflectionPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.ReflectionPad3d((1, 1, 2, 0, 0, 0))(pb.ones(1, 3, 3, 3)).shape
    (1, 3, 5, 5)

    Source: torch.nn.ReflectionPad3d.
    """

    _dims = 3
    _mode = "reflect"


class ReplicationPad1d(_Padding):
    """The first and the last element repeated beyond the ends of the last dim: `padding` = (before, after), or one
    width for both.

    x is (b, c, t) or (c, t).

    Raises ArgumentError for another number of widths, ShapeError for an x of other dims.

    >>> import pullback as pb
    >>> pb.nn.ReplicationPad1d((1, 2))(pb.tensor([[1.0, 2.0]]))
    tensor([[1., 1., 2., 2., 2.]])

    Source: torch.nn.ReplicationPad1d.
    """

    _dims = 1
    _mode = "replicate"


class ReplicationPad2d(_Padding):
    """`ReplicationPad1d` for the last two dims: `padding` is one width, or 4 of them, those of the last dim first.

    x is (b, c, height, width) or (c, height, width).

    Raises as `ReplicationPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.ReplicationPad2d((1, 1, 2, 0))(pb.ones(1, 3, 3)).shape
    (1, 5, 5)

    Source: torch.nn.ReplicationPad2d.
    """

    _dims = 2
    _mode = "replicate"


class ReplicationPad3d(_Padding):
    """`ReplicationPad1d` for the last three dims: `padding` is one width, or 6 of them, those of the last dim first.

    x is (b, c, depth, height, width) or (c, depth, height, width).

    Raises as `ReplicationPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.ReplicationPad3d((1, 1, 2, 0, 0, 0))(pb.ones(1, 3, 3, 3)).shape
    (1, 3, 5, 5)

    Source: torch.nn.ReplicationPad3d.
    """

    _dims = 3
    _mode = "replicate"


class CircularPad1d(_Padding):
    """x going on from its other end beyond both ends of the last dim: `padding` = (before, after), or one width for
    both.

    x is (b, c, t) or (c, t).

    Raises ArgumentError for another number of widths, ShapeError for an x of other dims or smaller than the widths.

    >>> import pullback as pb
    >>> pb.nn.CircularPad1d((1, 2))(pb.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1., 2.]])

    Source: torch.nn.CircularPad1d.
    """

    _dims = 1
    _mode = "circular"


class CircularPad2d(_Padding):
    """`CircularPad1d` for the last two dims: `padding` is one width, or 4 of them, those of the last dim first.

    x is (b, c, height, width) or (c, height, width).

    Raises as `CircularPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.CircularPad2d((1, 1, 2, 0))(pb.ones(1, 3, 3)).shape
    (1, 5, 5)

    Source: torch.nn.CircularPad2d.
    """

    _dims = 2
    _mode = "circular"


class CircularPad3d(_Padding):
    """`CircularPad1d` for the last three dims: `padding` is one width, or 6 of them, those of the last dim first.

    x is (b, c, depth, height, width) or (c, depth, height, width).

    Raises as `CircularPad1d` does.

    >>> import pullback as pb
    >>> pb.nn.CircularPad3d((1, 1, 2, 0, 0, 0))(pb.ones(1, 3, 3, 3)).shape
    (1, 3, 5, 5)

    Source: torch.nn.CircularPad3d.
    """

    _dims = 3
    _mode = "circular"
