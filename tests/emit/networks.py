"""The networks whose emitted programs are looked at: as a user would write them. Golden files quote these lines."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import pullback as pb
import pullback.nn as nn
import pullback.nn.functional as F

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Network:
    """A compiled step and its data: the arguments of each call as arrays with a leading axis.

    `arrange` is code that makes the arguments of the step from them, where they are not the arguments themselves.
    """

    step: Any
    batches: list[Array]
    rest: tuple[float, ...] = ()
    arrange: str = "lambda *given: given"

    def call(self, i: int) -> Any:
        """The i-th step."""
        return self.step(*eval(self.arrange)(*[batch[i] for batch in self.batches], *self.rest))


def line(steps: int) -> Network:
    """y = w x + b with raw tensors."""
    w = pb.zeros(1, requires_grad=True)
    b = pb.zeros(1, requires_grad=True)

    @pb.compile
    def step(x, y, lr):
        prediction = w * x + b
        loss = ((prediction - y) ** 2).mean()
        loss.backward()
        with pb.no_grad():
            w.sub_(lr * w.grad)
            b.sub_(lr * b.grad)
        w.grad.zero_()
        b.grad.zero_()
        return loss

    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (steps, 100)).astype(np.float32)
    y = (3 * x + 2 + 0.1 * rng.standard_normal(x.shape)).astype(np.float32)
    return Network(step, [x, y], (0.1,))


class Net(nn.Module):
    """Two layers, as in the first tutorial."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x):
        h = F.relu(self.fc1(x))
        return self.fc2(h)


def two_layers(steps: int) -> Network:
    """A two-layer network as a module, with cross-entropy and SGD with momentum."""
    pb.manual_seed(2)
    model = Net(784, 128, 10)
    optimizer = pb.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    @pb.compile
    def train_step(x, y):
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        return loss

    rng = np.random.default_rng(2)
    x = rng.standard_normal((steps, 64, 784)).astype(np.float32)
    return Network(train_step, [x, rng.integers(0, 10, (steps, 64))])


def sigmoid_network(steps: int) -> Network:
    """784-30-10 with sigmoid units and quadratic cost, gradient descent over lists of tensors."""
    pb.manual_seed(3)
    sizes = [784, 30, 10]
    weights = [(pb.randn(n, m) / n**0.5).requires_grad_() for n, m in pairwise(sizes)]
    biases = [pb.randn(m, requires_grad=True) for m in sizes[1:]]

    @pb.compile
    def step(x, y, lr):
        a = x
        for w, b in zip(weights, biases, strict=True):
            z = a @ w + b
            a = pb.sigmoid(z)
        cost = ((a - y) ** 2).sum() / (2 * len(x))
        cost.backward()
        with pb.no_grad():
            for p in weights + biases:
                p -= lr * p.grad
                p.grad = None
        return cost

    rng = np.random.default_rng(3)
    x = rng.random((steps, 10, 784)).astype(np.float32)
    y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, (steps, 10))]
    return Network(step, [x, y], (3.0,))


NETWORKS: dict[str, Callable[[int], Network]] = {
    "line": line,
    "two_layers": two_layers,
    "sigmoid_network": sigmoid_network,
}
