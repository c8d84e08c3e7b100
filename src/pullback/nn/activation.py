"""Activations as layers.

`inplace` is accepted for PyTorch's sake and changes nothing: a new tensor comes back in every case.
"""

from typing import Any

import pullback.nn.functional as F
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import full
from pullback.tensor.tensor import Tensor


class _InPlace(Module):
    """An activation whose only option is `inplace`."""

    __constants__ = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """`inplace=True`, or nothing."""
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """max(x, 0); its gradient at 0 is 0.

    >>> import pullback as pb
    >>> pb.nn.ReLU()(pb.tensor([-1.0, 2.0]))
    tensor([0., 2.])

    Source: torch.nn.ReLU.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.relu` of the input."""
        return F.relu(input)


class ReLU6(_InPlace):
    """min(max(x, 0), 6).

    >>> import pullback as pb
    >>> pb.nn.ReLU6()(pb.tensor([-1.0, 9.0]))
    tensor([0., 6.])

    Source: torch.nn.ReLU6.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.relu6` of the input."""
        return F.relu6(input)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope · x.

    >>> import pullback as pb
    >>> pb.nn.LeakyReLU(0.5)(pb.tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])

    Source: torch.nn.LeakyReLU.
    """

    __constants__ = ("negative_slope", "inplace")

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """`F.leaky_relu` of the input."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """The options."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """x where x > 0, else alpha · (eˣ − 1).

    >>> import pullback as pb
    >>> pb.nn.ELU()(pb.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])

    Source: torch.nn.ELU; Clevert et al. 2016.
    """

    __constants__ = ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """`F.elu` of the input."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """The options."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SELU(_InPlace):
    """λ · elu(x, α), with the λ and α that keep mean 0 and variance 1.

    >>> import pullback as pb
    >>> pb.nn.SELU()(pb.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])

    Source: torch.nn.SELU; Klambauer et al. 2017.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.selu` of the input."""
        return F.selu(input)


class CELU(Module):
    """x where x > 0, else alpha · (e^(x / alpha) − 1).

    >>> import pullback as pb
    >>> pb.nn.CELU(2.0)(pb.tensor([-1.0, 2.0]))
    tensor([-0.7869,  2.0000])

    Source: torch.nn.CELU; Barron 2017.
    """

    __constants__ = ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """`F.celu` of the input."""
        return F.celu(input, self.alpha)

    def extra_repr(self) -> str:
        """The options."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class GELU(Module):
    """x · Φ(x), with the normal distribution's Φ; approximate="tanh" is faster and nearly the same.

    >>> import pullback as pb
    >>> pb.nn.GELU()(pb.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])

    Source: torch.nn.GELU; Hendrycks and Gimpel 2016.
    """

    __constants__ = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """`F.gelu` of the input."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """The options."""
        return f"approximate={self.approximate!r}"


class SiLU(_InPlace):
    """x · sigmoid(x), also called swish.

    >>> import pullback as pb
    >>> pb.nn.SiLU()(pb.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])

    Source: torch.nn.SiLU; Elfwing et al. 2017.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.silu` of the input."""
        return F.silu(input)


class Mish(_InPlace):
    """x · tanh(ln(1 + eˣ)).

    >>> import pullback as pb
    >>> pb.nn.Mish()(pb.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.9440])

    Source: torch.nn.Mish; Misra 2019.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.mish` of the input."""
        return F.mish(input)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ).

    >>> import pullback as pb
    >>> pb.nn.Sigmoid()(pb.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])

    Source: torch.nn.Sigmoid.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.sigmoid` of the input."""
        return F.sigmoid(input)


class LogSigmoid(Module):
    """ln(1 / (1 + e⁻ˣ)), finite for every finite x.

    >>> import pullback as pb
    >>> pb.nn.LogSigmoid()(pb.tensor([0.0, 2.0]))
    tensor([-0.6931, -0.1269])

    Source: torch.nn.LogSigmoid.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.logsigmoid` of the input."""
        return F.logsigmoid(input)


class Hardsigmoid(_InPlace):
    """0 below −3, 1 above 3, (x + 3) / 6 between.

    >>> import pullback as pb
    >>> pb.nn.Hardsigmoid()(pb.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])

    Source: torch.nn.Hardsigmoid.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.hardsigmoid` of the input."""
        return F.hardsigmoid(input)


class Hardswish(_InPlace):
    """0 below −3, x above 3, x (x + 3) / 6 between.

    >>> import pullback as pb
    >>> pb.nn.Hardswish()(pb.tensor([-4.0, 1.5, 4.0]))
    tensor([0.0000, 1.1250, 4.0000])

    Source: torch.nn.Hardswish; Howard et al. 2019.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.hardswish` of the input."""
        return F.hardswish(input)


