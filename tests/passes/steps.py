"""Real training steps as programs, and what to run them on."""

from collections.abc import Callable
from typing import Any

import numpy as np

import pullback as pb
from pullback.base.dtypes import Array
from pullback.ir.program import Program
from pullback.ops import interpret

F = pb.nn.functional


def training_program(
    model: Any, optimizer: Any, loss: Callable[..., pb.Tensor], *inputs: pb.Tensor
) -> tuple[Program, list[Array]]:
    """The program of one step after the default passes, and what it reads: (inputs, parameters and other state)."""

    @pb.compile(backend="reference")
    def step(*xs: pb.Tensor) -> pb.Tensor:
        value = loss(model, *xs)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    step(*inputs)
    traced = step.latest.traced
    arrays = [np.array(x.array()) for x in (*inputs, *traced.state)]
    return step.latest.program, [*arrays, *(np.asarray(read()) for read in traced.numbers)]


def digits_step(momentum: float = 0.9, adam: bool = False) -> tuple[Program, list[Array]]:
    """The 784-128-10 network with cross-entropy."""
    pb.manual_seed(1)
    model = pb.nn.Sequential(pb.nn.Linear(784, 128), pb.nn.ReLU(), pb.nn.Linear(128, 10))
    adapted = pb.optim.Adam(model.parameters(), lr=1e-3)
    optimizer = adapted if adam else pb.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    x, y = pb.rand(32, 784), pb.randint(0, 10, (32,))
    return training_program(model, optimizer, lambda m, x, y: F.cross_entropy(m(x), y), x, y)


def normalised(x: pb.Tensor) -> pb.Tensor:
    """Each row with mean 0 and variance 1."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()


class Block(pb.nn.Module):
    """A transformer block on (b, t, d)."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = pb.nn.Linear(d, 3 * d), pb.nn.Linear(d, d)
        self.up, self.down = pb.nn.Linear(d, 4 * d), pb.nn.Linear(4 * d, d)

    def forward(self, x: pb.Tensor) -> pb.Tensor:
        """Attention, then two linear layers, each beside a shortcut."""
        b, t, d = x.shape
        qkv = self.qkv(normalised(x)).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]  # (b, h, t, k)
        weights = F.softmax(q @ k.transpose(-1, -2) / (d // self.heads) ** 0.5, dim=-1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(normalised(x))))


def peak_bytes(program: Program, arrays: list[Array]) -> int:
    """The most bytes that results hold at one time, views counted as nothing, called programs included."""
    return _peak(program, arrays)[0]


def _peak(program: Program, arrays: list[Array]) -> tuple[int, list[Array]]:
    known = dict(zip(program.inputs, arrays, strict=True))
    given = {id(_owner(a)) for a in arrays}
    peak = 0
    for node, dead in zip(program.nodes, program.last_uses(), strict=True):
        inputs = [known[x] for x in node.inputs]
        held = sum(a.nbytes for k, a in {id(_owner(a)): _owner(a) for a in known.values()}.items() if k not in given)
        inner = 0
        if node.op.name == "call":
            inner, results = _peak(node.params["program"], inputs)
        else:
            with np.errstate(all="ignore"):
                results = list(node.op.run(inputs, node.params))
        own = {id(_owner(a)): _owner(a).nbytes for a in results if node.op.name not in ("full", "constant")}
        peak = max(peak, held + max(inner, sum(own.values())))
        known.update((v, a) for v, a in zip(node.outputs, results, strict=True) if v is not None)
        for value in dead:
            known.pop(value, None)
    return peak, [known[y] for y in program.outputs]


def _owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def assert_agrees(before: Program, after: Program, arrays: list[Array], tolerance: float = 2e-5) -> None:
    """Both give the same outputs, relative to the largest number of each."""
    for value, a, b in zip(before.outputs, interpret(before, arrays), interpret(after, arrays), strict=True):
        assert a.shape == b.shape == value.shape
        assert a.dtype == b.dtype
        largest = float(np.abs(a[np.isfinite(a)]).max(initial=1e-6))
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * largest)
