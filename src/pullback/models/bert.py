"""BERT: an encoder of text that looks both ways. Parameters are called as in Hugging Face's."""

from dataclasses import dataclass

import pullback.nn as nn
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, ShapeError
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import arange, zeros, zeros_like
from pullback.tensor.tensor import Tensor


@dataclass(frozen=True)
class BertConfig:
    """Sizes of a BERT; the defaults are those of the base model, with 110 million parameters.

    Raises ArgumentError when num_attention_heads does not divide hidden_size.

    >>> BertConfig().head_dim
    64
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    pad_token_id: int = 0

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            sizes = f"{self.hidden_size} and {self.num_attention_heads}"
            raise ArgumentError(f"hidden_size must be a multiple of num_attention_heads; got {sizes}")

    @property
    def head_dim(self) -> int:
        """The size of each head."""
        return self.hidden_size // self.num_attention_heads


class _Part(Module):
    """A part of the model; the linear maps and tables in it start normally distributed, biases at 0."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config

    def _linear(self, inputs: int, outputs: int) -> nn.Linear:
        made = nn.Linear(inputs, outputs)
        nn.init.normal_(made.weight, std=self.config.initializer_range)
        made.bias = Parameter(zeros(outputs))
        return made

    def _norm(self) -> nn.LayerNorm:
        return nn.LayerNorm(self.config.hidden_size, eps=self.config.layer_norm_eps)


class BertEmbeddings(_Part):
    """The sum of three tables (words, places, kinds of segment), normalised."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        d = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, d, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, d)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, d)
        self.LayerNorm = self._norm()
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        for table in (self.position_embeddings, self.token_type_embeddings):
            nn.init.normal_(table.weight, std=config.initializer_range)
        self.word_embeddings.weight.data.mul_(config.initializer_range)  # the padding row stays 0

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Vectors (b, t, d) of token numbers (b, t)."""
        most = self.config.max_position_embeddings
        if input_ids.ndim != 2 or input_ids.shape[1] > most:
            raise ShapeError(f"this BERT takes token numbers (b, t) with t up to {most}; got {input_ids.shape}")
        kinds = zeros_like(input_ids) if token_type_ids is None else token_type_ids
        x = self.word_embeddings(input_ids) + self.token_type_embeddings(kinds)
        x = x + self.position_embeddings(arange(input_ids.shape[1]))
        y: Tensor = self.dropout(self.LayerNorm(x))
        return y


class BertSelfAttention(_Part):
    """Each token looks at every token that is not hidden."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        for name in ("query", "key", "value"):
            self.register_module(name, self._linear(config.hidden_size, config.hidden_size))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """What the tokens (b, t, d) gathered."""
        b, t, d = x.shape
        heads = (b, t, self.config.num_attention_heads, self.config.head_dim)
        q, k, v = (part(x).reshape(heads).transpose(1, 2) for part in (self.query, self.key, self.value))
        dropout_p = self.config.attention_probs_dropout_prob if self.training else 0.0
        gathered = F.scaled_dot_product_attention(q, k, v, mask, dropout_p)  # (b, h, t, k)
        joined: Tensor = gathered.transpose(1, 2).reshape(b, t, d)
        return joined


class BertOutput(_Part):
    """norm(before + W x + b): how the result of attention, or of the layer between, is added."""

    def __init__(self, config: BertConfig, inputs: int) -> None:
        super().__init__(config)
        self.dense = self._linear(inputs, config.hidden_size)
        self.LayerNorm = self._norm()
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        """The sum, normalised."""
        y: Tensor = self.LayerNorm(before + self.dropout(self.dense(x)))
        return y


class BertLayer(_Part):
    """Attention and two linear maps, each added to what came and normalised."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.attention = nn.ModuleDict(
            {"self": BertSelfAttention(config), "output": BertOutput(config, config.hidden_size)}
        )
        self.intermediate = nn.ModuleDict({"dense": self._linear(config.hidden_size, config.intermediate_size)})
        self.output = BertOutput(config, config.intermediate_size)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """The result (b, t, d) of tokens (b, t, d)."""
        x = self.attention["output"](self.attention["self"](x, mask), x)
        y: Tensor = self.output(F.gelu(self.intermediate["dense"](x)), x)
        return y


