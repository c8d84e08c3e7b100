"""The multilayer perceptron: fully connected layers with an activation between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pullback.nn as nn
from pullback.base.errors import ArgumentError, suggest
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor

ACTIVATIONS: dict[str, Callable[[], Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "leaky-relu": nn.LeakyReLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
NORMS: dict[str, Callable[[int], Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "rms": nn.RMSNorm}
INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "he": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "xavier": nn.init.xavier_normal_,
    "orthogonal": nn.init.orthogonal_,
}


@dataclass(frozen=True)
class MLPConfig:
    """Sizes and parts of an MLP.

    `inputs` numbers come in for each row and `outputs` go out; `hidden` lists the sizes of the layers between. In
    training `input_dropout` of the inputs and `dropout` of each hidden layer's values are set to 0. `norm` stands
    before each activation ("batch", "layer", "rms"; empty: none). With `residual` each hidden layer that is as large as
    the one before adds what came in to what it gives. `init` draws the weights: "he", "xavier", "orthogonal", with
    biases of 0; empty leaves them as `nn.Linear` has them.

    Raises ArgumentError for a size below 1, a share that is not in [0, 1), and an unknown activation, norm or init.

    >>> MLPConfig(inputs=784, hidden=(128,), outputs=10).sizes
    (784, 128, 10)
    """

    inputs: int
    outputs: int
    hidden: tuple[int, ...] = ()
    activation: str = "relu"
    dropout: float = 0.0
    input_dropout: float = 0.0
    norm: str = ""
    residual: bool = False
    init: str = ""

    def __post_init__(self) -> None:
        if min(self.sizes) < 1:
            raise ArgumentError(f"every layer of an MLP needs a size of 1 or more; got {self.sizes}")
        _check_known("activation", self.activation, ACTIVATIONS)
        _check_known("norm", self.norm, NORMS, optional=True)
        _check_known("init", self.init, INITS, optional=True)
        for name in ("dropout", "input_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ArgumentError(f"{name} must be at least 0 and below 1; got {getattr(self, name)}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of all layers, from the inputs to the outputs."""
        return (self.inputs, *self.hidden, self.outputs)


def _check_known(what: str, name: str, known: Mapping[str, Any], optional: bool = False) -> None:
    if name not in known and (name or not optional):
        raise ArgumentError(f"there is no {what} {name!r}.{suggest(name, known)} Known are {', '.join(known)}")


class MLP(Module):
    """An MLP: rows (b, ...), flattened to (b, inputs), to scores (b, outputs).

    h₀ = dropout(x), hᵢ = dropout(activation(norm(Wᵢ hᵢ₋₁ + bᵢ)) [+ hᵢ₋₁ with residuals]), and the last layer without
    activation. The layers are called fc1, fc2, and so on: the first weight is `fc1.weight` of shape (hidden, inputs).

    >>> import pullback as pb
    >>> net = MLP(MLPConfig(inputs=4, hidden=(8,), outputs=3))
    >>> net(pb.zeros(5, 2, 2)).shape, list(net.state_dict())
    ((5, 3), ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'])
    """

    def __init__(self, config: MLPConfig) -> None:
        super().__init__()
        self.config = config
        for name, layer in _layers(config).items():
            self.register_module(name, layer)
            if config.init and isinstance(layer, nn.Linear):
                INITS[config.init](layer.weight)
                nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, input: Tensor) -> Tensor:
        """The scores (b, outputs) of rows (b, ...)."""
        x: Any = input.flatten(1)  # (b, inputs)
        before = x
        for name, layer in self.named_children():
            if name.startswith("fc"):
                before = x
            x = layer(x)
            if self.config.residual and name.startswith("act") and x.shape == before.shape:
                x = x + before
        return x


def _layers(config: MLPConfig) -> dict[str, Module]:
    """The parts in order, by the names that they have in errors, checkpoints and emitted code."""
    layers: dict[str, Module] = {}
    if config.input_dropout:
        layers["drop0"] = nn.Dropout(config.input_dropout)
    pairs = list(zip(config.sizes, config.sizes[1:], strict=False))
    for i, (before, after) in enumerate(pairs, 1):
        layers[f"fc{i}"] = nn.Linear(before, after)
        if i < len(pairs):
            if config.norm:
                layers[f"norm{i}"] = NORMS[config.norm](after)
            layers[f"act{i}"] = ACTIVATIONS[config.activation]()
            if config.dropout:
                layers[f"drop{i}"] = nn.Dropout(config.dropout)
    return layers