class Hardtanh(Module):
    """x cut to [min_val, max_val].

    >>> import pullback as pb
    >>> pb.nn.Hardtanh()(pb.tensor([-2.0, 0.5]))
    tensor([-1.0000,  0.5000])

    Source: torch.nn.Hardtanh.
    """

    __constants__ = ("min_val", "max_val", "inplace")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """`F.hardtanh` of the input."""
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        """The options."""
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class Tanh(Module):
    """The hyperbolic tangent.

    >>> import pullback as pb
    >>> pb.nn.Tanh()(pb.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])

    Source: torch.nn.Tanh.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.tanh` of the input."""
        return F.tanh(input)


class Tanhshrink(Module):
    """x − tanh(x).

    >>> import pullback as pb
    >>> pb.nn.Tanhshrink()(pb.tensor([-1.0, 2.0]))
    tensor([-0.2384,  1.0360])

    Source: torch.nn.Tanhshrink.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.tanhshrink` of the input."""
        return F.tanhshrink(input)


class Softplus(Module):
    """ln(1 + e^(beta · x)) / beta; x itself where beta · x > threshold.

    >>> import pullback as pb
    >>> pb.nn.Softplus()(pb.tensor([-1.0, 0.0]))
    tensor([0.3133, 0.6931])

    Source: torch.nn.Softplus.
    """

    __constants__ = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """`F.softplus` of the input."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The options."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """x / (1 + |x|).

    >>> import pullback as pb
    >>> pb.nn.Softsign()(pb.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])

    Source: torch.nn.Softsign.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`F.softsign` of the input."""
        return F.softsign(input)


class Softshrink(Module):
    """x moved by lambd towards 0; 0 where |x| ≤ lambd.

    >>> import pullback as pb
    >>> pb.nn.Softshrink()(pb.tensor([-1.0, 0.25]))
    tensor([-0.5000,  0.0000])

    Source: torch.nn.Softshrink.
    """

    __constants__ = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """`F.softshrink` of the input."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.lambd}"


class Hardshrink(Module):
    """x; 0 where |x| ≤ lambd.

    >>> import pullback as pb
    >>> pb.nn.Hardshrink()(pb.tensor([-1.0, 0.25]))
    tensor([-1.,  0.])

    Source: torch.nn.Hardshrink.
    """

    __constants__ = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """`F.hardshrink` of the input."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.lambd}"


class Threshold(Module):
    """x where x > threshold, else value.

    >>> import pullback as pb
    >>> pb.nn.Threshold(1.0, 9.0)(pb.tensor([0.5, 2.0]))
    tensor([9., 2.])

    Source: torch.nn.Threshold.
    """

    __constants__ = ("threshold", "value", "inplace")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """`F.threshold` of the input."""
        return F.threshold(input, self.threshold, self.value)

    def extra_repr(self) -> str:
        """The options."""
        return f"threshold={self.threshold}, value={self.value}" + (", inplace=True" if self.inplace else "")


class GLU(Module):
    """a · sigmoid(b) for the two halves a and b of x along a dim.

    >>> import pullback as pb
    >>> pb.nn.GLU()(pb.tensor([3.0, 0.0]))
    tensor([1.5000])

    Source: torch.nn.GLU; Dauphin et al. 2017.
    """

    __constants__ = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """`F.glu` of the input."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """The options."""
        return f"dim={self.dim}"


class Softmax(Module):
    """eˣ / Σ eˣ along a dim, without overflow. Without dim it warns and takes 1 (0 for vectors and three dims).

    >>> import pullback as pb
    >>> pb.nn.Softmax(dim=0)(pb.tensor([1000.0, 1000.0]))
    tensor([0.5000, 0.5000])

    Source: torch.nn.Softmax.
    """

    __constants__ = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """`F.softmax` of the input."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The options."""
        return f"dim={self.dim}"


class Softmin(Module):
    """e⁻ˣ / Σ e⁻ˣ along a dim; see `Softmax`.

    >>> import pullback as pb
    >>> pb.nn.Softmin(dim=0)(pb.tensor([0.0, 1000.0]))
    tensor([1., 0.])

    Source: torch.nn.Softmin.
    """

    __constants__ = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """`F.softmin` of the input."""
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        """The options."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """x − ln Σ eˣ along a dim, without overflow; see `Softmax`.

    >>> import pullback as pb
    >>> pb.nn.LogSoftmax(dim=0)(pb.tensor([0.0, 1000.0]))
    tensor([-1000.,     0.])

    Source: torch.nn.LogSoftmax.
    """

    __constants__ = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """`F.log_softmax` of the input."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The options."""
        return f"dim={self.dim}"


class PReLU(Module):
    """x where x > 0, else w · x, with one learnt w or one for each channel (dim 1); all start at `init`.

    Raises ShapeError when num_parameters is neither 1 nor the number of channels.

    >>> import pullback as pb
    >>> pb.nn.PReLU()(pb.tensor([-1.0, 2.0])).tolist()
    [-0.25, 2.0]

    Source: torch.nn.PReLU; He et al. 2015.
    """

    __constants__ = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), init, dtype=dtype, device=device))

    def forward(self, input: Tensor) -> Tensor:
        """`F.prelu` of the input."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """The number of slopes."""
        return f"num_parameters={self.num_parameters}"
