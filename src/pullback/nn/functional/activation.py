"""Activations: functions that work place by place, and those that share one total along a dim.

Each is a choice between formulas by `where`. The formula that is not chosen sees a harmless number instead of x, so
that its overflow cannot turn the gradient into NaN; at the seams the gradient is PyTorch's.

`inplace` is accepted for PyTorch's sake and changes nothing: a new tensor comes back in every case.
"""

import math
import warnings
from typing import Any

from pullback.base.errors import ArgumentError, ShapeError, suggest
from pullback.base.shapes import normalize_axis
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.pointwise import abs as absolute
from pullback.tensor.pointwise import add, div, erf, exp, expm1, ge, gt, le, log1p, lt, mul, neg, sub, where
from pullback.tensor.pointwise import sigmoid as sigmoid
from pullback.tensor.pointwise import tanh as tanh
from pullback.tensor.reduction import log_softmax as log_softmax_along
from pullback.tensor.reduction import softmax as softmax_along
from pullback.tensor.shaping import chunk, reshape
from pullback.tensor.tensor import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0); its gradient at 0 is 0.

    >>> import pullback as pb
    >>> pb.nn.functional.relu(pb.tensor([-1.0, 2.0]))
    tensor([0., 2.])

    Source: torch.nn.functional.relu.
    """
    return where(le(input, 0), 0, input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6); its gradient at 0 and at 6 is 0.

    >>> import pullback as pb
    >>> pb.nn.functional.relu6(pb.tensor([-1.0, 2.0, 9.0]))
    tensor([0., 2., 6.])

    Source: torch.nn.functional.relu6.
    """
    return hardtanh(input, 0.0, 6.0)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x cut to [min_val, max_val]; its gradient at the bounds is 0.

    Raises ArgumentError when min_val is above max_val.

    >>> import pullback as pb
    >>> pb.nn.functional.hardtanh(pb.tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])

    Source: torch.nn.functional.hardtanh.
    """
    if min_val > max_val:
        raise ArgumentError(f"hardtanh needs min_val ≤ max_val; got {min_val} and {max_val}")
    return where(le(input, min_val), min_val, where(ge(input, max_val), max_val, input))


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope · x.

    >>> import pullback as pb
    >>> pb.nn.functional.leaky_relu(pb.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])

    Source: torch.nn.functional.leaky_relu.
    """
    return where(gt(input, 0), input, mul(input, negative_slope))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else w · x, with one learnt w, or one for each channel (dim 1).

    Raises ShapeError when w has neither one element nor as many as there are channels.

    >>> import pullback as pb
    >>> pb.nn.functional.prelu(pb.tensor([-1.0, 2.0]), pb.tensor([0.25]))
    tensor([-0.2500,  2.0000])

    Source: torch.nn.functional.prelu; He et al. 2015.
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise ShapeError(
            f"prelu on an input of shape {input.shape} needs a weight (1,) or ({channels},); got {weight.shape}"
        )
    slope = reshape(weight, ()) if weight.numel() == 1 else reshape(weight, (channels, *(1,) * (input.ndim - 2)))
    return where(gt(input, 0), input, mul(input, slope))


