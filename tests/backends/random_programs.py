"""Random programs of tensor functions, as data: each can be run eagerly, compiled and emitted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

import pullback as pb
from tests.contracts.calls import spread

Tensor = pb.Tensor


def flat_pair(a: Tensor, b: Tensor) -> list[Tensor]:
    """Both as rows of one dtype, so that they can be joined."""
    return [a.reshape(-1).double(), b.reshape(-1).double()]


def rows(x: Tensor) -> Tensor:
    """At least a vector."""
    return x.reshape(-1) if x.ndim == 0 else x


def written(a: Tensor, b: Tensor) -> Tensor:
    """A copy of one with its first entry replaced by the other's mean."""
    y = rows(a).clone()
    y[0] = b.mean().to(y.dtype)
    return y


def stepped(a: Tensor, b: Tensor) -> Tensor:
    """In-place methods on a copy."""
    y = a.clone()
    y.mul_(2).add_(b.sum().to(y.dtype)).tanh_()
    y *= 3
    return y


def of_one(lib: Any) -> dict[str, Callable[[Any], Any]]:
    """What can be done with one tensor, in Pullback or PyTorch."""
    return {
        "neg": lambda x: -x,
        "exp": lambda x: x.clamp(-3, 3).exp(),
        "log": lambda x: (x.abs() + 0.5).log(),
        "sqrt": lambda x: (x * x + 0.1).sqrt(),
        "rsqrt": lambda x: (x * x + 0.1).rsqrt(),
        "sin": lib.sin,
        "cos": lib.cos,
        "tanh": lib.tanh,
        "atan": lib.atan,
        "erf": lib.erf,
        "sigmoid": lib.sigmoid,
        "relu": lib.relu,
        "abs": lib.abs,
        "sign": lambda x: x.sign() * x,
        "floor": lambda x: x - x.floor(),
        "round": lambda x: x - x.round(),
        "square": lib.square,
        "cube": lambda x: x.clamp(-3, 3) ** 3,
        "power": lambda x: (x.abs() + 0.5) ** 1.7,
        "log1p": lambda x: x.abs().log1p(),
        "expm1": lambda x: x.clamp(-3, 3).expm1(),
        "clamp": lambda x: x.clamp(-0.5, 0.7),
        "softmax": lambda x: rows(x).softmax(-1),
        "log_softmax": lambda x: rows(x).log_softmax(0),
        "logsumexp": lambda x: rows(x).logsumexp(-1),
        "cumsum": lambda x: rows(x).cumsum(-1),
        "sort": lambda x: rows(x).sort(-1, descending=True).values,
        "argsort": lambda x: rows(x).argsort(0).to(x.dtype) * 0.1,
        "max": lambda x: rows(x).max(-1).values,
        "amin": lambda x: rows(x).amin(0),
        "sum": lambda x: x.sum(),
        "sum of rows": lambda x: rows(x).sum(-1, keepdim=True),
        "mean": lambda x: rows(x).mean(0),
        "var": lambda x: (rows(x).var(unbiased=False) + 0.1).sqrt(),
        "prod": lambda x: rows(x).tanh().prod(-1),
        "norm": lambda x: x.norm(),
        "flat": lambda x: x.reshape(-1),
        "turned": lambda x: x.T,
        "moved": lambda x: rows(x).movedim(0, -1),
        "unsqueeze": lambda x: x.unsqueeze(0) if x.ndim < 3 else x[0],
        "expand": lambda x: x.unsqueeze(0).expand(2, *x.shape) if x.ndim < 3 else x * 1,
        "tail": lambda x: rows(x)[..., 1:] if rows(x).shape[-1] > 1 else x * 2,
        "strides": lambda x: rows(x)[::2],
        "flip": lambda x: rows(x).flip(-1),
        "roll": lambda x: rows(x).roll(1, -1),
        "picked": lambda x: rows(x)[[0, -1, 0]],
        "picked by values": lambda x: rows(x).gather(0, rows(x).argsort(0)),
        "one hot": lambda x: lib.nn.functional.one_hot(rows(x).argmax(-1), 8).to(x.dtype),
        "tril": lambda x: x.tril() if x.ndim >= 2 else x * 1,
        "masked": lambda x: x.masked_fill(x > 0.5, 0.25),
        "float32": lambda x: x.float(),
        "float64": lambda x: x.double(),
        "float16": lambda x: x.clamp(-9, 9).half().double(),
        "bfloat16": lambda x: x.bfloat16().float(),
        "whole": lambda x: x.clamp(-50, 50).int().double() + x.double(),
        "detached": lambda x: x.detach() * x,
    }


