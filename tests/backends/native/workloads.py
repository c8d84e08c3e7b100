"""Training runs whose every bit is looked at. As a script it prints what each gives, for a process of its own."""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import pullback as pb
from pullback.base.trees import flatten
from tests.backends.native.comparing import cut_finely

F, nn = pb.nn.functional, pb.nn
Batch = Sequence[pb.Tensor]


def digest(tree: Any) -> str:
    """Tells the bits of all tensors in a tree."""
    found = hashlib.sha256()
    for leaf in flatten(tree)[0]:
        if isinstance(leaf, pb.Tensor):
            found.update(f"{leaf.type_}".encode() + leaf.detach().array().tobytes())
    return found.hexdigest()[:16]


def batches_of(inputs: int, classes: int, size: int, count: int) -> list[Batch]:
    """Batches of inputs and, with `classes`, of class numbers; else of one number each."""
    rng = np.random.default_rng((inputs, classes, size))
    found = []
    for _ in range(count):
        x = rng.random((size, inputs), dtype=np.float32)
        y = rng.integers(0, classes, size) if classes else x.sum(1, keepdims=True)
        found.append((pb.tensor(x), pb.tensor(y)))
    return found


def squares(model: Any, x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
    """Half the squared error against one-hot targets, per example."""
    return 0.5 * ((model(x) - F.one_hot(y, 10).float()) ** 2).sum() / len(x)


def mean_square(model: Any, x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
    return F.mse_loss(model(x), y)


def cross_entropy(model: Any, x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
    return F.cross_entropy(model(x), y)


def sequential(*layers: Any) -> Callable[[], Any]:
    """Makes a model, of widths and layers between them."""

    def make() -> Any:
        made: list[Any] = []
        for left, between, right in zip(layers[::2], layers[1::2], layers[2::2], strict=False):
            made += [nn.Linear(left, right), *([between()] if between else [])]
        return nn.Sequential(*made)

    return make


class Mix(nn.Module):
    """What a small transformer does: table rows, layer norm, attention with a mask, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(pb.randn(50, 64) * 0.1)
        self.qkv, self.out, self.head = nn.Linear(64, 192), nn.Linear(64, 64), nn.Linear(64, 50)

    def norm(self, x: pb.Tensor) -> pb.Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred * ((centred * centred).mean(-1, keepdim=True) + 1e-5).rsqrt()

    def forward(self, tokens: pb.Tensor) -> pb.Tensor:
        b, t = tokens.shape
        x = F.dropout(self.table[tokens], 0.1, self.training)  # (b, t, d)
        q, k, v = (h.reshape(b, t, 4, 16).transpose(1, 2) for h in self.qkv(self.norm(x)).split(64, -1))  # (b, h, t, k)
        weights = (q @ k.transpose(-1, -2) * 0.25).masked_fill(pb.tensor(np.triu(np.ones((t, t), bool), 1)), -1e9)
        attended = F.dropout(weights.softmax(-1), 0.1, self.training) @ v
        return self.head(self.norm(x + self.out(attended.transpose(1, 2).reshape(b, t, 64))))


def next_token(model: Any, x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
    return F.cross_entropy(model(x).reshape(-1, 50), y.reshape(-1))


def sentences(count: int) -> list[Batch]:
    rng = np.random.default_rng(5)
    found = [rng.integers(0, 50, (12, 41)) for _ in range(count)]
    return [(pb.tensor(s[:, :-1].copy()), pb.tensor(s[:, 1:].copy())) for s in found]


class Images(nn.Module):
    """A small network of convolutions: padded, strided, depthwise, pooled, normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(16, 24, 3), nn.ReLU(),
            nn.AvgPool2d(2), nn.Conv2d(24, 24, 3, stride=2), nn.Flatten(), nn.Linear(96, 10),
        )  # fmt: skip

    def forward(self, x: pb.Tensor) -> pb.Tensor:
        return self.layers(x)


class Recurrent(nn.Module):
    """Two layers of LSTM with dropout between them, and a class for each step."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 32), nn.Linear(96, 50)
        self.rnn = nn.LSTM(32, 96, 2, batch_first=True, dropout=0.2)

    def forward(self, tokens: pb.Tensor) -> pb.Tensor:
        return self.head(self.rnn(self.table(tokens))[0])


def sgd(ps: Any, lr: float, momentum: float = 0.0) -> Any:
    return pb.optim.SGD(ps, lr=lr, momentum=momentum)


# Model, loss, optimiser, batches.
WORKLOADS: dict[str, tuple[Callable[[], Any], Any, Callable[[Any], Any], Callable[[], list[Batch]]]] = {
    "W0": (sequential(1, None, 1), mean_square, lambda ps: sgd(ps, 0.1), lambda: batches_of(1, 0, 100, 5)),
    "W1": (
        sequential(784, nn.Sigmoid, 30, nn.Sigmoid, 10),
        squares,
        lambda ps: sgd(ps, 3.0),
        lambda: batches_of(784, 10, 10, 4),
    ),
    "W2": (
        sequential(784, nn.ReLU, 128, None, 10),
        cross_entropy,
        lambda ps: sgd(ps, 0.05, 0.9),
        lambda: batches_of(784, 10, 64, 4),
    ),
    "W3": (
        sequential(10, nn.ReLU, 5, None, 1),
        mean_square,
        lambda ps: sgd(ps, 0.05),
        lambda: batches_of(10, 0, 100, 5),
    ),
    "W4": (
        sequential(784, nn.ReLU, 1024, nn.ReLU, 1024, None, 10),
        cross_entropy,
        lambda ps: pb.optim.Adam(ps, lr=1e-3),
        lambda: batches_of(784, 10, 256, 2),
    ),
    "images": (Images, cross_entropy, lambda ps: sgd(ps, 0.05, 0.9), lambda: batches_of(784, 10, 24, 3)),
    "recurrent": (Recurrent, next_token, lambda ps: pb.optim.Adam(ps, lr=1e-3), lambda: sentences(2)),
    "mix": (Mix, next_token, lambda ps: pb.optim.AdamW(ps, lr=1e-3), lambda: sentences(3)),
}


def train(name: str, backend: str | None = None) -> dict[str, Any]:
    """Train for the workload's batches: the losses, and the state in the end."""
    make, loss_of, optimiser, batches = WORKLOADS[name]
    pb.manual_seed(3)
    model = make()
    optimizer = optimiser(model.parameters())

    @pb.compile(backend=backend)
    def step(x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        loss = loss_of(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        pb.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        return loss

    losses = [step(*batch) for batch in batches()]
    return {"losses": losses, "model": model.state_dict(), "optimizer": optimizer.state_dict()}


def main() -> None:
    """Print the digest of each workload, cut as usual and finely; on several threads each of them, however small."""
    from pullback.backends.native import executable

    executable.SMALL_WORK = 0
    names = sys.argv[1:] or list(WORKLOADS)
    found = {name: digest(train(name, "native")) for name in names}
    cut_finely(setattr)
    print(json.dumps(found | {f"{name}, cut finely": digest(train(name, "native")) for name in names if name != "W4"}))


if __name__ == "__main__":
    main()
