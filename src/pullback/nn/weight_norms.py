"""Parametrizations of weights: by length and direction, and by the largest singular value."""

from pullback.base.errors import ArgumentError
from pullback.base.shapes import normalize_axis
from pullback.grad.backward import no_grad
from pullback.nn.convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from pullback.nn.derived_parameters import register_parametrization
from pullback.nn.functional.distance import normalize
from pullback.nn.module import Module
from pullback.tensor.linear import dot, mv
from pullback.tensor.pointwise import div, mul
from pullback.tensor.random import randn
from pullback.tensor.reduction import norm
from pullback.tensor.shaping import flatten, movedim, t
from pullback.tensor.tensor import Tensor


class _WeightNorm(Module):
    """g · v / ‖v‖, with the norm over all dims but one, or over all."""

    __constants__ = ("dim",)

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, length: Tensor, direction: Tensor) -> Tensor:
        """The weight."""
        return mul(direction, div(length, self._norm(direction)))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Its length and its direction."""
        return self._norm(weight), weight

    def _norm(self, weight: Tensor) -> Tensor:
        if self.dim is None or self.dim == -1:  # -1 is PyTorch's word for all dims, not for the last
            return norm(weight, 2)
        kept = normalize_axis(self.dim, weight.ndim)
        others = tuple(a for a in range(weight.ndim) if a != kept)
        return norm(weight, 2, others, keepdim=True) if others else weight.abs()


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn a weight as g · v / ‖v‖, its length and its direction apart; the module itself.

    The module's `weight` becomes `parametrizations.weight.original0` (g) and `original1` (v), and is computed from
    them when it is read.

    dim: the dim whose entries each have a length of their own; None (or −1) for one length of all.

    Raises ArgumentError when the module has no tensor of this name, ShapeError when it has no such dim.

    >>> import pullback as pb
    >>> layer = pb.nn.utils.parametrizations.weight_norm(pb.nn.Linear(3, 2))
    >>> {name: p.shape for name, p in layer.named_parameters() if name != "bias"}
    {'parametrizations.weight.original0': (2, 1), 'parametrizations.weight.original1': (2, 3)}

    Source: torch.nn.utils.parametrizations.weight_norm; Salimans and Kingma 2016.
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    """W / σ, with σ = uᵀ W v the largest singular value, whose vectors a power iteration follows in training."""

    __constants__ = ("dim", "n_power_iterations", "eps")

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        if n_power_iterations < 1:
            raise ArgumentError(f"spectral_norm takes at least one power iteration; got {n_power_iterations}")
        self.dim = normalize_axis(dim, weight.ndim)
        self.n_power_iterations = n_power_iterations
        self.eps = eps
        if weight.ndim > 1:
            matrix = self._matrix(weight.detach())
            for side, size in zip(("_u", "_v"), matrix.shape, strict=True):
                drawn = randn(size, dtype=weight.dtype)
                self.register_buffer(side, normalize(drawn, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with its largest singular value 1."""
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        return div(weight, dot(self._u, mv(matrix, self._v)))

    def right_inverse(self, value: Tensor) -> Tensor:
        """The weight itself: how large it was before cannot be told."""
        return value

    def _matrix(self, weight: Tensor) -> Tensor:
        """The weight with all dims but one made columns."""
        rows = weight if self.dim == 0 else movedim(weight, self.dim, 0)
        return rows if rows.ndim == 2 else flatten(rows, 1)

    @no_grad()
    def _iterate(self, matrix: Tensor, times: int) -> None:
        u, v = self._u, self._v
        for _ in range(times):
            u = normalize(mv(matrix, v), dim=0, eps=self.eps)
            v = normalize(mv(t(matrix), u), dim=0, eps=self.eps)
        self._u.copy_(u)
        self._v.copy_(v)


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value each time it is read; the module itself.

    The module's `weight` becomes `parametrizations.weight.original`. The singular vectors are the buffers
    `parametrizations.weight.0._u` and `_v`; in training each reading of the weight moves them on by power iterations.

    dim: the dim that is the rows of the matrix, all others being its columns; 0, but 1 for transposed convolutions.
    n_power_iterations: how many iterations each reading does.
    eps: the least length that is divided by.

    Raises ArgumentError when the module has no tensor of this name or n_power_iterations is below 1, ShapeError when
    it has no such dim.

    >>> import pullback as pb
    >>> layer = pb.nn.utils.parametrizations.spectral_norm(pb.nn.Linear(3, 3))
    >>> _ = layer.parametrizations.weight.original.data.copy_(pb.diag(pb.tensor([1.0, 4.0, 2.0])))
    >>> for _ in range(20):
    ...     y = layer(pb.zeros(3))
    >>> layer.eval().weight.diagonal().detach()
    tensor([0.2500, 1.0000, 0.5000])

    Source: torch.nn.utils.parametrizations.spectral_norm; Miyato et al. 2018.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentError(f"{type(module).__name__} has no parameter and no buffer {name!r} to parametrize")
    if dim is None:
        dim = 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