# What PyTorch has not, or does with other numbers.
OURS: dict[str, Callable[[Tensor], Tensor]] = {
    "dropped": lambda x: x * (pb.rand(x.shape) > 0.3).to(x.dtype),
    "noise": lambda x: x + pb.randn(x.shape, dtype=x.dtype) * 0.1,
    "recomputed": lambda x: pb.checkpoint(lambda v: (v.sin() * v).tanh(), x),
    "compiled inside": pb.compile(lambda x: x.sin() + 1),
    "pull": lambda x: pb.grad(lambda v: (v.sin() * v).sum())(x),
}


def of_two(lib: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """What can be done with two tensors, in Pullback or PyTorch."""
    return {
        "add": lib.add,
        "sub": lib.sub,
        "mul": lib.mul,
        "div": lambda a, b: a / (b.abs() + 0.5),
        "maximum": lib.maximum,
        "minimum": lib.minimum,
        "where": lambda a, b: lib.where(a > b, a, b * 2),
        "remainder": lambda a, b: a.remainder(b.abs() + 0.5),
        "lerp": lambda a, b: a + (b - a) * 0.25,
        "compared": lambda a, b: (a <= b).to(a.dtype) * a,
        "cat": lambda a, b: lib.cat(flat_pair(a, b)),
        "outer": lambda a, b: lib.outer(*[v[:4] for v in flat_pair(a, b)]),
        "matmul": lambda a, b: flat_pair(a, b)[0][:1].reshape(-1, 1) @ flat_pair(a, b)[1][:4].reshape(1, -1),
        "product with its turned self": lambda a, b: (
            lib.nn.functional.linear(rows(a), rows(a)[:2]) if a.ndim == 2 else a * b.sum()
        ),
        "written": written,
    }


ONE = of_one(pb) | OURS
TWO = of_two(pb) | {"stepped": stepped}


def fits(a: Tensor, b: Tensor) -> bool:
    """Whether the shapes broadcast to something small."""
    shapes = zip(reversed(a.shape), reversed(b.shape), strict=False)
    return all(1 in (n, m) or n == m for n, m in shapes) and max(a.numel(), 1) * max(b.numel(), 1) <= 400


@dataclass(frozen=True)
class RandomProgram:
    """Instructions: a name, and the places of its operands among the results so far, counted from the end."""

    steps: tuple[tuple[str, int, int], ...]
    inputs: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]

    def tensors(self, shift: int = 0, lib: Any = pb) -> list[Any]:
        """The inputs: variables of these shapes and dtypes."""
        pairs = enumerate(zip(self.inputs, self.dtypes, strict=True))
        return [spread(*shape, dtype=dtype, seed=i + shift + 1).tensor(lib) for i, (shape, dtype) in pairs]

    def results(self, inputs: list[Any], lib: Any = pb) -> list[Any]:
        """Each instruction applied; what does not fit is left out, by shapes alone."""
        ones, twos = (ONE, TWO) if lib is pb else (of_one(lib), of_two(lib))
        pool = list(inputs)
        for name, i, j in self.steps:
            a, b = pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]
            if name in ones:
                pool.append(ones[name](a))
            elif name in twos and (name in ("cat", "outer", "matmul") or fits(a, b)):
                pool.append(twos[name](a, b))
            if pool[-1].numel() > 400:
                pool[-1] = pool[-1].reshape(-1)[:40]
        return pool[len(inputs) :]

    def train(self, inputs: list[Tensor], state: Tensor) -> Any:
        """A training step: the results, a loss of all of them, its gradients, and a state that moves on."""
        results = self.results(inputs)
        loss = sum((y.double().tanh().mean() for y in (*inputs, *results) if y.numel()), start=state * 0)
        for x in inputs:
            x.grad = None
        loss.backward()
        with pb.no_grad():
            state.mul_(0.9).add_(loss)
        return results, loss, [x.grad for x in inputs]


SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (3, 1), (2, 1, 3), (4, 4)])
STEP = st.tuples(st.sampled_from(sorted(ONE) + sorted(TWO) * 3), st.integers(0, 6), st.integers(0, 6))


@st.composite
def random_programs(draw: st.DrawFn) -> RandomProgram:
    """Programs of up to twelve steps on up to three inputs."""
    inputs = draw(st.lists(SHAPES, min_size=1, max_size=3))
    dtypes = [draw(st.sampled_from(["float64", "float32"])) for _ in inputs]
    return RandomProgram(tuple(draw(st.lists(STEP, min_size=1, max_size=12))), tuple(inputs), tuple(dtypes))
