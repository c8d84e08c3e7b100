"""LeNet-5 and ResNets: what their parameters are called, how many there are, and that they learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError
from pullback.models.lenet import ACTIVATIONS, POOLINGS, LeNet, LeNetConfig
from pullback.models.resnet import ResNet, ResNetConfig
from tests.contracts.backends import Backend


def _count(net: Any) -> int:
    return sum(p.numel() for p in net.parameters())


def test_lenet_has_the_parameters_of_the_paper() -> None:
    net = LeNet()
    assert {name: p.shape for name, p in net.named_parameters()} == {
        "conv1.weight": (6, 1, 5, 5),
        "conv1.bias": (6,),
        "conv2.weight": (16, 6, 5, 5),
        "conv2.bias": (16,),
        "fc1.weight": (120, 400),
        "fc1.bias": (120,),
        "fc2.weight": (84, 120),
        "fc2.bias": (84,),
        "fc3.weight": (10, 84),
        "fc3.bias": (10,),
    }
    assert _count(net) == 61_706


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_lenet_takes_both_sizes(activation: str, pooling: str) -> None:
    for size in (28, 32):
        net = LeNet(LeNetConfig(3, 4, size, activation, pooling))
        assert net(pb.zeros(2, 3, size, size)).shape == (2, 4)


def _block_names(block: str, has_downsample: bool) -> list[str]:
    parts = ["conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias"]
    more = ["downsample.0.weight", "downsample.1.weight", "downsample.1.bias"] * has_downsample
    return [f"{block}.{part}" for part in (*parts, *more)]


def test_resnet18_has_the_parameters_of_torchvision() -> None:
    net = ResNet()
    blocks = [_block_names(f"layer{i}.{j}", has_downsample=i > 1 and j == 0) for i in (1, 2, 3, 4) for j in (0, 1)]
    within = [name for block in blocks for name in block]
    names = ["conv1.weight", "bn1.weight", "bn1.bias", *within, "fc.weight", "fc.bias"]
    assert [name for name, _ in net.named_parameters()] == names
    assert _count(net) == 11_689_512
    assert "layer4.1.bn2.num_batches_tracked" in net.state_dict()
    assert net.layer4[0].downsample[0].weight.shape == (512, 256, 1, 1)


def test_resnet_stems() -> None:
    for stem, size in (("imagenet", 64), ("cifar", 16)):
        net = ResNet(ResNetConfig(classes=5, channels=1, blocks=(1, 1), width=4, stem=stem))
        shapes = []
        net.layer2.register_forward_hook(lambda m, a, y, found=shapes: found.append(y.shape))
        assert net(pb.zeros(2, 1, size, size)).shape == (2, 5)
        assert shapes == [(2, 8, 8, 8)]
    assert _count(ResNet(ResNetConfig(blocks=(3, 4, 6, 3)))) == 21_797_672  # ResNet-34


NETWORKS: list[tuple[str, Callable[[], Any], int, float]] = [
    ("lenet", lambda: LeNet(LeNetConfig(classes=2, activation="relu", pooling="max")), 28, 0.05),
    ("resnet", lambda: ResNet(ResNetConfig(2, 1, (1, 1), 4, "cifar")), 8, 0.1),
]


@pytest.mark.parametrize(("make", "size", "lr"), [n[1:] for n in NETWORKS], ids=[n[0] for n in NETWORKS])
def test_a_small_one_learns(make: Callable[[], Any], size: int, lr: float, backend: Backend) -> None:
    """Images with stripes one way or the other."""
    pb.manual_seed(0)
    net = make()
    optimizer = pb.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    rng = np.random.default_rng(0)
    stripes = np.sin(np.arange(size) * 1.5 + rng.uniform(0, 6, (16, 1)))
    images = np.stack([np.broadcast_to(s[:, None] if i % 2 else s, (size, size)) for i, s in enumerate(stripes)])
    x = pb.tensor(images[:, None], dtype=pb.float32)
    y = pb.arange(16) % 2

    def step(x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        optimizer.zero_grad()
        loss = pb.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    compiled = backend.compile(step)
    losses = [float(compiled(x, y)) for _ in range(15)]
    assert losses[-1] < 0.3 * losses[0], losses


WRONG = [
    (LeNetConfig, {"image_size": 30}, "images of 28 or 32 pixels; got image_size=30"),
    (LeNetConfig, {"classes": 0}, "channels and classes must be 1 or more; got 1 and 0"),
    (LeNetConfig, {"activation": "relo"}, "there is no activation 'relo' here. Did you mean 'relu'?"),
    (LeNetConfig, {"pooling": "mean"}, "Known are avg, max"),
    (ResNetConfig, {"stem": "cifra"}, "there is no stem 'cifra'. Did you mean 'cifar'?"),
    (ResNetConfig, {"blocks": ()}, "must be 1 or more"),
    (ResNetConfig, {"width": 0}, "must be 1 or more"),
]


@pytest.mark.parametrize(("config", "options", "words"), WRONG, ids=[words for *_, words in WRONG])
def test_impossible_networks(config: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        config(**options)
    assert words in str(caught.value)