class BertModel(_Part):
    """Token numbers (b, t) to vectors (b, t, d) and, with the pooler, one (b, d) for the whole, made from the first.

    Source: Devlin et al., "BERT: pre-training of deep bidirectional transformers" (2018); the names,
    transformers.BertModel.
    """

    def __init__(self, config: BertConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = BertEmbeddings(config)
        layers = [BertLayer(config) for _ in range(config.num_hidden_layers)]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        pooler = {"dense": self._linear(config.hidden_size, config.hidden_size)} if add_pooling_layer else None
        self.register_module("pooler", None if pooler is None else nn.ModuleDict(pooler))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The vectors, and the pooled one or None. attention_mask (b, t) is 0 at tokens that nobody looks at."""
        mask = None if attention_mask is None else (attention_mask != 0)[:, None, None]  # (b, 1, 1, t)
        x = self.embeddings(input_ids, token_type_ids)
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
        return x, None if self.pooler is None else self.pooler["dense"](x[:, 0]).tanh()


class _Guess(_Part):
    """The logits of words: a linear map, GELU and norm, and the table of words with a bias of its own."""

    def __init__(self, config: BertConfig, table: Parameter) -> None:
        super().__init__(config)
        self.bias = Parameter(zeros(config.vocab_size))
        transform = {"dense": self._linear(config.hidden_size, config.hidden_size), "LayerNorm": self._norm()}
        self.transform = nn.ModuleDict(transform)
        self.decoder = Module()
        self.decoder.weight, self.decoder.bias = table, self.bias  # under both names, as in Hugging Face's

    def forward(self, x: Tensor) -> Tensor:
        """The logits (b, t, v)."""
        return F.linear(self.transform["LayerNorm"](F.gelu(self.transform["dense"](x))), self.decoder.weight, self.bias)


class BertForMaskedLM(_Part):
    """BERT that guesses hidden words: token numbers (b, t) to logits (b, t, v).

    >>> import pullback as pb
    >>> from pullback.models.bert import BertConfig, BertForMaskedLM
    >>> sizes = dict(vocab_size=11, hidden_size=6, num_attention_heads=3, intermediate_size=8, num_hidden_layers=1)
    >>> BertForMaskedLM(BertConfig(**sizes))(pb.tensor([[1, 2, 3]])).shape
    (1, 3, 11)

    Source: Devlin et al. 2018; the names, transformers.BertForMaskedLM.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.cls = nn.ModuleDict({"predictions": _Guess(config, self.bert.embeddings.word_embeddings.weight)})

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The logits; with labels (b, t), (logits, loss). Labels of −100 do not count."""
        x, _ = self.bert(input_ids, attention_mask, token_type_ids)
        logits: Tensor = self.cls["predictions"](x)
        return logits if labels is None else (logits, F.cross_entropy(logits.flatten(0, 1), labels.flatten()))


class BertForSequenceClassification(_Part):
    """BERT that sorts texts into classes: token numbers (b, t) to scores (b, num_labels).

    Source: Devlin et al. 2018; the names, transformers.BertForSequenceClassification.
    """

    def __init__(self, config: BertConfig, num_labels: int = 2) -> None:
        super().__init__(config)
        self.bert = BertModel(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = self._linear(config.hidden_size, num_labels)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The scores; with labels (b,), (scores, loss)."""
        _, pooled = self.bert(input_ids, attention_mask, token_type_ids)
        scores: Tensor = self.classifier(self.dropout(pooled))
        return scores if labels is None else (scores, F.cross_entropy(scores, labels))
