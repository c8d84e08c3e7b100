"""Attention with several heads as a layer."""

import functools
import math
from typing import Any

import pullback.nn.functional as F
import pullback.nn.init as init
from pullback.base.dtypes import bool_
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.base.shapes import Shape
from pullback.nn.functional.attention import masked_scores
from pullback.nn.functional.checks import check_tensor
from pullback.nn.functional.dropping import check_probability
from pullback.nn.linear import Linear
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import empty, zeros
from pullback.tensor.linear import matmul
from pullback.tensor.pointwise import add, bitwise_not, bitwise_or, mul, where
from pullback.tensor.reduction import mean, softmax
from pullback.tensor.shaping import cat, chunk, expand, permute, reshape, squeeze, transpose, unsqueeze
from pullback.tensor.tensor import Tensor


class MultiheadAttention(Module):
    """Concat(head₁ … head_h) W_oᵀ + b_o with headᵢ = attention(query W_qᵢᵀ, key W_kᵢᵀ, value W_vᵢᵀ).

    query is (t, b, embed_dim), key (s, b, kdim), value (s, b, vdim), with b first when batch_first is set, or without
    b. in_proj_weight (3 embed_dim, embed_dim) holds W_q, W_k and W_v; where kdim or vdim differ these are
    q_proj_weight, k_proj_weight and v_proj_weight. add_bias_kv adds a learnt key and value to every sequence,
    add_zero_attn zeros. dropout is the probability that a weight is dropped in training.

    Raises ArgumentError when num_heads does not divide embed_dim, ShapeError and DTypeError in the call.

    >>> import pullback as pb
    >>> attention = pb.nn.MultiheadAttention(embed_dim=8, num_heads=2, batch_first=True)
    >>> x = pb.zeros(3, 5, 8)  # (b, t, d)
    >>> y, weights = attention(x, x, x)
    >>> y.shape, weights.shape
    ((3, 5, 8), (3, 5, 5))

    Source: torch.nn.MultiheadAttention; Vaswani et al. 2017.
    """

    __constants__ = ("embed_dim", "num_heads", "head_dim", "dropout", "batch_first", "add_zero_attn")
    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            raise ArgumentError(
                "MultiheadAttention cuts embed_dim into num_heads equal parts, so that it must be a multiple; "
                f"got embed_dim={embed_dim} and num_heads={num_heads}"
            )
        check_probability(dropout)
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn
        packed = self.kdim == self.vdim == embed_dim

        def weight(present: bool, *sizes: int) -> Parameter | None:
            return Parameter(empty(*sizes, dtype=dtype, device=device)) if present else None

        self.register_parameter("in_proj_weight", weight(packed, 3 * embed_dim, embed_dim))
        self.register_parameter("q_proj_weight", weight(not packed, embed_dim, embed_dim))
        self.register_parameter("k_proj_weight", weight(not packed, embed_dim, self.kdim))
        self.register_parameter("v_proj_weight", weight(not packed, embed_dim, self.vdim))
        self.register_parameter("in_proj_bias", weight(bias, 3 * embed_dim))
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.register_parameter("bias_k", weight(add_bias_kv, 1, 1, embed_dim))
        self.register_parameter("bias_v", weight(add_bias_kv, 1, 1, embed_dim))
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for matrix in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if matrix is not None:
                init.xavier_uniform_(matrix)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for added in (self.bias_k, self.bias_v):
            if added is not None:
                init.xavier_normal_(added)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """What each query gathered, in query's shape, and the weights (b, t, s), or None without need_weights.

        key_padding_mask (b, s) and attn_mask (t, s) or (b · h, t, s): of bools, True where a key is hidden; of floats,
        added to the scores. With average_attn_weights=False the weights are (b, h, t, s). is_causal says that
        attn_mask hides what comes later, and so need not be looked at. A query that may look at no key gets zeros,
        but NaN with need_weights. Without need_weights the weights are not kept for the backward pass.
        """
        self._check(query, key, value, is_causal and attn_mask is None)
        batch = 0 if self.batch_first else 1
        alone = query.ndim == 2
        if alone:
            query, key, value = _with_batch(batch, query, key, value)
            key_padding_mask = None if key_padding_mask is None else unsqueeze(key_padding_mask, 0)
        q, k, v = (self._heads(x) for x in self._projected(query, key, value))  # (b, h, t, k), (b, h, s, k)
        k, v = self._with_added(k, self.bias_k), self._with_added(v, self.bias_v)
        causal = is_causal and key_padding_mask is None and not need_weights and k.shape[2] == key.shape[1 - batch]
        scores = (q.shape[0], self.num_heads, q.shape[2], key.shape[1 - batch])
        mask = None if causal else _joint_mask(attn_mask, key_padding_mask, scores, k.shape[2])
        dropout_p = self.dropout if self.training else 0.0
        if need_weights:
            weights = F.dropout(self._weights(q, k, mask), dropout_p)
            gathered = matmul(weights, v)
        else:
            weights = None
            gathered = F.scaled_dot_product_attention(q, k, v, mask, dropout_p, causal)
        output = self.out_proj(self._joined(gathered))
        if weights is not None and average_attn_weights:
            weights = mean(weights, 1)
        if alone:
            return squeeze(output, batch), None if weights is None else squeeze(weights, 0)
        return output, weights

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values; in one product where they come from one tensor."""
        if self.in_proj_weight is None:
            weights: Any = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        elif query is key and key is value:
            return chunk(F.linear(query, self.in_proj_weight, self.in_proj_bias), 3, -1)
        else:
            weights = chunk(self.in_proj_weight, 3)
        biases = (None, None, None) if self.in_proj_bias is None else chunk(self.in_proj_bias, 3)
        return tuple(F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))

    def _heads(self, x: Tensor) -> Tensor:
        """(t, b, d) or (b, t, d) to (b, h, t, k)."""
        cut = reshape(x, (*x.shape[:2], self.num_heads, self.head_dim))
        return permute(cut, *((0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3)))

    def _joined(self, x: Tensor) -> Tensor:
        """(b, h, t, k) to (t, b, d) or (b, t, d)."""
        whole = permute(x, *((0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3)))
        return reshape(whole, (*whole.shape[:2], self.embed_dim))

    def _with_added(self, x: Tensor, learnt: Parameter | None) -> Tensor:
        """Keys or values with the learnt one and the zeros behind them."""
        b, h, _, k = x.shape
        parts = [x]
        if learnt is not None:
            parts.append(expand(reshape(learnt, (1, h, 1, k)), b, h, 1, k))
        if self.add_zero_attn:
            parts.append(zeros(b, h, 1, k, dtype=x.dtype))
        return cat(parts, 2) if len(parts) > 1 else x

    def _weights(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
        """How much each query takes of each value (b, h, t, s)."""
        scores = mul(matmul(q, transpose(k, -2, -1)), 1.0 / math.sqrt(self.head_dim))
        return softmax(masked_scores(scores, mask), -1)

    def _check(self, query: Tensor, key: Tensor, value: Tensor, lacks_mask: bool) -> None:
        for role, x, size in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            check_tensor("MultiheadAttention", role, x)
            if x.ndim not in (2, 3) or x.ndim != query.ndim or x.shape[-1] != size:
                order = "b, t" if self.batch_first else "t, b"
                raise ShapeError(
                    f"this MultiheadAttention takes a {role} ({order}, {size}), or all without b; got {x.shape}"
                )
        batch = 0 if self.batch_first else 1
        batches = {x.shape[batch] for x in (query, key, value)} if query.ndim == 3 else {1}
        if key.shape[:-1] != value.shape[:-1] or len(batches) > 1:
            raise ShapeError(
                "MultiheadAttention needs as many values as keys, and one batch size; "
                f"got query {query.shape}, key {key.shape} and value {value.shape}"
            )
        if lacks_mask:
            raise ArgumentError(
                "is_causal says that attn_mask is causal, and takes no mask's place: give attn_mask too, such as "
                "nn.Transformer.generate_square_subsequent_mask(t)"
            )


def _with_batch(dim: int, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All with a batch of one; those that were one tensor still are."""
    made = {id(x): unsqueeze(x, dim) for x in (query, key, value)}
    return made[id(query)], made[id(key)], made[id(value)]


