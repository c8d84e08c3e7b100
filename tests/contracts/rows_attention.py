"""Rows of attention and of the transformer's layers, as functions and as modules."""

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

from tests.contracts.calls import Call, Given, calls, of, spread
from tests.contracts.layer_row import LayerRow

T, F = True, False
SOME = of([[T, F, T, F, F], [F, F, F, F, F], [T, T, T, T, T]], "bool")  # the second query may look at nothing
FLOATS = of(
    [[0.0, 1.0, -1.0, float("-inf"), 2.0], [float("-inf")] * 5, [0.5, 0.0, 0.0, float("-inf"), 1.0]],
    requires_grad=False,
)
ATTEND = "lib.nn.functional.scaled_dot_product_attention"

DOT_PRODUCTS: list[Call] = [
    *calls(
        f"""
        {ATTEND}(q, k, v)
        {ATTEND}(q, k, v, some)
        {ATTEND}(q, k, v, attn_mask=floats)
        {ATTEND}(q, k, v, bias)
        {ATTEND}(q, k, v, is_causal=True)
        {ATTEND}(q, k, v, None, 0.0, False, scale=0.25)
        {ATTEND}(q, k, v, scale=-2.0)
        {ATTEND}(k, q, q, is_causal=True)
        {ATTEND}(q[0], k[0], v[0], some)
        {ATTEND}(q[0, 0], k[0, 0], v[0, 0])
        {ATTEND}(q, k[:, :1], v)
        {ATTEND}(q, k[:, :, :0], v[:, :, :0])
        {ATTEND}(q[:, :, :0], k, v)
        {ATTEND}(lib.cat([q, q], 1), k, v, enable_gqa=True)
        {ATTEND}(lib.cat([q, q], 1), k, v, some, enable_gqa=True)
        {ATTEND}(lib.cat([q, q], 1), k, v[:, :1], is_causal=True, enable_gqa=True)
        {ATTEND}(q[0], k[0, :1], v[0, :1], enable_gqa=True)
        {ATTEND}(q.detach(), k.detach(), v.detach(), some)
        {ATTEND}(q.detach(), k, v.detach())
        {ATTEND}(q, k, v, dropout_p=1.0)
        {ATTEND}(q, k, v, dropout_p=1.5)
        {ATTEND}(q, k, v, some[:, :3])
        {ATTEND}(q, k, v, some[0])
        {ATTEND}(q, k, v, some.long())
        {ATTEND}(q, k, v[:, :, 1:])
        {ATTEND}(q, k[..., 1:], v)
        {ATTEND}(lib.cat([q, q], 1), k, v)
        {ATTEND}(lib.cat([q, q[:, :1]], 1), k, v, enable_gqa=True)
        {ATTEND}(q, k, v.float())
        {ATTEND}(q[0, 0, 0], k[0, 0], v[0, 0])
        """,
        q=spread(2, 2, 3, 4, seed=41),
        k=spread(2, 2, 5, 4, seed=42),
        v=spread(2, 2, 5, 3, seed=43),
        some=SOME,
        floats=FLOATS,
        bias=spread(2, 3, 5, seed=44),
    ),
    *calls(
        f"""
        {ATTEND}(q, q, q, is_causal=True)
        {ATTEND}(q, q, q, narrow)
        {ATTEND}(half, half, half)
        {ATTEND}(brief, brief, brief, is_causal=True)
        """,
        q=spread(1, 2, 3, 4, dtype="float32", seed=45),
        narrow=spread(3, 3, dtype="float32", seed=46),
        half=spread(1, 2, 3, 4, dtype="float16", seed=47),
        brief=spread(1, 2, 3, 4, dtype="bfloat16", seed=48),
    ),
]


