"""Layers that bring numbers to mean 0 and variance 1, then scale and shift them by what they learn."""

from collections.abc import Sequence
from typing import Any

import pullback.nn.functional as F
import pullback.nn.init as init
from pullback.base.dtypes import int64
from pullback.base.errors import ArgumentError, ShapeError
from pullback.nn.functional.checks import check_tensor
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import empty, ones, zeros
from pullback.tensor.pointwise import cast_to, div
from pullback.tensor.shaping import squeeze, unsqueeze
from pullback.tensor.tensor import Tensor


class _Affine(Module):
    """A layer with a weight that starts at 1 and a bias that starts at 0, or without either."""

    weight: Parameter | None
    bias: Parameter | None

    def _make_parameters(self, shape: tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        for name, wanted in (("weight", weight), ("bias", bias)):
            part = Parameter(empty(*shape, dtype=dtype, device=device)) if wanted else None
            self.register_parameter(name, part)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1 and bias 0 again."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


def _as_shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


class LayerNorm(_Affine):
    """(x − mean) / √(var + eps) · weight + bias, with mean and variance over the last dims, those of normalized_shape.

    x is (..., *normalized_shape); weight, which starts at 1, and bias, which starts at 0, are (*normalized_shape).

    Raises ShapeError when the last sizes of x are not normalized_shape, DTypeError when x has another dtype.

    >>> import pullback as pb
    >>> pb.nn.LayerNorm(2)(pb.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]], grad_fn=<add>)

    Source: torch.nn.LayerNorm; Ba et al. 2016.
    """

    __constants__ = ("normalized_shape", "eps")

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._make_parameters(self.normalized_shape, elementwise_affine, elementwise_affine and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each sample over its last dims."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The sizes, eps, and what is learnt."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """x / √(mean of x² + eps) · weight, with the mean over the last dims, those of normalized_shape.

    x is (..., *normalized_shape), weight (*normalized_shape) starts at 1. eps None stands for the distance from 1 to
    the next number of x's dtype.

    Raises ShapeError when the last sizes of x are not normalized_shape, DTypeError when x has another dtype.

    >>> import pullback as pb
    >>> pb.nn.RMSNorm(2)(pb.tensor([3.0, 3.0]))
    tensor([1., 1.], grad_fn=<mul>)

    Source: torch.nn.RMSNorm; Zhang and Sennrich 2019.
    """

    __constants__ = ("normalized_shape", "eps")
    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        part = Parameter(empty(*self.normalized_shape, dtype=dtype, device=device)) if elementwise_affine else None
        self.register_parameter("weight", part)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1 again."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Divide each sample by its root mean square."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The sizes, eps, and whether there is a weight."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Affine):
    """(x − mean) / √(var + eps) · weight + bias, with mean and variance over each group of channels of each sample.

    x is (b, num_channels, ...); weight, which starts at 1, and bias, which starts at 0, are (num_channels,).

    Raises ArgumentError when num_channels is no multiple of num_groups, ShapeError when x has other channels.

    >>> import pullback as pb
    >>> pb.nn.GroupNorm(2, 4)(pb.zeros(3, 4, 5)).shape
    (3, 4, 5)

    Source: torch.nn.GroupNorm; Wu and He 2018.
    """

    __constants__ = ("num_groups", "num_channels", "eps")

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(f"GroupNorm cannot make {num_groups} equal groups of {num_channels} channels")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._make_parameters((num_channels,), affine, affine and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each group of channels of each sample."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The groups, the channels, eps, and what is learnt."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """x / (k + alpha · mean of x² over the `size` nearest channels)^beta, for x of shape (b, c, ...).

    Raises ShapeError when x has less than three dims.

    >>> import pullback as pb
    >>> pb.nn.LocalResponseNorm(1, alpha=3.0, beta=0.5)(pb.ones(1, 1, 2))
    tensor([[[0.5000, 0.5000]]])

    Source: torch.nn.LocalResponseNorm; Krizhevsky et al. 2012.
    """

    __constants__ = ("size", "alpha", "beta", "k")

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """Divide by what the neighbouring channels hold."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The size and the numbers of the formula."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class _OverChannels(_Affine):
    """A layer whose mean and variance belong to channels, with or without running ones."""

    __constants__ = ("num_features", "eps", "momentum", "track_running_stats")
    _ranks: tuple[int, ...]  # how many dims an input may have
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._make_parameters((num_features,), affine, affine and bias, device, dtype)
        kept = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, dtype=dtype, device=device) if kept else None)
        self.register_buffer("running_var", ones(num_features, dtype=dtype, device=device) if kept else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype=int64, device=device) if kept else None)

    def reset_running_stats(self) -> None:
        """Running mean 0, running variance 1 and no batch seen, as at the beginning."""
        if self.running_mean is not None:
            self.running_mean.zero_()
        if self.running_var is not None:
            self.running_var.fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0 and the running statistics of the beginning again."""
        if "running_mean" in self._buffers:
            self.reset_running_stats()
        super().reset_parameters()

    def _check_rank(self, input: Tensor) -> None:
        check_tensor(type(self).__name__, "input", input)
        if input.ndim not in self._ranks:
            wanted = " or ".join(map(str, self._ranks))
            raise ShapeError(f"{type(self).__name__} takes inputs of {wanted} dims; got {input.shape}")

    def extra_repr(self) -> str:
        """The channels, the numbers of the formula, and what is learnt and kept."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_OverChannels):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each channel: by the batch in training, by the running statistics in evaluation."""
        self._check_rank(input)
        training = self.training
        mean, var = self.running_mean, self.running_var
        by_batch = training or (mean is None and var is None)
        if training and not self.track_running_stats:
            mean = var = None
        return F.batch_norm(input, mean, var, self.weight, self.bias, by_batch, self._momentum(training), self.eps)

    def _momentum(self, training: bool) -> Any:
        """How far the running statistics move; with momentum None they are the mean over all batches so far."""
        count = self.num_batches_tracked
        if not training or not self.track_running_stats or count is None:
            return 0.0 if self.momentum is None else self.momentum
        count.add_(1)
        if self.momentum is not None or self.running_mean is None:
            return self.momentum
        return div(1.0, cast_to(count, self.running_mean.dtype))


class BatchNorm1d(_BatchNorm):
    """(x − mean) / √(var + eps) · weight + bias, with mean and variance over each channel of the batch.

    x is (b, c) or (b, c, t); weight, which starts at 1, and bias, which starts at 0, are (c,). In training
    running_mean and running_var become (1 − momentum) · running + momentum · the batch's, the variance divided by
    n − 1, and num_batches_tracked counts on; with momentum None they are the mean over all batches so far. In
    evaluation they take the place of the batch's; without them (track_running_stats=False) the batch's are used always.

    Raises ShapeError for an x of other dims or channels, and in training when a channel has but one number.

    >>> import pullback as pb
    >>> layer = pb.nn.BatchNorm1d(1)
    >>> layer(pb.tensor([[1.0], [3.0]])).tolist()
    [[-0.9999949932098389], [0.9999949932098389]]
    >>> layer.running_mean, layer.running_var
    (tensor([0.2000]), tensor([1.1000]))

    Source: torch.nn.BatchNorm1d; Ioffe and Szegedy 2015.
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` for images: x is (b, c, height, width).

    Raises ShapeError as `BatchNorm1d` does.

    >>> import pullback as pb
    >>> pb.nn.BatchNorm2d(3)(pb.rand(2, 3, 4, 4)).shape
    (2, 3, 4, 4)

    Source: torch.nn.BatchNorm2d; Ioffe and Szegedy 2015.
    """

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """`BatchNorm1d` for volumes: x is (b, c, depth, height, width).

    Raises ShapeError as `BatchNorm1d` does.

    >>> import pullback as pb
    >>> pb.nn.BatchNorm3d(3)(pb.rand(2, 3, 2, 2, 2)).shape
    (2, 3, 2, 2, 2)

    Source: torch.nn.BatchNorm3d; Ioffe and Szegedy 2015.
    """

    _ranks = (5,)


class _InstanceNorm(_OverChannels):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each channel of each sample; in evaluation by the running statistics, where they are kept."""
        self._check_rank(input)
        alone = input.ndim == self._ranks[0]
        given = unsqueeze(input, 0) if alone else input
        by_input = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        found = F.instance_norm(
            given, self.running_mean, self.running_var, self.weight, self.bias, by_input, momentum, self.eps
        )
        return squeeze(found, 0) if alone else found


class InstanceNorm1d(_InstanceNorm):
    """(x − mean) / √(var + eps) · weight + bias, with mean and variance over each channel of each sample.

    x is (b, c, t) or (c, t). With affine there are a weight, which starts at 1, and a bias, which starts at 0, both
    (c,); without it x may have any number of channels. With track_running_stats the statistics averaged over the
    samples are kept as `BatchNorm1d` keeps them, and used in evaluation.

    Raises ShapeError for an x of other dims or channels, and when a channel has but one number.

    >>> import pullback as pb
    >>> pb.nn.InstanceNorm1d(1)(pb.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])

    Source: torch.nn.InstanceNorm1d; Ulyanov et al. 2016.
    """

    _ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """`InstanceNorm1d` for images: x is (b, c, height, width) or (c, height, width).

    Raises ShapeError as `InstanceNorm1d` does.

    >>> import pullback as pb
    >>> pb.nn.InstanceNorm2d(3)(pb.rand(2, 3, 4, 4)).shape
    (2, 3, 4, 4)

    Source: torch.nn.InstanceNorm2d; Ulyanov et al. 2016.
    """

    _ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """`InstanceNorm1d` for volumes: x is (b, c, depth, height, width) or (c, depth, height, width).

    Raises ShapeError as `InstanceNorm1d` does.

    >>> import pullback as pb
    >>> pb.nn.InstanceNorm3d(3)(pb.rand(2, 3, 2, 2, 2)).shape
    (2, 3, 2, 2, 2)

    Source: torch.nn.InstanceNorm3d; Ulyanov et al. 2016.
    """

    _ranks = (4, 5)
