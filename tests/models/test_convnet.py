"""The small convolutional network, and the images that it moves about."""

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError
from pullback.models.convnet import ConvNet, ConvNetConfig, RandomShift

SMALL = ConvNetConfig(channels=2, classes=3, image_size=9, maps=(4, 5), hidden=6)


def test_names_and_shapes() -> None:
    net = ConvNet(SMALL)
    shapes = {name: tuple(value.shape) for name, value in net.named_parameters()}
    assert shapes["conv1.weight"] == (4, 2, 3, 3)
    assert shapes["conv2.weight"] == (5, 4, 3, 3)
    assert shapes["fc1.weight"] == (6, 5 * 2 * 2)
    assert "conv1.bias" not in shapes, "the norm behind it has one"
    assert net(pb.zeros(7, 2, 9, 9)).shape == (7, 3)


def test_gradients_are_those_of_differences() -> None:
    pb.manual_seed(0)
    net = ConvNet(ConvNetConfig(1, 2, 4, (2,), 3)).double().eval()
    x = pb.randn(2, 1, 4, 4, dtype=pb.float64)
    pb.gradcheck(lambda *parameters: net(x), list(net.parameters()))


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_compiled_training_is_the_eager_one(backend: str) -> None:
    losses = []
    for compiled in (False, True):
        pb.manual_seed(3)
        net = ConvNet(ConvNetConfig(1, 3, 8, (3, 4), 5, dropout=0.2, shift=1))
        optimizer = pb.optim.SGD(net.parameters(), lr=0.1)

        def step(x: pb.Tensor, y: pb.Tensor, net: ConvNet = net, optimizer: pb.optim.SGD = optimizer) -> pb.Tensor:
            optimizer.zero_grad()
            loss = pb.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = pb.compile(step, backend=backend) if compiled else step
        x, y = pb.linspace(-1, 1, 5 * 64).reshape(5, 1, 8, 8), pb.tensor([0, 1, 2, 1, 0])
        losses.append([run(x, y).item() for _ in range(4)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_images_are_moved_whole() -> None:
    pb.manual_seed(0)
    images = pb.arange(25.0).reshape(1, 1, 5, 5).expand(200, 2, 5, 5) + 1
    moved = RandomShift(2)(images).numpy()
    wide = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    seen = set()
    for image, source in zip(moved, wide, strict=True):
        [place] = [(i, j) for i in range(5) for j in range(5) if np.array_equal(image, source[:, i : i + 5, j : j + 5])]
        seen.add(place)
    assert len(seen) == 25, "every shift, each of them for an image of its own"


def test_images_stay_in_evaluation() -> None:
    shift, images = RandomShift(2), pb.rand(3, 1, 4, 4)
    assert repr(shift) == "RandomShift(pixels=2)"
    assert pb.equal(shift.eval()(images), images)
    assert pb.equal(RandomShift(0)(images), images)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"maps": (3, 0)}, "1 or more"),
        ({"shift": -1}, "1 or more"),
        ({"dropout": 1.0}, "below 1"),
        ({"maps": ()}, "0 convolutions"),
        ({"image_size": 8, "maps": (1, 1, 1, 1)}, "do not suit 8 pixels"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        ConvNetConfig(**settings)  # type: ignore[arg-type]
