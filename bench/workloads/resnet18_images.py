"""ResNet-18 on images of 32×32, batch 32, cross-entropy of 10 classes, SGD with momentum 0.9.

Its first convolution is 3×3 and no pooling follows, as one does for images so small: with the 7×7, stride 2 and the
max-pool for photographs, whole stages would see maps of 2×2 and 1×1, nearly all of it padding.

Source: He et al., "Deep Residual Learning for Image Recognition"; names of torchvision.models.resnet18.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bench.networks import Shapes, drawn, filled, linear_shapes, norm_shapes
from bench.workload import Array, Bars, Weights, Workload

RATE, MOMENTUM = 1e-3, 0.9
WIDTHS = (64, 128, 256, 512)
BATCH, STEPS = 32, 5


def data() -> tuple[Array, Array]:
    """Images (160, 3, 32, 32) of noise, each with the pattern of its class in it, and the classes."""
    rng = np.random.default_rng(0)
    classes = rng.integers(10, size=BATCH * STEPS)
    patterns, noise = (rng.standard_normal((n, 3, 32, 32), np.float32) for n in (10, BATCH * STEPS))
    return patterns[classes] + noise, classes


def blocks() -> dict[str, tuple[int, int, int]]:
    """Each block's channels in and out, and its stride."""
    places = [(stage, i) for stage in range(4) for i in range(2)]
    return {
        f"layer{s + 1}.{i}": (WIDTHS[max(s - 1, 0) if i == 0 else s], WIDTHS[s], 2 if s > 0 and i == 0 else 1)
        for s, i in places
    }


def weights() -> Weights:
    """As the modules below name them."""
    shapes: Shapes = {"conv1.weight": (64, 3, 3, 3), **norm_shapes("bn1", 64), **linear_shapes("fc", 512, 10)}
    for name, (n_in, n, _) in blocks().items():
        shapes |= {f"{name}.conv1.weight": (n, n_in, 3, 3), f"{name}.conv2.weight": (n, n, 3, 3)}
        shapes |= norm_shapes(f"{name}.bn1", n) | norm_shapes(f"{name}.bn2", n)
        if n_in != n:
            shapes |= {f"{name}.downsample.0.weight": (n, n_in, 1, 1), **norm_shapes(f"{name}.downsample.1", n)}
    return drawn(shapes)


WORKLOAD = Workload(
    name="RESNET18",
    title="ResNet-18 on 32×32, cross-entropy, SGD with momentum, batch 32",
    bars=Bars(call=1.5, epoch=None, best=1.3),
    data=data,
    weights=weights,
    batch=BATCH,
    steps=STEPS,
    contenders=("pullback/call", "torch/eager", "torch/compiled", "jax/jit"),
    checked=10,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    nn, relu = torch.nn, torch.nn.functional.relu

    class Block(nn.Module):
        def __init__(self, n_in: int, n: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(n_in, n, 3, stride, padding=1, bias=False), nn.BatchNorm2d(n)
            self.conv2, self.bn2 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
            shortcut = [nn.Conv2d(n_in, n, 1, stride, bias=False), nn.BatchNorm2d(n)] if n_in != n else []
            self.downsample = nn.Sequential(*shortcut)

        def forward(self, x: Any) -> Any:
            h = relu(self.bn1(self.conv1(x)))
            return relu(self.bn2(self.conv2(h)) + self.downsample(x))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
            built = [Block(*sizes) for sizes in blocks().values()]
            self.layer1, self.layer2 = nn.Sequential(*built[:2]), nn.Sequential(*built[2:4])
            self.layer3, self.layer4 = nn.Sequential(*built[4:6]), nn.Sequential(*built[6:])
            self.fc = nn.Linear(512, 10)

        def forward(self, x: Any) -> Any:
            x = self.layer2(self.layer1(relu(self.bn1(self.conv1(x)))))
            return self.fc(self.layer4(self.layer3(x)).mean(dim=(2, 3)))

    model = filled(torch, Network(), weights)

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(model(x), y)

    return loss_of, torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state (weights, velocities, running statistics), and (state, batch) to (state, loss)."""
    import jax

    from bench.jax_layers import batch_norm, conv, cross_entropy, linear

    def network(p: Any, x: Any, seen: Any) -> Any:
        x = jax.nn.relu(batch_norm(p, "bn1", conv(p, "conv1", x, padding=1), seen))
        for name, (n_in, n, stride) in blocks().items():
            h = jax.nn.relu(batch_norm(p, f"{name}.bn1", conv(p, f"{name}.conv1", x, stride, padding=1), seen))
            h = batch_norm(p, f"{name}.bn2", conv(p, f"{name}.conv2", h, padding=1), seen)
            if n_in != n:
                x = batch_norm(p, f"{name}.downsample.1", conv(p, f"{name}.downsample.0", x, stride), seen)
            x = jax.nn.relu(h + x)
        return linear(p, "fc", x.mean((1, 2)))

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        seen: dict[str, Any] = {}
        return cross_entropy(network(p, x.transpose(0, 2, 3, 1), seen), y), seen

    def step(state: Any, x: Any, y: Any) -> Any:
        p, v, running = state
        (loss, seen), g = jax.value_and_grad(loss_of, has_aux=True)(p, x, y)
        v = {k: MOMENTUM * v[k] + g[k] for k in p}
        running = {k: 0.9 * running[k] + 0.1 * seen[k] for k in running}
        return ({k: p[k] - RATE * v[k] for k in p}, v, running), loss

    norms = [name.removesuffix(".weight") for name, w in weights.items() if w.ndim == 1 and name.endswith("weight")]
    running = {name: np.stack([np.zeros_like(w := weights[f"{name}.weight"]), w]) for name in norms}
    return (weights, {k: np.zeros_like(p) for k, p in weights.items()}, running), step
