"""The transformer: layers of attention and of two linear maps, stacked into an encoder and a decoder."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pullback.nn.functional as F
import pullback.nn.init as init
from pullback.base.dtypes import DType
from pullback.base.errors import ArgumentError, ShapeError, suggest
from pullback.base.settings import get_default_dtype
from pullback.nn.attention import MultiheadAttention
from pullback.nn.containers import ModuleList
from pullback.nn.dropout import Dropout
from pullback.nn.functional.attention import causal_mask
from pullback.nn.linear import Linear
from pullback.nn.module import Module
from pullback.nn.normalisation import LayerNorm
from pullback.tensor.creation import check_device
from pullback.tensor.pointwise import cast_to, where
from pullback.tensor.promotion import wanted_dtype
from pullback.tensor.tensor import Tensor

Activation = str | Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


def _activation(wanted: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(wanted, str):
        return wanted
    if wanted not in ACTIVATIONS:
        hint = suggest(wanted, ACTIVATIONS)
        raise ArgumentError(f"activation is 'relu', 'gelu' or a function of a tensor; got {wanted!r}.{hint}")
    return ACTIVATIONS[wanted]


class _Layer(Module):
    """What layers of encoder and decoder share: self-attention, the linear maps, and how they are normalised."""

    __constants__ = ("norm_first", "activation")

    def __init__(
        self,
        attentions: dict[str, MultiheadAttention],
        sizes: tuple[int, int],
        dropout: float,
        activation: Activation,
        layer_norm_eps: float,
        norm_first: bool,
        bias: bool,
        factory: dict[str, Any],
    ) -> None:
        super().__init__()
        d_model, dim_feedforward = sizes
        for name, attention in attentions.items():
            self.register_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **factory)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **factory)
        self.norm_first = norm_first
        parts = range(1, len(attentions) + 2)
        for i in parts:
            self.register_module(f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **factory))
        for i in parts:
            self.register_module(f"dropout{i}", Dropout(dropout))
        self.activation = _activation(activation)

    def _added(self, x: Tensor, norm: Module, block: Callable[[Tensor], Tensor]) -> Tensor:
        """x + block(norm(x)), or norm(x + block(x))."""
        if self.norm_first:
            return x + block(norm(x))
        y: Tensor = norm(x + block(x))
        return y

    def _feed_forward(self, x: Tensor, dropout: Module) -> Tensor:
        y: Tensor = dropout(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return y


def _attend(
    attention: Module, dropout: Module, x: Tensor, to: Tensor, mask: Tensor | None, padding: Tensor | None, causal: bool
) -> Tensor:
    gathered, _ = attention(x, to, to, attn_mask=mask, key_padding_mask=padding, need_weights=False, is_causal=causal)
    y: Tensor = dropout(gathered)
    return y


class TransformerEncoderLayer(_Layer):
    """x = norm₁(x + attention(x)), then norm₂(x + W₂ activation(W₁ x + b₁) + b₂); with norm_first the norms go before.

    x is (t, b, d_model), or (b, t, d_model) with batch_first, or without b; so is the result. Dropout stands behind the
    attention, the activation and the second linear map.

    Raises ArgumentError when nhead does not divide d_model and for an unknown activation, ShapeError in the call.

    >>> import pullback as pb
    >>> layer = pb.nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(pb.zeros(3, 5, 8)).shape
    (3, 5, 8)

    Source: torch.nn.TransformerEncoderLayer; Vaswani et al. 2017; norm_first, Xiong et al. 2020.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        factory = {"device": device, "dtype": dtype}
        options: dict[str, Any] = {"dropout": dropout, "bias": bias, "batch_first": batch_first, **factory}
        attentions = {"self_attn": MultiheadAttention(d_model, nhead, **options)}
        sizes = d_model, dim_feedforward
        super().__init__(attentions, sizes, dropout, activation, layer_norm_eps, norm_first, bias, factory)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The layer's result; masks as in `MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            return _attend(self.self_attn, self.dropout1, x, x, src_mask, src_key_padding_mask, is_causal)

        x = self._added(src, self.norm1, attend)
        return self._added(x, self.norm2, lambda x: self._feed_forward(x, self.dropout2))