def _joint_mask(attn_mask: Tensor | None, padding: Tensor | None, scores: Shape, keys: int) -> Tensor | None:
    """Both masks as one that broadcasts to (b, h, t, keys): of bools, True where a query may look, or of floats."""
    b, h, t, s = scores
    masks = []
    if attn_mask is not None:
        _check_mask("attn_mask", attn_mask, (t, s), (b * h, t, s))
        masks.append(attn_mask if attn_mask.ndim == 2 else reshape(attn_mask, (b, h, t, s)))
    if padding is not None:
        _check_mask("key_padding_mask", padding, (b, s))
        masks.append(reshape(padding, (b, 1, 1, s)))
    if not masks:
        return None
    masks = [_padded(mask, keys - s) for mask in masks]
    if all(mask.dtype is bool_ for mask in masks):
        return bitwise_not(functools.reduce(bitwise_or, masks))
    return functools.reduce(add, [where(mask, -math.inf, 0.0) if mask.dtype is bool_ else mask for mask in masks])


def _padded(mask: Tensor, count: int) -> Tensor:
    """The mask with so many keys more, which are never hidden."""
    return cat([mask, zeros(*mask.shape[:-1], count, dtype=mask.dtype)], -1) if count else mask


def _check_mask(name: str, mask: Tensor, *shapes: Shape) -> None:
    check_tensor("MultiheadAttention", name, mask)
    if mask.dtype is not bool_ and not mask.dtype.is_floating_point:
        raise DTypeError(
            f"{name} holds bools (True: a key is hidden) or floats (added to the scores); got {mask.dtype.name}"
        )
    if mask.shape not in shapes:
        raise ShapeError(f"{name} must be {' or '.join(map(str, shapes))} here; got {mask.shape}")
