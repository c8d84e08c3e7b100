"""Steps that use much of what there is: optimisers, dropout, halves, large matrices, checkpoints, containers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import pullback as pb
import pullback.nn as nn
import pullback.nn.functional as F
from tests.emit.networks import Network

rng = np.random.default_rng


def adamw_and_dropout(steps: int) -> Network:
    """A Sequential with dropout, clipped gradients and AdamW: bias corrections in float64, random state."""
    pb.manual_seed(4)
    model = nn.Sequential(nn.Linear(20, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 4))
    optimizer = pb.optim.AdamW(model.parameters(), lr=1e-3)

    @pb.compile
    def train_step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    x = rng(4).standard_normal((steps, 64, 20)).astype(np.float32)
    return Network(train_step, [x, rng(5).standard_normal((steps, 64, 4)).astype(np.float32)])


def large_matrices(steps: int) -> Network:
    """Temporaries beyond the size from which NumPy reuses memory, some transposed."""
    pb.manual_seed(5)
    w = (pb.randn(300, 400) / 20).requires_grad_()
    v = (pb.randn(400, 300) / 20).requires_grad_()

    @pb.compile
    def step(x):
        h = pb.tanh(x @ w + (v @ x.T).T * 0.5)
        loss = ((h.T - h.T.mean(1, keepdim=True)) ** 2 / (h.T * h.T + 1)).sum() + (w.T * v).sum()
        loss.backward()
        with pb.no_grad():
            for p in (w, v):
                p -= 1e-3 * (p.grad + 0.1 * p.T.T * (p.T * p.T).T)
                p.grad = None
        return loss, h.T

    return Network(step, [rng(6).standard_normal((steps, 320, 300)).astype(np.float32)])


def halves(steps: int) -> Network:
    """bfloat16 weights with a float16 branch."""
    pb.manual_seed(6)
    w = (pb.randn(12, 8) / 4).to(pb.bfloat16).requires_grad_()
    b = pb.zeros(8, dtype=pb.float16).requires_grad_()

    @pb.compile
    def step(x, lr):
        h = pb.sigmoid(x.to(pb.bfloat16) @ w).to(pb.float16) * 0.1 + b
        loss = (h.float() ** 2).mean()
        w.grad = b.grad = None
        loss.backward()
        with pb.no_grad():
            w.sub_((lr * w.grad).to(pb.bfloat16))
            b.sub_(lr * b.grad)
        return loss

    return Network(step, [rng(7).standard_normal((steps, 16, 12)).astype(np.float32)], (0.5,))


@dataclass
class Out:
    """What a model gives, in a container of the user's own."""

    loss: Any
    logits: Any


def containers(steps: int) -> Network:
    """Embedding by index, arguments and results in containers, a buffer, constants, a counter of integers."""
    pb.manual_seed(7)
    table = pb.randn(50, 8, requires_grad=True)
    head = {"weight": pb.randn(8, 5, requires_grad=True), "calls": pb.zeros(1, dtype=pb.int64)}
    scale = pb.ones(5)  # never written: one number repeated in memory

    @pb.compile
    def step(batch, extra, flag=True):
        tokens, targets = batch
        mask = pb.tensor([1.0, 0.0, 1.0, 1.0, 0.5])
        h = table[tokens].mean(1)
        shift = extra["shift"] * pb.tensor(np.arange(40.0).reshape(8, 5)).sum(0).float()
        logits = h @ head["weight"] * scale * mask + shift
        loss = F.cross_entropy(logits, targets)
        table.grad = head["weight"].grad = None
        loss.backward()
        with pb.no_grad():
            table.sub_(0.1 * table.grad)
            head["weight"].sub_(0.1 * head["weight"].grad)
            head["calls"].add_(2 if flag else 1)
        return {"out": Out(loss, logits), "calls": [head["calls"], None, "text", 3]}

    tokens, targets = rng(8).integers(0, 50, (steps, 6, 7)), rng(9).integers(0, 5, (steps, 6))
    shift = rng(10).standard_normal((steps, 5)).astype(np.float32)
    return Network(step, [tokens, targets, shift], arrange="lambda a, b, c: ((a, b), {'shift': c})")


def recomputed(steps: int) -> Network:
    """A block whose forward pass is run again for the backward pass, twice, with a gradient of the user's own."""
    pb.manual_seed(8)

    class Straight(pb.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return (x * 4).round() / 4

        @staticmethod
        def backward(ctx, g):
            return g * 0.9

    blocks = nn.ModuleList([nn.Sequential(nn.Linear(6, 6), nn.Tanh()) for _ in range(2)])
    optimizer = pb.optim.SGD(blocks.parameters(), lr=0.1)

    @pb.compile
    def step(x, y):
        optimizer.zero_grad()
        h = x
        for block in blocks:
            h = pb.checkpoint(block, h)
        rounded = Straight.apply(h)
        loss = F.mse_loss(rounded, y)
        loss.backward()
        optimizer.step()
        return loss

    x = rng(11).standard_normal((steps, 8, 6)).astype(np.float32)
    return Network(step, [x, x[:, :, ::-1].copy()])


def gradients_of_gradients(steps: int) -> Network:
    """A penalty on the gradient, in float64, with a state of shape ()."""
    pb.manual_seed(9)
    w = pb.randn(5, dtype=pb.float64, requires_grad=True)
    t = pb.tensor(0.5, dtype=pb.float64, requires_grad=True)

    @pb.compile
    def step(x):
        y = (pb.sin(x @ w) * t.exp()).sum()
        (slope,) = pb.autograd.grad(y, w, create_graph=True)
        loss = y * y + (slope * slope).sum()
        w.grad = t.grad = None
        loss.backward()
        with pb.no_grad():
            w.sub_(0.01 * w.grad)
            t.sub_(0.01 * t.grad)
        return loss, slope

    return Network(step, [rng(12).standard_normal((steps, 7, 5))])


MORE_NETWORKS: dict[str, Callable[[int], Network]] = {
    f.__name__: f for f in (adamw_and_dropout, large_matrices, halves, containers, recomputed, gradients_of_gradients)
}
