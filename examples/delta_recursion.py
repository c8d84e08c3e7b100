"""Seed 3. A sigmoid network of any depth, its δ recursion by hand, and the engine's gradients beside it.

For quadratic cost C = ½ Σ (a − y)² / m and a = σ(z), z = a' W + b, the textbook's four equations are

    δ at the output    = (a − y) ⊙ σ'(z) / m
    δ of layer l       = (δ of layer l + 1) Wᵀ ⊙ σ'(z of layer l)
    ∂C/∂b              = Σ δ over the batch
    ∂C/∂W              = a'ᵀ δ

Here they stand in NumPy; then the same numbers come from `loss.backward()`; then the network learns digits.

    python examples/delta_recursion.py
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

import pullback as pb
from pullback.data import digits


class Network:
    """A network for any list of layer sizes: sigmoid units, quadratic cost, mini-batch gradient descent."""

    def __init__(self, sizes: Sequence[int], dtype: pb.DType = pb.float32) -> None:
        self.sizes = list(sizes)
        self.biases = [pb.randn(n, dtype=dtype, requires_grad=True) for n in sizes[1:]]
        self.weights = [(pb.randn(m, n, dtype=dtype) / m**0.5).requires_grad_() for m, n in pairwise(sizes)]
        self.step = pb.compile(self._step)

    @property
    def parameters(self) -> list[pb.Tensor]:
        """All weights, then all biases."""
        return [*self.weights, *self.biases]

    def forward(self, a: pb.Tensor) -> pb.Tensor:
        """The activations of the last layer, (batch, sizes[-1])."""
        for w, b in zip(self.weights, self.biases, strict=True):
            z = a @ w + b
            a = z.sigmoid()
        return a

    def cost(self, x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        """½ Σ (a − y)², averaged over the batch."""
        return ((self.forward(x) - y) ** 2).sum() / (2 * len(x))

    def _step(self, x: pb.Tensor, y: pb.Tensor, lr: float) -> pb.Tensor:
        cost = self.cost(x, y)
        cost.backward()
        with pb.no_grad():
            for p in self.parameters:
                p -= lr * p.grad
                p.grad = None
        return cost

    def sgd(self, x: pb.Tensor, y: pb.Tensor, epochs: int, batch_size: int, lr: float) -> None:
        """Mini-batch gradient descent over shuffled data."""
        for epoch in range(epochs):
            order = pb.randperm(len(x))
            costs = []
            for start in range(0, len(x) - batch_size + 1, batch_size):
                batch = order[start : start + batch_size]
                costs.append(self.step(x[batch], y[batch], lr).item())
            print(f"epoch {epoch + 1:2}  cost {np.mean(costs):.4f}")


def deltas_by_hand(network: Network, x: np.ndarray, y: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The gradients at all weights and biases by the δ recursion, in NumPy alone."""
    weights = [w.detach().numpy() for w in network.weights]
    biases = [b.detach().numpy() for b in network.biases]
    activations = [x]
    for w, b in zip(weights, biases, strict=True):
        activations.append(1 / (1 + np.exp(-(activations[-1] @ w + b))))

    slope = [a * (1 - a) for a in activations]  # σ'(z) = σ(z) (1 − σ(z))
    delta = (activations[-1] - y) / len(x) * slope[-1]
    at_weights, at_biases = [], []
    for layer in reversed(range(len(weights))):
        at_weights.insert(0, activations[layer].T @ delta)
        at_biases.insert(0, delta.sum(axis=0))
        delta = delta @ weights[layer].T * slope[layer]
    return at_weights, at_biases


def compare(sizes: Sequence[int] = (784, 30, 10), batch: int = 10) -> float:
    """Print, layer by layer, how far the engine's gradients are from the recursion's; the largest distance."""
    pb.manual_seed(1)
    network = Network(sizes, dtype=pb.float64)
    x, y = pb.rand(batch, sizes[0], dtype=pb.float64), pb.rand(batch, sizes[-1], dtype=pb.float64)
    network.cost(x, y).backward()
    by_hand = deltas_by_hand(network, x.numpy(), y.numpy())
    worst = 0.0
    for layer, (w, b, gw, gb) in enumerate(zip(network.weights, network.biases, *by_hand, strict=True), start=1):
        at_w = float(np.abs(w.grad.numpy() - gw).max())
        at_b = float(np.abs(b.grad.numpy() - gb).max())
        print(
            f"layer {layer}: largest difference at W {at_w:.1e}, at b {at_b:.1e}, "
            f"where the largest gradient is {np.abs(gw).max():.1e}"
        )
        worst = max(worst, at_w, at_b)
    return worst


def main(epochs: int = 10) -> tuple[float, float]:
    """Compare, then train 784-30-10 on the digits; the largest difference, and the accuracy on the test digits."""
    worst = compare()
    pb.manual_seed(0)
    data = digits()
    (x, labels), (x_test, labels_test) = data.train.tensors, data.test.tensors
    x, x_test = x.flatten(1), x_test.flatten(1)
    network = Network([784, 30, 10])
    network.sgd(x, pb.nn.functional.one_hot(labels, 10).float(), epochs, batch_size=10, lr=3.0)
    accuracy = (network.forward(x_test).argmax(1) == labels_test).float().mean().item()
    print(f"{accuracy:.1%} of {len(x_test)} test digits are read correctly")
    return worst, accuracy


if __name__ == "__main__":
    main()
