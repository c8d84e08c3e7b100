"""ResNet-18 and its like: blocks of two convolutions that each add to what they were given.

Parameters are called as in torchvision's: conv1, bn1, layer1.0.conv1, …, fc.
"""

from dataclasses import dataclass

import pullback.nn as nn
import pullback.nn.functional as F
from pullback.base.errors import ArgumentError, suggest
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor

STEMS = ("imagenet", "cifar")


@dataclass(frozen=True)
class ResNetConfig:
    """Sizes and parts of a ResNet of basic blocks; the defaults are those of ResNet-18, and (3, 4, 6, 3) is ResNet-34.

    blocks: how many blocks each stage has. The first stage has `width` channels; each further one has twice as many and
    half the height and width. channels: of the images.
    stem: "imagenet" begins with 7 × 7 every other pixel and max-pooling; "cifar" with 3 × 3, for images of 32 × 32.

    Raises ArgumentError for a number below 1, no stages, and an unknown stem.

    >>> ResNetConfig(classes=10, stem="cifar").blocks
    (2, 2, 2, 2)
    """

    classes: int = 1000
    channels: int = 3
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    width: int = 64
    stem: str = "imagenet"

    def __post_init__(self) -> None:
        if not self.blocks or min(self.classes, self.channels, self.width, *self.blocks) < 1:
            raise ArgumentError(f"every stage, and every size of a ResNet, must be 1 or more; got {self}")
        if self.stem not in STEMS:
            known = " and ".join(STEMS)
            raise ArgumentError(f"there is no stem {self.stem!r}.{suggest(self.stem, STEMS)} Known are {known}")


class BasicBlock(Module):
    """relu(x + bn2(conv2(relu(bn1(conv1(x)))))), with x brought to the new shape where it changes.

    (b, before, h, w) to (b, after, h / stride, w / stride).
    """

    downsample: nn.Sequential | None

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        """What the convolutions find, added to x."""
        found = F.relu(self.bn1(self.conv1(x)))
        found = self.bn2(self.conv2(found))
        return F.relu(found + (x if self.downsample is None else self.downsample(x)))


class ResNet(Module):
    """A ResNet of basic blocks: images (b, channels, h, w) to scores (b, classes).

    Convolutions start normally distributed with deviation √(2 / fan_out), as in He et al.; scales of batch
    normalisation at 1.

    >>> import pullback as pb
    >>> net = ResNet(ResNetConfig(classes=10, width=4, stem="cifar"))
    >>> net(pb.zeros(2, 3, 32, 32)).shape
    (2, 10)

    Source: He, Zhang, Ren, Sun 2015; names as in torchvision.models.resnet18.
    """

    def __init__(self, config: ResNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ResNetConfig()
        kernel, stride = (7, 2) if config.stem == "imagenet" else (3, 1)
        self.conv1 = nn.Conv2d(config.channels, config.width, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(config.width)
        before = config.width
        for i, count in enumerate(config.blocks):
            after = config.width * 2**i
            blocks = [BasicBlock(before, after, stride=1 if i == 0 else 2)]
            blocks += [BasicBlock(after, after, stride=1) for _ in range(count - 1)]
            self.register_module(f"layer{i + 1}", nn.Sequential(*blocks))
            before = after
        self.fc = nn.Linear(before, config.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, input: Tensor) -> Tensor:
        """The scores (b, classes) of images (b, channels, h, w)."""
        x = F.relu(self.bn1(self.conv1(input)))
        if self.config.stem == "imagenet":
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for i in range(len(self.config.blocks)):
            x = getattr(self, f"layer{i + 1}")(x)
        x = F.adaptive_avg_pool2d(x, 1)  # (b, c, 1, 1)
        scores: Tensor = self.fc(x.flatten(1))
        return scores
