"""Pullback trains neural networks on the computer you have, and shows you the backward pass.

Use it as you would PyTorch: `import pullback as pb`, or `import pullback as torch` for a script in the common subset.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from pullback import autograd, cuda
from pullback.backends.compile import compile
from pullback.base.dtypes import DType, bfloat16, float16, float32, float64, int8, int16, int32, int64, uint8, uint32
from pullback.base.dtypes import bool_ as bool
from pullback.base.settings import get_default_dtype, set_default_dtype
from pullback.grad.backward import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from pullback.grad.checkpoint import checkpoint
from pullback.grad.loops import scan
from pullback.grad.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from pullback.grad.vmap import vmap
from pullback.lens.gradcheck import gradcheck, gradgradcheck
from pullback.tensor.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from pullback.tensor.einsum import einsum
from pullback.tensor.indexing import index_select, masked_fill, masked_select, nonzero, scatter, scatter_add
from pullback.tensor.linear import addmm, bmm, dot, matmul, mm, mv, outer
from pullback.tensor.linear import trace_ as trace
from pullback.tensor.methods import allclose, device, equal, numel
from pullback.tensor.pointwise import (
    abs,
    add,
    addcdiv,
    addcmul,
    atan,
    bitwise_and,
    bitwise_left_shift,
    bitwise_not,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    ceil,
    clamp,
    clone,
    cos,
    cosh,
    div,
    divide,
    eq,
    erf,
    exp,
    expm1,
    floor,
    floor_divide,
    fmod,
    frac,
    ge,
    gt,
    isclose,
    isfinite,
    isinf,
    isnan,
    le,
    lerp,
    log,
    log1p,
    log2,
    log10,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    maximum,
    minimum,
    mul,
    multiply,
    nan_to_num,
    ne,
    neg,
    reciprocal,
    relu,
    remainder,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    sub,
    tan,
    tanh,
    true_divide,
    trunc,
    where,
)
from pullback.tensor.pointwise import power as pow
from pullback.tensor.promotion import result_type
from pullback.tensor.random import (
    Generator,
    bernoulli,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)
from pullback.tensor.reduction import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    argsort,
    count_nonzero,
    cumsum,
    gather,
    kthvalue,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    prod,
    softmax,
    sort,
    std,
    sum,
    take_along_dim,
    topk,
    var,
)
from pullback.tensor.shaping import (
    broadcast_to,
    cat,
    chunk,
    concat,
    concatenate,
    diag,
    diagonal,
    flatten,
    flip,
    movedim,
    narrow,
    permute,
    repeat_interleave,
    reshape,
    roll,
    select,
    split,
    squeeze,
    stack,
    t,
    tile,
    transpose,
    tril,
    triu,
    unbind,
    unflatten,
    unsqueeze,
)
from pullback.tensor.tensor import Tensor

float = float32
double = float64
half = float16
int = int32
long = int64

__version__ = "0.1.0"

if _TYPE_CHECKING:
    from pullback import data, nn, optim, utils
    from pullback.emit.eject import eject
    from pullback.emit.source import source
    from pullback.files.weights import load, save

# Imported when they are first asked for, so that training scripts start quickly.
_LATER = {
    "data": "pullback.data",
    "nn": "pullback.nn",
    "optim": "pullback.optim",
    "utils": "pullback.utils",
    "eject": "pullback.emit.eject",
    "source": "pullback.emit.source",
    "load": "pullback.files.weights",
    "save": "pullback.files.weights",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'pullback' has no attribute {name!r}")
    module = _import_module(_LATER[name])
    return globals().setdefault(name, getattr(module, name, module))


__all__ = [
    "DType", "Generator", "Tensor", "__version__", "abs", "add", "addcdiv", "addcmul", "addmm", "all", "allclose",
    "amax", "amin", "any", "arange", "argmax", "argmin", "argsort", "as_tensor", "atan", "autograd", "bernoulli",
    "bfloat16", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "bmm", "bool", "broadcast_to", "cat", "ceil", "checkpoint", "chunk", "clamp", "clone", "compile",
    "concat", "concatenate", "cos", "cosh", "count_nonzero", "cuda", "cumsum", "data", "device", "diag", "diagonal",
    "div", "divide", "dot", "double", "einsum", "eject", "empty", "empty_like", "enable_grad", "eq", "equal", "erf",
    "exp", "expm1", "eye", "flatten", "flip", "float", "float16", "float32", "float64", "floor", "floor_divide",
    "fmod", "frac", "from_numpy", "full", "full_like", "gather", "ge", "get_default_dtype", "get_rng_state", "grad",
    "gradcheck", "gradgradcheck", "gt", "half", "hessian", "hvp", "index_select", "inference_mode", "initial_seed",
    "int", "int16", "int32", "int64", "int8", "is_grad_enabled", "isclose", "isfinite", "isinf", "isnan",
    "jacobian", "jvp", "kthvalue", "le", "lerp", "linspace", "load", "log", "log10", "log1p", "log2", "log_softmax",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "long", "lt", "manual_seed",
    "masked_fill", "masked_select", "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "movedim", "mul",
    "multinomial", "multiply", "mv", "nan_to_num", "narrow", "ne", "neg", "nn", "no_grad", "nonzero", "norm",
    "normal", "numel", "ones", "ones_like", "optim", "outer", "permute", "pow", "prod", "rand", "rand_like",
    "randint", "randn", "randn_like", "randperm", "reciprocal", "relu", "remainder", "repeat_interleave", "reshape",
    "result_type", "roll", "round", "rsqrt", "save", "scan", "scatter", "scatter_add", "seed", "select",
    "set_default_dtype", "set_grad_enabled", "set_rng_state", "sigmoid", "sign", "sin", "sinh", "softmax", "sort",
    "source", "split", "sqrt", "square", "squeeze", "stack", "std", "sub", "sum", "t", "take_along_dim", "tan",
    "tanh", "tensor", "tile", "topk", "trace", "transpose", "tril", "triu", "true_divide", "trunc", "uint32", "uint8",
    "unbind", "unflatten", "unsqueeze", "utils", "value_and_grad", "var", "vjp", "vmap", "where", "zeros", "zeros_like",
]  # fmt: skip