def _not_above_zero(input: Tensor) -> Tensor:
    """x where x ≤ 0, else 0, also at NaN: what a formula for the left half may see."""
    return where(le(input, 0), input, 0)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha · (eˣ − 1).

    >>> import pullback as pb
    >>> pb.nn.functional.elu(pb.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])

    Source: torch.nn.functional.elu; Clevert et al. 2016.
    """
    return where(le(input, 0), mul(expm1(_not_above_zero(input)), alpha), input)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """λ · elu(x, α), with λ = 1.0507… and α = 1.6732…, which keep mean 0 and variance 1.

    >>> import pullback as pb
    >>> pb.nn.functional.selu(pb.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])

    Source: torch.nn.functional.selu; Klambauer et al. 2017.
    """
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return where(le(input, 0), mul(expm1(_not_above_zero(input)), alpha * scale), mul(input, scale))


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha · (e^(x / alpha) − 1).

    Raises ArgumentError when alpha is 0.

    >>> import pullback as pb
    >>> pb.nn.functional.celu(pb.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])

    Source: torch.nn.functional.celu; Barron 2017.
    """
    if alpha == 0:
        raise ArgumentError("celu divides by alpha, which must not be 0")
    return where(le(input, 0), mul(expm1(div(_not_above_zero(input), alpha)), alpha), input)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x · Φ(x) with the normal distribution's Φ(x) = ½ (1 + erf(x / √2)); approximate="tanh" is faster:

    ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).

    Raises ArgumentError for another approximation.

    >>> import pullback as pb
    >>> pb.nn.functional.gelu(pb.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])

    Source: torch.nn.functional.gelu; Hendrycks and Gimpel 2016.
    """
    if approximate == "none":
        return mul(mul(input, 0.5), add(erf(mul(input, math.sqrt(0.5))), 1.0))
    if approximate != "tanh":
        hint = suggest(str(approximate), ["none", "tanh"])
        raise ArgumentError(f"gelu's approximate is 'none' or 'tanh'; got {approximate!r}.{hint}")
    cubic = add(input, mul(mul(mul(input, input), input), 0.044715))
    return mul(mul(input, 0.5), add(tanh(mul(cubic, math.sqrt(2.0 / math.pi))), 1.0))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x · sigmoid(x), also called swish.

    >>> import pullback as pb
    >>> pb.nn.functional.silu(pb.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])

    Source: torch.nn.functional.silu; Elfwing et al. 2017.
    """
    return mul(input, sigmoid(input))


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · tanh(ln(1 + eˣ)).

    >>> import pullback as pb
    >>> pb.nn.functional.mish(pb.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.9440])

    Source: torch.nn.functional.mish; Misra 2019.
    """
    return mul(input, tanh(softplus(input)))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """0 below −3, 1 above 3, (x + 3) / 6 between; its gradient at −3 and 3 is 0.

    >>> import pullback as pb
    >>> pb.nn.functional.hardsigmoid(pb.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])

    Source: torch.nn.functional.hardsigmoid.
    """
    return where(le(input, -3), 0.0, where(ge(input, 3), 1.0, div(add(input, 3.0), 6.0)))


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """0 below −3, x above 3, x (x + 3) / 6 between; its gradient is 0 at −3 and 1 at 3.

    >>> import pullback as pb
    >>> pb.nn.functional.hardswish(pb.tensor([-4.0, 1.5, 4.0]))
    tensor([0.0000, 1.1250, 4.0000])

    Source: torch.nn.functional.hardswish; Howard et al. 2019.
    """
    return where(le(input, -3), 0.0, where(ge(input, 3), input, div(mul(input, add(input, 3.0)), 6.0)))


def log_one_plus_exp(input: Tensor) -> Tensor:
    """ln(1 + eˣ), exact at both far ends; all its derivatives are right everywhere, at 0 too."""
    above = gt(input, 0)
    return add(where(above, input, 0), log1p(exp(where(above, neg(input), input))))


def logsigmoid(input: Tensor) -> Tensor:
    """ln(1 / (1 + e⁻ˣ)), finite for every finite x.

    >>> import pullback as pb
    >>> pb.nn.functional.logsigmoid(pb.tensor([-1000.0, 0.0, 1000.0]))
    tensor([-1.0000e+03, -6.9315e-01,  0.0000e+00])

    Source: torch.nn.functional.logsigmoid.
    """
    below = lt(input, 0)
    return sub(where(below, input, 0), log1p(exp(where(below, input, neg(input)))))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + e^(beta · x)) / beta; x itself where beta · x > threshold.

    Raises ArgumentError when beta is 0.

    >>> import pullback as pb
    >>> pb.nn.functional.softplus(pb.tensor([-1.0, 0.0, 50.0]))
    tensor([ 0.3133,  0.6931, 50.0000])

    Source: torch.nn.functional.softplus.
    """
    if beta == 0:
        raise ArgumentError("softplus divides by beta, which must not be 0")
    scaled = mul(input, beta)
    straight = gt(scaled, threshold)
    return where(straight, input, div(log1p(exp(where(straight, 0, scaled))), beta))


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|).

    >>> import pullback as pb
    >>> pb.nn.functional.softsign(pb.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])

    Source: torch.nn.functional.softsign.
    """
    return div(input, add(absolute(input), 1.0))


def tanhshrink(input: Tensor) -> Tensor:
    """x − tanh(x).

    >>> import pullback as pb
    >>> pb.nn.functional.tanhshrink(pb.tensor([-1.0, 2.0]))
    tensor([-0.2384,  1.0360])

    Source: torch.nn.functional.tanhshrink.
    """
    return sub(input, tanh(input))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved by lambd towards 0; 0 where |x| ≤ lambd.

    Raises ArgumentError when lambd is negative.

    >>> import pullback as pb
    >>> pb.nn.functional.softshrink(pb.tensor([-1.0, 0.25, 2.0]))
    tensor([-0.5000,  0.0000,  1.5000])

    Source: torch.nn.functional.softshrink.
    """
    _check_lambd("softshrink", lambd)
    return where(gt(input, lambd), sub(input, lambd), where(ge(input, -lambd), 0.0, add(input, lambd)))


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x; 0 where |x| ≤ lambd.

    Raises ArgumentError when lambd is negative.

    >>> import pullback as pb
    >>> pb.nn.functional.hardshrink(pb.tensor([-1.0, 0.25, 2.0]))
    tensor([-1.,  0.,  2.])

    Source: torch.nn.functional.hardshrink.
    """
    _check_lambd("hardshrink", lambd)
    return where(le(absolute(input), lambd), 0.0, input)


def _check_lambd(name: str, lambd: float) -> None:
    if lambd < 0:
        raise ArgumentError(f"{name} needs lambd ≥ 0; got {lambd}")


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value.

    >>> import pullback as pb
    >>> pb.nn.functional.threshold(pb.tensor([0.5, 2.0]), 1.0, 9.0)
    tensor([9., 2.])

    Source: torch.nn.functional.threshold.
    """
    return where(le(input, threshold), value, input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · sigmoid(b) for the two halves a and b of x along a dim.

    Raises ShapeError when the dim cannot be halved.

    >>> import pullback as pb
    >>> pb.nn.functional.glu(pb.tensor([3.0, 0.0]))
    tensor([1.5000])

    Source: torch.nn.functional.glu; Dauphin et al. 2017.
    """
    size = input.shape[normalize_axis(dim, input.ndim)] if input.ndim else 1
    if size % 2:
        raise ShapeError(f"glu halves dim {dim}, whose size must be even; got the shape {input.shape}")
    first, second = chunk(input, 2, dim)
    return mul(first, sigmoid(second))


def swiglu(gate: Tensor, input: Tensor) -> Tensor:
    """silu(gate) · x, place by place: what stands between the linear maps of `nn.SwiGLU`.

    >>> import pullback as pb
    >>> pb.nn.functional.swiglu(pb.tensor([2.0]), pb.tensor([0.5]))
    tensor([0.8808])

    Source: Shazeer 2020; PyTorch has no such function.
    """
    return mul(silu(gate), input)


def _implicit_dim(name: str, ndim: int) -> int:
    """The dim that PyTorch takes, with a warning, when none is given."""
    dim = 0 if ndim in (0, 1, 3) else 1
    warnings.warn(f"{name} without dim takes dim {dim} here; say which is meant: {name}(x, dim={dim})", stacklevel=3)
    return dim


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """eˣ / Σ eˣ along a dim, without overflow. Without dim it warns and takes 1 (0 for vectors and for three dims).

    >>> import pullback as pb
    >>> pb.nn.functional.softmax(pb.tensor([1000.0, 1000.0]), dim=0)
    tensor([0.5000, 0.5000])

    Source: torch.nn.functional.softmax.
    """
    check_tensor("softmax", "input", input)
    return softmax_along(input, _implicit_dim("softmax", input.ndim) if dim is None else dim, dtype)


def softmin(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """e⁻ˣ / Σ e⁻ˣ along a dim; see `softmax`.

    >>> import pullback as pb
    >>> pb.nn.functional.softmin(pb.tensor([0.0, 1000.0]), dim=0)
    tensor([1., 0.])

    Source: torch.nn.functional.softmin.
    """
    check_tensor("softmin", "input", input)
    return softmax_along(neg(input), _implicit_dim("softmin", input.ndim) if dim is None else dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """x − ln Σ eˣ along a dim, without overflow; see `softmax`.

    >>> import pullback as pb
    >>> pb.nn.functional.log_softmax(pb.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])

    Source: torch.nn.functional.log_softmax.
    """
    check_tensor("log_softmax", "input", input)
    return log_softmax_along(input, _implicit_dim("log_softmax", input.ndim) if dim is None else dim, dtype)
