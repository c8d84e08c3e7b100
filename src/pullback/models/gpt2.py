"""GPT-2: a language model of stacked attention that looks back alone. Parameters are called as in Hugging Face's."""

import math
from dataclasses import dataclass

import pullback.nn as nn
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, ShapeError
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import arange, empty, zeros
from pullback.tensor.random import normal
from pullback.tensor.tensor import Tensor


@dataclass(frozen=True)
class GPT2Config:
    """Sizes of a GPT-2; the defaults are those of the smallest one, with 124 million parameters.

    n_embd is the width d, n_inner that of the hidden layers, 4 d unless given. embd_pdrop, attn_pdrop and resid_pdrop
    are the probabilities of dropping in training.

    Raises ArgumentError when n_head does not divide n_embd.

    >>> GPT2Config().head_dim
    64
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    layer_norm_epsilon: float = 1e-5
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    resid_pdrop: float = 0.1
    initializer_range: float = 0.02

    def __post_init__(self) -> None:
        if self.n_embd % self.n_head:
            raise ArgumentError(f"n_embd must be a multiple of n_head; got {self.n_embd} and {self.n_head}")

    @property
    def head_dim(self) -> int:
        """The size of each head."""
        return self.n_embd // self.n_head


class Conv1D(Module):
    """y = x W + b with W of shape (in, out): a linear map whose weight lies the other way round."""

    def __init__(self, out_features: int, in_features: int, std: float) -> None:
        super().__init__()
        self.weight = Parameter(empty(in_features, out_features))
        self.bias = Parameter(zeros(out_features))
        nn.init.normal_(self.weight, std=std)

    def forward(self, x: Tensor) -> Tensor:
        """x W + b."""
        return x @ self.weight + self.bias


class Attention(Module):
    """Each token looks at itself and at those before it."""

    def __init__(self, config: GPT2Config, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        std = config.initializer_range
        self.c_attn = Conv1D(3 * config.n_embd, config.n_embd, std)
        self.c_proj = Conv1D(config.n_embd, config.n_embd, std / math.sqrt(2 * config.n_layer))
        self.resid_dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor, cache: nn.KeyValueCache | None) -> Tensor:
        """What the tokens (b, t, d) gathered."""
        b, t, d = x.shape
        heads = (b, t, self.config.n_head, self.config.head_dim)
        q, k, v = (part.reshape(heads).transpose(1, 2) for part in self.c_attn(x).split(d, -1))  # (b, h, t, k)
        if cache is None:
            dropout_p = self.config.attn_pdrop if self.training else 0.0
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout_p, is_causal=True)
        else:
            y = F.scaled_dot_product_attention(q, *cache.update(self.layer, k, v), cache.mask(t))
        gathered: Tensor = self.resid_dropout(self.c_proj(y.transpose(1, 2).reshape(b, t, d)))
        return gathered


class MLP(Module):
    """Two linear maps with a GELU between them, for each token by itself."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        std, inner = config.initializer_range, config.n_inner or 4 * config.n_embd
        self.c_fc = Conv1D(inner, config.n_embd, std)
        self.c_proj = Conv1D(config.n_embd, inner, std / math.sqrt(2 * config.n_layer))
        self.dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor) -> Tensor:
        """The result (b, t, d) of tokens (b, t, d)."""
        y: Tensor = self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))
        return y


class Block(Module):
    """x + attention(norm(x)), and then x + mlp(norm(x))."""

    def __init__(self, config: GPT2Config, layer: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = Attention(config, layer)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cache: nn.KeyValueCache | None) -> Tensor:
        """The result (b, t, d) of tokens (b, t, d)."""
        x = x + self.attn(self.ln_1(x), cache)
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class GPT2Model(Module):
    """Token numbers (b, t) to vectors (b, t, d), without the last linear map.

    Raises ShapeError for more tokens than n_positions.
    """

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.config = config
        self.wte, self.wpe = (_table(config, rows) for rows in (config.vocab_size, config.n_positions))
        self.drop = nn.Dropout(config.embd_pdrop)
        self.h = nn.ModuleList([Block(config, i) for i in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)

    def forward(self, input_ids: Tensor, cache: nn.KeyValueCache | None = None) -> Tensor:
        """The vectors; those of tokens that the cache holds are not computed again."""
        if input_ids.ndim != 2 or input_ids.shape[1] > self.config.n_positions:
            raise ShapeError(
                f"GPT-2 takes token numbers (b, t), t up to {self.config.n_positions}; got {input_ids.shape}"
            )
        t = input_ids.shape[1]
        places = arange(t) if cache is None else arange(t) + cache.position
        x = self.drop(self.wte(input_ids) + self.wpe(places))
        for block in self.h:
            x = block(x, cache)
        if cache is not None:
            cache.advance(t)
        y: Tensor = self.ln_f(x)
        return y


def _table(config: GPT2Config, rows: int) -> nn.Embedding:
    drawn = normal(0.0, config.initializer_range, (rows, config.n_embd))
    return nn.Embedding(rows, config.n_embd, _weight=drawn)


class Head(Module):
    """The logits of tokens: a linear map without bias, whose weight (v, d) is the table of tokens itself."""

    def __init__(self, weight: Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        """x Wᵀ."""
        return F.linear(x, self.weight)


class GPT2LMHeadModel(Module):
    """GPT-2 as a language model: token numbers (b, t) to the logits (b, t, v) of the token that follows each.

    The last linear map shares its weight with the table of tokens.

    >>> import pullback as pb
    >>> from pullback.models.gpt2 import GPT2Config, GPT2LMHeadModel
    >>> net = GPT2LMHeadModel(GPT2Config(vocab_size=11, n_positions=8, n_embd=6, n_layer=2, n_head=3))
    >>> net(pb.tensor([[1, 2, 3]])).shape
    (1, 3, 11)

    Source: Radford et al., "Language models are unsupervised multitask learners" (2019); the names,
    transformers.GPT2LMHeadModel.
    """

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.config = config
        self.transformer = GPT2Model(config)
        self.lm_head = Head(self.transformer.wte.weight)

    def forward(
        self, input_ids: Tensor, labels: Tensor | None = None, cache: nn.KeyValueCache | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The logits; with labels (b, t), such as input_ids themselves, (logits, loss) with the mean loss of guessing
        each label from the tokens before it. Labels of −100 do not count."""
        logits: Tensor = self.lm_head(self.transformer(input_ids, cache))
        if labels is None:
            return logits
        guesses, wanted = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
        return logits, F.cross_entropy(guesses, wanted)

    def new_cache(self, batch_size: int = 1, capacity: int | None = None) -> nn.KeyValueCache:
        """An empty cache for this model, for as many tokens as it has places unless said otherwise."""
        config = self.config
        sizes = config.n_layer, batch_size, config.n_head, capacity or config.n_positions, config.head_dim
        return nn.KeyValueCache(*sizes, dtype=self.transformer.wte.weight.dtype)