@dataclass(frozen=True)
class CallRow(LayerRow):
    """A layer that is called with keywords besides, and with its input as each of its first `places` arguments."""

    keywords: dict[str, Any] = field(default_factory=dict)
    places: int = 1
    scale: float = 0.0  # the size of numbers that cancel out in the results, as gradients do in norms after norms

    def make(self, lib: Any) -> Any:
        """The module as the library makes it."""
        return getattr(lib.nn, self.layer)(**self.options)

    def build(self, lib: Any) -> Any:
        """The module, filled with numbers by the names of its parameters, which adds the keywords to every call."""
        module = self.make(lib).to(getattr(lib, self.dtype))
        given = {
            name: spread(*p.shape, low=-1.0, high=1.0, seed=zlib.crc32(name.encode()) % 997)
            for name, p in module.named_parameters()
        }
        module.load_state_dict({name: x.tensor(lib).detach().to(getattr(lib, self.dtype)) for name, x in given.items()})
        added = {name: x.tensor(lib) if isinstance(x, Given) else x for name, x in self.keywords.items()}
        module.register_forward_pre_hook(
            lambda _, args, kwargs: (args * self.places, {**kwargs, **added}), with_kwargs=True
        )
        return module.train(self.train)

    def run(self, lib: Any) -> dict[str, Any]:
        """The answer, with linear maps called by one name: PyTorch has a second one for those of attention."""
        answer = super().run(lib)
        return answer | {"repr": answer["repr"].replace("NonDynamicallyQuantizableLinear", "Linear")}


@dataclass(frozen=True)
class StackRow(CallRow):
    """An encoder or decoder of two layers, made from one layer with the row's options, with a norm or without."""

    norm: bool = True

    def make(self, lib: Any) -> Any:
        """The stack."""
        layer = getattr(lib.nn, f"{self.layer}Layer")(**self.options)
        return getattr(lib.nn, self.layer)(layer, 2, lib.nn.LayerNorm(4) if self.norm else None)


X = spread(3, 2, 4, seed=51)  # (t, b, d)
ROWS = spread(2, 3, 4, seed=52)  # (b, t, d)
ALONE = spread(3, 4, seed=53)
MEMORY = spread(5, 2, 4, seed=54)
CAUSAL = of([[F, T, T], [F, F, T], [F, F, F]], "bool")
FAR = of([[0.0, -1.0, float("-inf")], [0.5, 0.0, 1.0], [0.0, 0.0, 0.0]], requires_grad=False)
PER_HEAD = of([[[F, F, T], [T, F, F], [F, T, F]]] * 2 + [[[F, F, F], [F, F, T], [T, F, T]]] * 2, "bool")
PADDING = of([[F, F, T], [F, T, T]], "bool")
SOFT = of([[0.0, 0.0, -2.0], [0.0, 1.0, 0.5]], requires_grad=False)
NO_KEY = of([[F, F, F], [T, T, T], [F, F, T]], "bool")


def _self(
    label: str,
    x: Given = X,
    call: dict[str, Any] | None = None,
    smooth: bool = False,
    train: bool = True,
    **options: Any,
) -> CallRow:
    """A row of self-attention."""
    return CallRow(
        "MultiheadAttention",
        (x,),
        options={"embed_dim": 4, "num_heads": 2, **options},
        label=label,
        train=train,
        smooth=smooth,
        twice=smooth,
        keywords=call or {},
        places=3,
    )


def _unweighted(**call: Any) -> dict[str, Any]:
    return {"need_weights": False, **call}