class TransformerDecoderLayer(_Layer):
    """Attention of x to itself, attention of x to the encoder's memory, and two linear maps, each added and normalised.

    tgt is (t, b, d_model) and memory (s, b, d_model), with b first when batch_first is set, or without b; the result
    has tgt's shape.

    Raises ArgumentError when nhead does not divide d_model and for an unknown activation, ShapeError in the call.

    >>> import pullback as pb
    >>> layer = pb.nn.TransformerDecoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(pb.zeros(3, 5, 8), memory=pb.zeros(3, 7, 8)).shape
    (3, 5, 8)

    Source: torch.nn.TransformerDecoderLayer; Vaswani et al. 2017.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        factory = {"device": device, "dtype": dtype}
        options: dict[str, Any] = {"dropout": dropout, "bias": bias, "batch_first": batch_first, **factory}
        attentions = {name: MultiheadAttention(d_model, nhead, **options) for name in ("self_attn", "multihead_attn")}
        sizes = d_model, dim_feedforward
        super().__init__(attentions, sizes, dropout, activation, layer_norm_eps, norm_first, bias, factory)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The layer's result; masks as in `MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            return _attend(self.self_attn, self.dropout1, x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)

        def recall(x: Tensor) -> Tensor:
            padding = memory_key_padding_mask
            return _attend(self.multihead_attn, self.dropout2, x, memory, memory_mask, padding, memory_is_causal)

        x = self._added(tgt, self.norm1, attend)
        x = self._added(x, self.norm2, recall)
        return self._added(x, self.norm3, lambda x: self._feed_forward(x, self.dropout3))


class TransformerEncoder(Module):
    """`num_layers` copies of an encoder layer one after the other, and perhaps a norm behind them.

    enable_nested_tensor, mask_check: taken for PyTorch's sake, and change nothing.

    >>> import pullback as pb
    >>> layer = pb.nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> pb.nn.TransformerEncoder(layer, num_layers=2, norm=pb.nn.LayerNorm(8))(pb.zeros(3, 5, 8)).shape
    (3, 5, 8)

    Source: torch.nn.TransformerEncoder.
    """

    __constants__ = ("norm",)

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """The last layer's result; masks as in `MultiheadAttention`."""
        x = src
        for layer in self.layers:
            x = layer(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """`num_layers` copies of a decoder layer one after the other, and perhaps a norm behind them.

    >>> import pullback as pb
    >>> layer = pb.nn.TransformerDecoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> pb.nn.TransformerDecoder(layer, num_layers=2)(pb.zeros(3, 5, 8), pb.zeros(3, 7, 8)).shape
    (3, 5, 8)

    Source: torch.nn.TransformerDecoder.
    """

    __constants__ = ("norm",)

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(decoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The last layer's result; masks as in `MultiheadAttention`."""
        x = tgt
        for layer in self.layers:
            x = layer(
                x,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """An encoder that reads src, and a decoder that writes tgt while it looks at what the encoder made of src.

    src is (s, b, d_model) and tgt (t, b, d_model), with b first when batch_first is set, or without b; the result has
    tgt's shape. Weights start uniform by Xavier and Glorot's rule.

    Raises ArgumentError when nhead does not divide d_model, ShapeError when src and tgt do not fit.

    >>> import pullback as pb
    >>> net = pb.nn.Transformer(8, 2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
    >>> tgt = pb.zeros(5, 3, 8)
    >>> net(pb.zeros(7, 3, 8), tgt, tgt_mask=net.generate_square_subsequent_mask(5)).shape
    (5, 3, 8)

    Source: torch.nn.Transformer; Vaswani et al. 2017.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        layer: Any = (
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
            bias,
        )

        def norm() -> Module:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **factory)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*layer, **factory), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*layer, **factory), num_decoder_layers, norm()
        )
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The decoder's result; masks as in `MultiheadAttention`."""
        batch = 0 if self.batch_first else 1
        if src.ndim != tgt.ndim or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch]):
            raise ShapeError(f"Transformer needs src and tgt with one batch size; got {src.shape} and {tgt.shape}")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ShapeError(
                f"this Transformer needs src and tgt with {self.d_model} numbers in the last dim; "
                f"got {src.shape} and {tgt.shape}"
            )
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        y: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return y

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """(sz, sz) with 0 where a query may look and −∞ where a key comes later.

        >>> import pullback as pb
        >>> pb.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])

        Source: torch.nn.Transformer.generate_square_subsequent_mask.
        """
        check_device(device)
        found: DType = wanted_dtype(dtype, get_default_dtype())
        return cast_to(where(causal_mask(sz, sz), 0.0, -math.inf), found)
