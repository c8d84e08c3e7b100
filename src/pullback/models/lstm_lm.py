"""A language model of LSTM layers. Parameters are called as in PyTorch's example word_language_model."""

from dataclasses import dataclass

import pullback.nn as nn
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.nn.module import Module
from pullback.tensor.creation import zeros
from pullback.tensor.tensor import Tensor

State = tuple[Tensor, Tensor]
_RANGE = 0.1  # the table and the last map start uniform between this and its negative


@dataclass(frozen=True)
class LSTMLanguageModelConfig:
    """Sizes of a language model of LSTM layers.

    ntoken: how many characters or words there are. ninp: the size of their embeddings. nhid, nlayers: the sizes of the
    LSTM. dropout: in training this share of the embeddings and of each layer's results is set to 0. tie_weights: the
    last map has the table of embeddings as its weight.

    Raises ArgumentError for a size below 1, a share that is not in [0, 1), and tied weights of two sizes.

    >>> LSTMLanguageModelConfig(ntoken=100, ninp=32, nhid=64)
    LSTMLanguageModelConfig(ntoken=100, ninp=32, nhid=64, nlayers=2, dropout=0.2, tie_weights=False)
    """

    ntoken: int
    ninp: int = 200
    nhid: int = 200
    nlayers: int = 2
    dropout: float = 0.2
    tie_weights: bool = False

    def __post_init__(self) -> None:
        sizes = {name: getattr(self, name) for name in ("ntoken", "ninp", "nhid", "nlayers")}
        if min(sizes.values()) < 1:
            raise ArgumentError(f"an LSTM language model needs sizes of 1 or more; got {sizes}")
        if not 0 <= self.dropout < 1:
            raise ArgumentError(f"dropout must be at least 0 and below 1; got {self.dropout}")
        if self.tie_weights and self.ninp != self.nhid:
            raise ArgumentError(
                f"tied weights map from embeddings and to them, so that ninp and nhid must be equal; got {self.ninp} "
                f"and {self.nhid}"
            )


class LSTMLanguageModel(Module):
    """Scores of what comes next: decoder(dropout(LSTM(dropout(embedding of ids)))).

    ids (b, t) of integers to logits (b, t, ntoken), and the last state (h, c), each (nlayers, b, nhid). With a state
    the text goes on from where that was had. To train on a long text, give each piece the state that the one before
    left, without its gradient, which would lead through all pieces before.

    Raises ShapeError for ids that are not (b, t), DTypeError for floats, IndexOutOfRange for ids from ntoken on.

    >>> import pullback as pb
    >>> net = LSTMLanguageModel(LSTMLanguageModelConfig(ntoken=11, ninp=8, nhid=8))
    >>> logits, (h, c) = net(pb.tensor([[1, 2, 3], [4, 5, 6]]))
    >>> logits.shape, h.shape
    ((2, 3, 11), (2, 2, 8))
    >>> logits, state = net(pb.tensor([[4], [7]]), (h.detach(), c.detach()))

    Source: github.com/pytorch/examples, word_language_model (whose ids are (t, b), and which gives the logarithms of
    probabilities); Zaremba et al. 2014; Press and Wolf 2017 for tied weights.
    """

    def __init__(self, config: LSTMLanguageModelConfig) -> None:
        super().__init__()
        self.config = config
        between = config.dropout if config.nlayers > 1 else 0.0
        self.drop = nn.Dropout(config.dropout)
        self.encoder = nn.Embedding(config.ntoken, config.ninp)
        self.rnn = nn.LSTM(config.ninp, config.nhid, config.nlayers, dropout=between, batch_first=True)
        self.decoder = nn.Linear(config.nhid, config.ntoken)
        if config.tie_weights:
            self.decoder.weight = self.encoder.weight
        self.init_weights()

    def init_weights(self) -> None:
        """Draw the table and the last map anew; those of the LSTM start as the layer's do."""
        nn.init.uniform_(self.encoder.weight, -_RANGE, _RANGE)
        nn.init.uniform_(self.decoder.weight, -_RANGE, _RANGE)
        if self.decoder.bias is not None:
            nn.init.zeros_(self.decoder.bias)

    def init_hidden(self, bsz: int) -> State:
        """The state before the first character or word, of zeros, for a batch of bsz texts."""
        shape = (self.config.nlayers, bsz, self.config.nhid)
        dtype = self.decoder.weight.dtype
        return zeros(*shape, dtype=dtype), zeros(*shape, dtype=dtype)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits (b, t, ntoken) and the last state, from ids (b, t) and perhaps a state."""
        if not isinstance(ids, Tensor) or ids.dtype.kind != "int":
            found = ids.dtype.name if isinstance(ids, Tensor) else type(ids).__name__
            raise DTypeError(f"a language model takes ids, a tensor of integers; got {found}")
        if ids.ndim != 2 or not ids.shape[1]:
            raise ShapeError(f"a language model takes ids (b, t) with t of 1 or more; got {ids.shape}")
        x = self.drop(self.encoder(ids))  # (b, t, d)
        x, last = self.rnn(x, state)
        return self.decoder(self.drop(x)), last