MULTIHEAD: list[LayerRow] = [
    _self("self", smooth=True),
    _self("batch first", ROWS, batch_first=True),
    _self("without a batch", ALONE, {"average_attn_weights": False}, smooth=True),
    _self("not averaged", X, {"average_attn_weights": False}, bias=False),
    _self("without weights", X, _unweighted(), smooth=True),
    _self("bools", X, {"attn_mask": CAUSAL}),
    _self("bools without weights", X, _unweighted(attn_mask=CAUSAL)),
    _self("causal", X, _unweighted(attn_mask=CAUSAL, is_causal=True)),
    _self("causal and added", X, {"attn_mask": CAUSAL, "is_causal": True}, add_zero_attn=True),
    _self("floats", X, {"attn_mask": FAR}),
    _self("a mask for each head", X, _unweighted(attn_mask=PER_HEAD)),
    _self("padded", ROWS, {"key_padding_mask": PADDING}, batch_first=True),
    _self("padded and hidden", X, {"key_padding_mask": PADDING, "attn_mask": CAUSAL}),
    _self("padded and causal", X, _unweighted(key_padding_mask=PADDING, attn_mask=CAUSAL, is_causal=True)),
    _self("softly padded and far", X, _unweighted(key_padding_mask=SOFT, attn_mask=FAR)),
    _self("padded without a batch", ALONE, {"key_padding_mask": of([F, F, T], "bool")}),
    _self("no key at all", X, _unweighted(attn_mask=NO_KEY)),
    _self("added", X, {"attn_mask": CAUSAL, "key_padding_mask": PADDING}, add_bias_kv=True, add_zero_attn=True),
    _self("zeros added", ROWS, _unweighted(), add_zero_attn=True, batch_first=True),
    _self("in evaluation", train=False, dropout=0.5),
    replace(_self("float32", spread(3, 2, 4, dtype="float32"), _unweighted()), dtype="float32"),
    CallRow(
        "MultiheadAttention",
        (X, spread(5, 2, 3, seed=3), spread(5, 2, 2, seed=4)),
        options={"embed_dim": 4, "num_heads": 2, "kdim": 3, "vdim": 2, "add_bias_kv": True},
        twice=False,
    ),
    CallRow(
        "MultiheadAttention",
        (ROWS, spread(2, 5, 4, seed=6), spread(2, 5, 4, seed=7)),
        options={"embed_dim": 4, "num_heads": 4, "batch_first": True},
        label="three inputs",
        smooth=False,
        twice=False,
        keywords={"average_attn_weights": False},
    ),
]


def _layer(row: type[CallRow], layer: str, inputs: tuple[Given, ...], label: str, **given: Any) -> CallRow:
    """A row of the transformer without dropout. Its parts' derivatives are checked with the parts."""
    options: dict[str, Any] = {"d_model": 4, "nhead": 2, "dim_feedforward": 3, "dropout": 0.0}
    options |= given.pop("options", {})
    return row(layer, inputs, options=options, label=label, smooth=False, twice=False, scale=1.0, **given)


def _encoder(label: str, x: Given = X, call: dict[str, Any] | None = None, **options: Any) -> CallRow:
    return _layer(CallRow, "TransformerEncoderLayer", (x,), label, options=options, keywords=call or {})


def _decoder(label: str, call: dict[str, Any] | None = None, **options: Any) -> CallRow:
    return _layer(CallRow, "TransformerDecoderLayer", (X, MEMORY), label, options=options, keywords=call or {})


HIDDEN = {"tgt_mask": CAUSAL, "tgt_key_padding_mask": PADDING}
SMALL = {"num_encoder_layers": 1, "num_decoder_layers": 1}

TRANSFORMERS: list[LayerRow] = [
    _encoder("after"),
    _encoder("before", norm_first=True, activation="gelu"),
    _encoder("batch first", ROWS, {"src_key_padding_mask": PADDING}, batch_first=True),
    _encoder("without a batch", ALONE, {"src_mask": CAUSAL, "is_causal": True}, bias=False, layer_norm_eps=0.5),
    _decoder("after", HIDDEN),
    _decoder("before", {"tgt_mask": CAUSAL, "tgt_is_causal": True}, norm_first=True, activation="gelu"),
    _layer(StackRow, "TransformerEncoder", (X,), "norm", keywords={"mask": CAUSAL}),
    _layer(StackRow, "TransformerEncoder", (ROWS,), "no norm", norm=False, options={"batch_first": True}),
    _layer(StackRow, "TransformerDecoder", (X, MEMORY), "norm", keywords=HIDDEN),
    _layer(CallRow, "Transformer", (MEMORY, X), "", options=SMALL, keywords={"tgt_mask": CAUSAL}),
    _layer(CallRow, "Transformer", (ROWS, ROWS), "before", options=SMALL | {"norm_first": True, "batch_first": True}),
]

LAYERS: list[LayerRow] = [*MULTIHEAD, *TRANSFORMERS]

ORACLE_ROWS = [
    *DOT_PRODUCTS,
    *LAYERS,
    *calls(
        """
        lib.nn.Transformer.generate_square_subsequent_mask(3)
        lib.nn.Transformer.generate_square_subsequent_mask(2, dtype=lib.float64)
        """
    ),
]
