"""The networks that settings choose by name, each with the settings of its own."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pullback.base.errors import ArgumentError, suggest
from pullback.models.convnet import ConvNet, ConvNetConfig
from pullback.models.gpt2 import GPT2Config, GPT2LMHeadModel
from pullback.models.lstm_lm import LSTMLanguageModel, LSTMLanguageModelConfig
from pullback.models.mlp import ACTIVATIONS, INITS, MLP, NORMS, MLPConfig
from pullback.nn.module import Module
from pullback.train.settings import Path, Where, change_fields, checked_value, setting

_MOST_SIZES = 8  # of layers that are told one by one


@dataclass(frozen=True)
class Network:
    """The settings of a network; `build` makes it, `words` describes it, `tasks` are what it can learn."""

    name: str

    def checked(self, given: Mapping[str, Any], where: Where, path: Path) -> "tuple[Network, list[str]]":
        """Other settings of this network, or where another is named, that one with nothing but what is given; and a
        line for each that cannot be."""
        rest = dict(given)
        name = rest.pop("name", self.name)
        if not isinstance(name, str) or name not in NETWORKS:
            wrong = f"there is no network {name!r}.{suggest(name, NETWORKS)} Known are {', '.join(NETWORKS)}"
            problem = wrong if isinstance(name, str) else checked_value("name", name, str, {})[1]
            return self, [f"{where((*path, 'name'))}: {problem}"]
        base = self if name == self.name else NETWORKS[name]
        changed: tuple[Network, list[str]] = change_fields(base, rest, where, path)
        return changed

    def build(self, inputs: int, outputs: int) -> Module:
        """The network for rows of `inputs` numbers, with fresh weights; it gives `outputs` scores."""
        raise NotImplementedError

    def words(self, inputs: int, outputs: int) -> str:
        """The network in a few words."""
        raise NotImplementedError

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it can learn."""
        return ("classification", "regression")


@dataclass(frozen=True)
class ModelConfig(Network):
    """Fully connected layers."""

    name: str = setting("mlp", "fully connected layers")
    hidden: tuple[int, ...] = setting((256,), "sizes of the hidden layers", low=1)
    activation: str = setting("relu", "what follows each hidden layer", choices=tuple(ACTIVATIONS))
    dropout: float = setting(0.0, "share of the hidden values dropped in training", low=0, below=1)
    input_dropout: float = setting(0.0, "share of the inputs dropped in training", low=0, below=1)
    norm: str = setting("", f"before each activation: {', '.join(NORMS)}; empty: none", choices=("", *NORMS))
    residual: bool = setting(False, "each hidden layer adds what came in, where sizes agree")
    init: str = setting("", f"{', '.join(INITS)}; empty: PyTorch's default", choices=("", *INITS))

    def build(self, inputs: int, outputs: int) -> Module:
        """An MLP."""
        layers = self.hidden, self.activation, self.dropout, self.input_dropout
        return MLP(MLPConfig(inputs, outputs, *layers, self.norm, self.residual, self.init))

    def words(self, inputs: int, outputs: int) -> str:
        """The sizes of the layers, repeated ones once."""
        sizes = (inputs, *self.hidden, outputs)
        if len(sizes) <= _MOST_SIZES:
            return f"{'-'.join(map(str, sizes))} {self.activation}"
        runs = [(size, len(list(equal))) for size, equal in itertools.groupby(sizes)]
        return f"{'-'.join(f'{size} ({n} times)' if n > 1 else str(size) for size, n in runs)} {self.activation}"


@dataclass(frozen=True)
class ConvNetSettings(Network):
    """Convolutions for square images."""

    name: str = setting("convnet", "convolutions with norms and pooling, and two linear layers; for images")
    maps: tuple[int, ...] = setting((32, 64), "maps of each convolution", low=1)
    hidden: int = setting(128, "size of the linear layer before the scores", low=1)
    dropout: float = setting(0.0, "share of its values dropped in training", low=0, below=1)
    shift: int = setting(0, "in training each image is moved by up to so many pixels", low=0)

    def build(self, inputs: int, outputs: int) -> Module:
        """A ConvNet for images of one channel.

        Raises ArgumentError for rows that are no square images.
        """
        side = math.isqrt(inputs)
        if side * side != inputs:
            raise ArgumentError(f"a convnet is for square images; rows of {inputs} numbers are none")
        return ConvNet(ConvNetConfig(1, outputs, side, self.maps, self.hidden, self.dropout, self.shift))

    def words(self, inputs: int, outputs: int) -> str:
        """Maps and sizes."""
        maps = "-".join(map(str, self.maps))
        return f"convolutions of {maps} maps, then {self.hidden}-{outputs}"


@dataclass(frozen=True)
class GPTSettings(Network):
    """A GPT-2 for characters."""

    name: str = setting("gpt", "a GPT-2; for text")
    layers: int = setting(4, "blocks of attention and MLP", low=1)
    heads: int = setting(4, "heads of each attention", low=1)
    width: int = setting(128, "size of a character's vector", low=1)
    dropout: float = setting(0.0, "share of the values dropped in training", low=0, below=1)

    def build(self, inputs: int, outputs: int) -> Module:
        """A GPT-2 with as many places as a window has."""
        drop = self.dropout
        return GPT2LMHeadModel(
            GPT2Config(outputs, inputs, self.width, self.layers, self.heads, None, 1e-5, drop, drop, drop)
        )

    def words(self, inputs: int, outputs: int) -> str:
        """Layers, heads and width."""
        return f"GPT-2, layers {self.layers}, heads {self.heads}, width {self.width}, context {inputs}"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Text."""
        return ("language",)


@dataclass(frozen=True)
class LSTMSettings(Network):
    """Layers of LSTM for characters."""

    name: str = setting("lstm", "layers of LSTM; for text")
    embedding: int = setting(64, "size of a character's vector", low=1)
    hidden: int = setting(256, "size of each layer's state", low=1)
    layers: int = setting(1, "layers, one above the other", low=1)
    dropout: float = setting(0.0, "share of the values dropped in training", low=0, below=1)

    def build(self, inputs: int, outputs: int) -> Module:
        """An LSTM language model."""
        return LSTMLanguageModel(
            LSTMLanguageModelConfig(outputs, self.embedding, self.hidden, self.layers, self.dropout)
        )

    def words(self, inputs: int, outputs: int) -> str:
        """Layers and sizes."""
        layers = "1 layer" if self.layers == 1 else f"{self.layers} layers"
        return f"LSTM of {layers}, {self.embedding} to {self.hidden}, context {inputs}"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Text."""
        return ("language",)


NETWORKS: dict[str, Network] = {
    network.name: network for network in (ModelConfig(), ConvNetSettings(), GPTSettings(), LSTMSettings())
}
