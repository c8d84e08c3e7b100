"""A small convolutional network for small images: convolutions, each with a norm and pooling, and two linear layers."""

from dataclasses import dataclass

import pullback.nn as nn
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError
from pullback.nn.module import Module
from pullback.tensor.creation import arange
from pullback.tensor.random import randint
from pullback.tensor.reduction import gather
from pullback.tensor.tensor import Tensor


@dataclass(frozen=True)
class ConvNetConfig:
    """Sizes and parts of a ConvNet.

    channels: of the images, which are image_size × image_size. maps: of each convolution, after which height and width
    are halved. hidden: the size of the linear layer before the scores, of which `dropout` is set to 0 in training.
    shift: in training each image is moved by up to so many pixels.

    Raises ArgumentError for numbers below 1, and for more halvings than the images can take.

    >>> ConvNetConfig(maps=(8, 16)).last_size
    7
    """

    channels: int = 1
    classes: int = 10
    image_size: int = 28
    maps: tuple[int, ...] = (32, 64)
    hidden: int = 128
    dropout: float = 0.0
    shift: int = 0

    def __post_init__(self) -> None:
        sizes = (self.channels, self.classes, self.hidden, *self.maps)
        if min(sizes) < 1 or self.shift < 0 or not 0 <= self.dropout < 1:
            raise ArgumentError(f"a ConvNet's sizes are 1 or more, shares at least 0 and below 1; got {self}")
        if not self.maps or self.last_size < 1:
            raise ArgumentError(
                f"{len(self.maps)} convolutions, each of which halves the image, do not suit {self.image_size} pixels"
            )

    @property
    def last_size(self) -> int:
        """Height and width after the last convolution and its pooling."""
        return self.image_size >> len(self.maps)


class ConvNet(Module):
    """A ConvNet: images (b, channels, h, w) to scores (b, classes).

    xᵢ = max_pool(relu(norm(conv(xᵢ₋₁)))) with kernels of 3 × 3, then fc1, relu, dropout, and fc2. The layers are called
    conv1, norm1, conv2, and so on.

    >>> import pullback as pb
    >>> net = ConvNet(ConvNetConfig(maps=(4, 8), hidden=16))
    >>> net(pb.zeros(2, 1, 28, 28)).shape, net.fc1.weight.shape
    ((2, 10), (16, 392))
    """

    def __init__(self, config: ConvNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ConvNetConfig()
        self.shift = RandomShift(config.shift)
        before = config.channels
        for i, maps in enumerate(config.maps, 1):
            self.register_module(f"conv{i}", nn.Conv2d(before, maps, 3, padding=1, bias=False))
            self.register_module(f"norm{i}", nn.BatchNorm2d(maps))
            before = maps
        self.fc1 = nn.Linear(before * config.last_size**2, config.hidden)
        self.drop = nn.Dropout(config.dropout)
        self.fc2 = nn.Linear(config.hidden, config.classes)

    def forward(self, input: Tensor) -> Tensor:
        """The scores (b, classes) of images (b, channels, h, w)."""
        x = self.shift(input)
        for i in range(1, len(self.config.maps) + 1):
            conv, norm = getattr(self, f"conv{i}"), getattr(self, f"norm{i}")
            x = F.max_pool2d(F.relu(norm(conv(x))), 2)  # (b, maps, h / 2, w / 2)
        x = self.drop(F.relu(self.fc1(x.flatten(1))))  # (b, hidden)
        scores: Tensor = self.fc2(x)
        return scores


class RandomShift(Module):
    """Images (b, c, h, w), in training each moved by up to `pixels` pixels along both axes; what comes in is 0.

    >>> import pullback as pb
    >>> image = pb.arange(4.0).reshape(1, 1, 2, 2) + 1
    >>> pb.equal(RandomShift(1).eval()(image), image)
    True
    """

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, input: Tensor) -> Tensor:
        """The images, moved."""
        if not self.training or not self.pixels:
            return input
        p, (b, c, h, w) = self.pixels, input.shape
        wide = F.pad(input, (p, p, p, p))
        down, right = (randint(0, 2 * p + 1, (b, 1, 1, 1)) for _ in range(2))
        rows = (down + arange(h).reshape(h, 1)).expand(b, c, h, w + 2 * p)
        columns = (right + arange(w)).expand(b, c, h, w)
        return gather(gather(wide, 2, rows), 3, columns)

    def extra_repr(self) -> str:
        """How far."""
        return f"pixels={self.pixels}"
