"""LeNet-5: two convolutions, each followed by pooling, and three fully connected layers."""

from collections.abc import Callable
from dataclasses import dataclass

import pullback.nn as nn
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, suggest
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": F.tanh, "sigmoid": F.sigmoid, "relu": F.relu}
POOLINGS: dict[str, Callable[[Tensor, int], Tensor]] = {"avg": F.avg_pool2d, "max": F.max_pool2d}


@dataclass(frozen=True)
class LeNetConfig:
    """Sizes and parts of a LeNet-5; the defaults are those of the paper, for digits of 28 × 28 or 32 × 32.

    channels: of the images, which are image_size × image_size. Images of 28 are padded to 32.
    activation: "tanh", "sigmoid" or "relu"; pooling: "avg" or "max".

    Raises ArgumentError for images other than 28 or 32 wide, for a number below 1, and for unknown names.

    >>> LeNetConfig(activation="relu", pooling="max").image_size
    28
    """

    channels: int = 1
    classes: int = 10
    image_size: int = 28
    activation: str = "tanh"
    pooling: str = "avg"

    def __post_init__(self) -> None:
        if self.image_size not in (28, 32):
            raise ArgumentError(f"a LeNet-5 looks at images of 28 or 32 pixels; got image_size={self.image_size}")
        if min(self.channels, self.classes) < 1:
            raise ArgumentError(f"channels and classes must be 1 or more; got {self.channels} and {self.classes}")
        for role, name, known in (("activation", self.activation, ACTIVATIONS), ("pooling", self.pooling, POOLINGS)):
            if name not in known:
                raise ArgumentError(
                    f"there is no {role} {name!r} here.{suggest(name, known)} Known are {', '.join(known)}"
                )


class LeNet(Module):
    """A LeNet-5: images (b, channels, 28, 28) or (…, 32, 32) to scores (b, classes).

    conv1 (6 maps, 5 × 5), pooling, conv2 (16 maps, 5 × 5), pooling, then fc1 (120), fc2 (84) and fc3, with an
    activation behind all but the last. Unlike in the paper, every map of conv2 sees all of conv1, pooling has nothing
    to learn, and the scores are plain ones.

    >>> import pullback as pb
    >>> net = LeNet(LeNetConfig())
    >>> net(pb.zeros(2, 1, 28, 28)).shape, sum(p.numel() for p in net.parameters())
    ((2, 10), 61706)

    Source: LeCun, Bottou, Bengio, Haffner 1998.
    """

    def __init__(self, config: LeNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LeNetConfig()
        self.conv1 = nn.Conv2d(config.channels, 6, 5, padding=(32 - config.image_size) // 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, config.classes)

    def forward(self, input: Tensor) -> Tensor:
        """The scores (b, classes) of images (b, channels, h, w)."""
        act, pool = ACTIVATIONS[self.config.activation], POOLINGS[self.config.pooling]
        x = pool(act(self.conv1(input)), 2)  # (b, 6, 14, 14)
        x = pool(act(self.conv2(x)), 2)  # (b, 16, 5, 5)
        x = act(self.fc1(x.flatten(1)))  # (b, 120)
        scores: Tensor = self.fc3(act(self.fc2(x)))
        return scores
