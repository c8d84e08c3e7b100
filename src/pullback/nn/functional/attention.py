"""Attention: each query gathers the values whose keys are like it."""

import math

from pullback.base.dtypes import DType, bool_, float32
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.base.shapes import Shape, broadcast_shapes
from pullback.grad.checkpoint import checkpoint
from pullback.ir.mode import mode
from pullback.nn.functional.checks import check_tensor
from pullback.nn.functional.dropping import check_probability, dropout
from pullback.tensor.creation import arange
from pullback.tensor.linear import matmul
from pullback.tensor.pointwise import add, cast_to, div, eq, exp, le, mul, sub, where
from pullback.tensor.reduction import amax, softmax
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import repeat_interleave, transpose, unsqueeze
from pullback.tensor.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q kᵀ · scale + mask) v: q is (..., t, k), k (..., s, k), v (..., s, n); the result (..., t, n).

    attn_mask broadcasts to (..., t, s): of bools, True where a query may look at a key; of floats, added to the
    scores. A query that may look at no key gets zeros. is_causal lets query i look at the keys 0 to i. scale is 1/√k
    unless given. With dropout_p each weight is dropped with this probability, in evaluation too: pass 0 there.
    enable_gqa: key and value have fewer heads (dim −3) than the query; each serves several in a row.

    Leading dims broadcast; 16-bit floats are worked with in float32. The weights (..., t, s) are not kept for the
    backward pass, which computes them again.

    Raises ShapeError when sizes do not fit, DTypeError when dtypes differ, ArgumentError for a mask beside is_causal
    and a dropout_p that is not from 0 to 1.

    >>> import pullback as pb
    >>> q = k = v = pb.eye(2).reshape(1, 1, 2, 2)  # (b, h, t, k)
    >>> pb.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)[0, 0]
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])

    Source: torch.nn.functional.scaled_dot_product_attention; Vaswani et al. 2017; not keeping the weights, Rabe and
    Staats 2021; shared keys and values, Ainslie et al. 2023.
    """
    _check_inputs(query, key, value)
    check_probability(dropout_p)
    shape = _scores_shape(query, key, value, enable_gqa)
    if attn_mask is not None:
        _check_mask(attn_mask, shape, is_causal)
    factor = 1.0 / math.sqrt(query.shape[-1] or 1) if scale is None else float(scale)
    options = (attn_mask, dropout_p, is_causal, factor)
    given = (query, key, value) if attn_mask is None else (query, key, value, attn_mask)
    if mode.grad and any(x.requires_grad for x in given):
        attended: Tensor = checkpoint(_attended, query, key, value, *options)
        return attended
    return _attended(query, key, value, *options)


def _attended(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float, is_causal: bool, scale: float
) -> Tensor:
    """The formula itself."""
    wide = float32 if query.dtype.is_half else query.dtype
    q, k, v = (cast_to(x, wide) for x in (query, key, value))
    k, v = (_for_every_head(x, q) for x in (k, v))
    scores = mul(matmul(q, transpose(k, -2, -1)), scale)  # (..., t, s)
    weights = _weights(masked_scores(scores, causal_mask(*scores.shape[-2:]) if is_causal else mask), mask is not None)
    return cast_to(matmul(dropout(weights, dropout_p), v), query.dtype)


def _for_every_head(x: Tensor, query: Tensor) -> Tensor:
    """Keys or values with each head repeated for the queries that share it; one head broadcasts by itself."""
    if x.ndim < 3 or query.ndim < 3 or query.shape[-3] == 1 or x.shape[-3] in (1, query.shape[-3]):
        return x
    return repeat_interleave(x, query.shape[-3] // x.shape[-3], -3)


def causal_mask(t: int, s: int) -> Tensor:
    """bool (t, s): whether the query at place i may look at the key at place j, which is where j ≤ i."""
    return le(arange(s), unsqueeze(arange(t), 1))


def masked_scores(scores: Tensor, mask: Tensor | None) -> Tensor:
    """The scores with −∞ where a mask of bools is False, or with a mask of floats added."""
    if mask is None:
        return scores
    return where(mask, scores, -math.inf) if mask.dtype is bool_ else add(scores, cast_to(mask, scores.dtype))


def _weights(scores: Tensor, may_be_empty: bool) -> Tensor:
    """The softmax over keys, with zeros in a row where every score is −∞."""
    if not may_be_empty or not scores.shape[-1]:
        return softmax(scores, -1)
    top = amax(scores, -1, keepdim=True).detach()
    e = exp(sub(scores, where(eq(top, -math.inf), 0.0, top)))
    total = sum_over(e, -1, keepdim=True)
    return div(e, where(eq(total, 0.0), 1.0, total))


def _check_inputs(query: Tensor, key: Tensor, value: Tensor) -> None:
    named = {"query": query, "key": key, "value": value}
    for role, x in named.items():
        check_tensor("attention", role, x)
        if x.ndim < 2:
            raise ShapeError(f"attention needs a {role} (..., time, size); got the shape {x.shape}")
    dtypes: list[DType] = [x.dtype for x in named.values()]
    if len(set(dtypes)) > 1 or not query.dtype.is_floating_point:
        found = ", ".join(f"{x.dtype.name} as {role}" for role, x in named.items())
        raise DTypeError(f"attention needs query, key and value of one dtype of floats; got {found}: cast with .to()")


def _scores_shape(query: Tensor, key: Tensor, value: Tensor, enable_gqa: bool) -> Shape:
    """(..., t, s); raises ShapeError where the sizes do not fit."""
    came = f"got query {query.shape}, key {key.shape} and value {value.shape}"
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(f"attention needs queries and keys of one size (the last dim); {came}")
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(f"attention needs as many values as keys (dim −2); {came}")
    leading = [x.shape[:-2] for x in (query, key, value)]
    if enable_gqa:
        if any(not dims for dims in leading):
            raise ShapeError(f"enable_gqa needs heads as dim −3 of query, key and value; {came}")
        heads = query.shape[-3]
        if any(not n or heads % n for n in (key.shape[-3], value.shape[-3])):
            raise ShapeError(
                f"enable_gqa needs the query's heads (dim −3) to be a multiple of those of key and value; {came}"
            )
        leading = [(*dims[:-1], heads) for dims in leading]
    try:
        return (*broadcast_shapes(*leading), query.shape[-2], key.shape[-2])
    except ShapeError:
        hint = "" if enable_gqa else "; where several query heads share a key's, write enable_gqa=True"
        raise ShapeError(f"attention needs leading dims that broadcast; {came}{hint}") from None


def _check_mask(mask: Tensor, scores: Shape, is_causal: bool) -> None:
    check_tensor("attention", "attn_mask", mask)
    if is_causal:
        raise ArgumentError("is_causal is a mask of its own: join it with attn_mask (of bools, by &), or leave one out")
    if mask.dtype is not bool_ and not mask.dtype.is_floating_point:
        raise DTypeError(
            f"attn_mask holds bools (True: a query may look) or floats (added to the scores); got {mask.dtype.name}"
        )
    padded = (1,) * (len(scores) - mask.ndim) + mask.shape
    if (
        mask.ndim < 2
        or len(padded) != len(scores)
        or any(n not in (1, wanted) for n, wanted in zip(padded, scores, strict=True))
    ):
        raise ShapeError(f"attn_mask must broadcast to the scores (..., queries, keys) {scores}; got {mask.shape}")
