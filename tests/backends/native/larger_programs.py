"""Random training steps on arrays of several chunks, as data: rows and columns worked out and spread back, gathers,
masks, dropout, matrix products, and an optimiser."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import pullback as pb

F = pb.nn.functional
Tensor = pb.Tensor


def order_of(n: int, seed: int) -> Any:
    """Row numbers in another order, some of them twice, some counted from the end."""
    return np.random.default_rng(seed).integers(-n, n, n)


def triangle(x: Tensor) -> Tensor:
    """A mask of the places above the diagonal."""
    return pb.tensor(np.triu(np.ones(x.shape, bool), 1))


def rotated(x: Tensor) -> Tensor:
    """The two halves of each row, one of them with its sign changed, in the other order."""
    half = x.shape[1] // 2
    return pb.cat([-x[:, half:], x[:, :half]], 1)


def scale_of(x: Tensor) -> Tensor:
    """The root of the mean square of each row, (n, 1)."""
    return ((x * x).mean(1, keepdim=True) + 1e-3).rsqrt()


def layer_norm(x: Tensor) -> Tensor:
    """Each row with mean 0 and variance 1."""
    centred = x - x.mean(1, keepdim=True)
    return centred * ((centred * centred).mean(1, keepdim=True) + 1e-3).rsqrt()


def scanned(x: Tensor, reverse: bool = False) -> Tensor:
    """A running value over the first rows, forwards or backwards, with noise that goes on from step to step."""
    start, rows = pb.zeros(x.shape[1], dtype=x.dtype), x[:40]
    _, ys = pb.scan(lambda c, row: ((c * 0.5 + F.dropout(row, 0.1)).tanh(), c + row), start, rows, reverse=reverse)
    return pb.cat([ys, x[40:]])


def heads(x: Tensor, count: int = 4) -> Tensor:
    """Each row looks at those before it, in several ways."""
    scales = pb.arange(1, count + 1).to(x.dtype).reshape(count, 1, 1) / count
    q = x[:, :16].reshape(1, x.shape[0], -1) * scales
    return F.scaled_dot_product_attention(q, q.sin(), x.expand(count, *x.shape), is_causal=True).mean(0)


def recurrent(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    """A recurrent layer over the first rows."""
    start = pb.zeros(1, x.shape[1], dtype=x.dtype)
    _, ys = pb.scan(lambda h, row: ((h @ p["w"] + row + p["b"]).tanh(),) * 2, start, x[:40].unsqueeze(1))
    return x + ys.sum(0)


def convolved_back(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    """A transposed convolution, five wide where there are so many columns."""
    kernel = p["table"][None, :3, :5]
    return F.conv_transpose1d(x.unsqueeze(1), kernel, padding=kernel.shape[-1] // 2).sum(1)


# All take and give tensors of one shape (n, d).
ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda x: x.tanh(),
    "gelu": lambda x: F.gelu(x),
    "relu": lambda x: x.relu(),
    "square": lambda x: x * x * 0.25,
    "exp": lambda x: x.clamp(-3, 2).exp(),
    "softmax": lambda x: x.softmax(-1) * x.shape[1],
    "softmax of columns": lambda x: x.softmax(0) * x.shape[0],
    "log softmax": lambda x: x.log_softmax(1),
    "layer norm": layer_norm,
    "root mean square": lambda x: x * scale_of(x),
    "centred": lambda x: x - x.mean(0),
    "standardised": lambda x: (x - x.mean(0)) / (x.var(0, unbiased=False) + 0.1).sqrt(),
    "off the largest": lambda x: x - x.amax(1, keepdim=True),
    "off the column's smallest": lambda x: (x - x.amin(0)) * 0.5,
    "whole": lambda x: x * x.mean() - x.sum() / x.numel(),
    "norm": lambda x: x / (x.norm() / x.numel() ** 0.5 + 0.1),
    "dropout": lambda x: F.dropout(x, 0.3),
    "noise": lambda x: x + 0.1 * pb.randn(x.shape, dtype=x.dtype),
    "masked": lambda x: x.masked_fill(triangle(x), 0.25),
    "where": lambda x: pb.where(x > 0.1, x * 2, x.sin()),
    "rows picked": lambda x: x[order_of(x.shape[0], 1)],
    "columns picked": lambda x: x[:, order_of(x.shape[1], 2)],
    "gathered": lambda x: x.gather(1, (x.abs() * 7).long().clamp(0, x.shape[1] - 1)),
    "sorted": lambda x: x.sort(1).values,
    "rotated": rotated,
    "rolled": lambda x: x.roll(3, 0),
    "flipped": lambda x: x.flip(1) + x,
    "turned": lambda x: x.T.contiguous().tanh().T * 2,
    "reshaped": lambda x: x.reshape(x.shape[1], x.shape[0]).tanh().reshape(x.shape),
    "cumulated": lambda x: x.cumsum(1) / x.shape[1] ** 0.5,
    "stacked": lambda x: pb.stack([x, x.sin()], 2).reshape(-1, 2 * x.shape[1])[:, : x.shape[1]],
    "narrow": lambda x: x.float().to(x.dtype),
    "detached": lambda x: x.detach() * x,
    "largest of three": lambda x: F.max_pool1d(x.unsqueeze(1), 3, 1, 1).squeeze(1),
    "mean of three": lambda x: F.avg_pool1d(x.unsqueeze(1), 3, 1, 1).squeeze(1),
    "normalised groups": lambda x: F.group_norm(x.reshape(-1, x.shape[0], x.shape[1]), 1).reshape(x.shape),
    "scanned": scanned,
    "scanned backwards": lambda x: scanned(x, True),
    "heads": heads,
    "one hot": lambda x: x + F.one_hot(x.argmax(1), x.shape[1]).to(x.dtype),
}

TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": pb.add,
    "gated": lambda a, b: a * b.sigmoid(),
    "maximum": pb.maximum,
    "quotient": lambda a, b: a / (b * b + 0.5),
    "chosen": lambda a, b: pb.where(a > b, a, b * 0.5),
    "scaled rows": lambda a, b: a * b.mean(1, keepdim=True),
    "scaled columns": lambda a, b: a - b.mean(0),
    "attention": lambda a, b: (a @ b.T / a.shape[1]).softmax(1) @ a,
    "mixed columns": lambda a, b: a @ (b.T @ a / a.shape[0]).tanh(),
    "halves": lambda a, b: pb.cat([a[: a.shape[0] // 2], b[a.shape[0] // 2 :]]),
}

# With the parameters w (d, d), b (d), table (7, d).
LEARNT: dict[str, Callable[[Tensor, dict[str, Tensor]], Tensor]] = {
    "linear": lambda x, p: F.linear(x, p["w"], p["b"]),
    "scaled": lambda x, p: x * p["b"] + p["b"].tanh(),
    "affine norm": lambda x, p: layer_norm(x) * p["b"] + p["table"][0],
    "embedded": lambda x, p: x + p["table"][(x.sum(1).abs() * 3).long() % 7],
    "looked up": lambda x, p: x + p["table"][order_of(x.shape[0], 4) % 7],
    "convolved": lambda x, p: F.conv1d(x.unsqueeze(1), p["table"][:4, None, :3], padding=1).mean(1),
    "convolved back": convolved_back,
    "recurrent": recurrent,
    "classified": lambda x, p: x * F.cross_entropy(x @ p["table"].T, x.argmax(1) % 7),
}

# With a large `eps`, as else the sign of what is next to nothing is what counts.
OPTIMISERS: dict[str, Callable[[list[Tensor]], Any]] = {
    "sgd": lambda ps: pb.optim.SGD(ps, lr=0.05),
    "momentum": lambda ps: pb.optim.SGD(ps, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda ps: pb.optim.Adam(ps, lr=0.01, eps=1e-3),
    "adamw": lambda ps: pb.optim.AdamW(ps, lr=0.01, eps=1e-3, weight_decay=0.1),
    "rmsprop": lambda ps: pb.optim.RMSprop(ps, lr=0.01, eps=1e-2, momentum=0.5),
}

SHAPES = [(257, 129), (67, 521), (1021, 34), (5, 7), (1, 1030), (40, 1)]


@dataclass(frozen=True)
class LargerProgram:
    """Steps of (what, which earlier value, which other) on inputs (n, d)."""

    steps: tuple[tuple[str, int, int], ...]
    shape: tuple[int, int]
    dtype: str
    optimiser: str
    clips: bool

    def numbers(self, shape: tuple[int, ...], seed: int, size: float, nudge: float) -> Tensor:
        """Random numbers, each moved by a random part of `nudge` of itself."""
        rng = np.random.default_rng((seed, *shape))
        x = rng.normal(0, size, shape)
        x *= 1 + nudge * np.random.default_rng(seed + int(nudge * 1e18) % 997).uniform(-1, 1, shape)
        return pb.tensor(x, dtype=getattr(pb, self.dtype))

    def parameters(self, nudge: float = 0.0) -> dict[str, Tensor]:
        """Fresh parameters."""
        d = self.shape[1]
        shapes = {"w": (d, d), "b": (d,), "table": (7, d)}
        made = {k: self.numbers(s, i, d**-0.5 if k == "w" else 1.0, nudge) for i, (k, s) in enumerate(shapes.items())}
        return {k: p.requires_grad_(True) for k, p in made.items()}

    def loss(self, x: Tensor, y: Tensor, parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The last value, and a loss of all values."""
        pool = [x, y]
        for name, i, j in self.steps:
            a, b = pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]
            if name in LEARNT:
                pool.append(LEARNT[name](a, parameters))
            else:
                pool.append(ONE[name](a) if name in ONE else TWO[name](a, b))
            pool[-1] = pool[-1].clamp(-30, 30)
        values = [v.tanh().mean() for v in pool[2:]]
        return pool[-1], sum(values, start=sum((p * p).mean() for p in parameters.values()) * 0.1)

    def run(self, backend: str, steps: int = 3, nudge: float = 0.0) -> list[Any]:
        """Train for a few steps, one batch after the other; every result, and in the end all state."""
        parameters = self.parameters(nudge)
        optimizer = OPTIMISERS[self.optimiser](list(parameters.values()))

        def step(x: Tensor, y: Tensor) -> Any:
            last, loss = self.loss(x, y, parameters)
            optimizer.zero_grad()
            loss.backward()
            if self.clips:
                pb.nn.utils.clip_grad_norm_(parameters.values(), 0.5)
            optimizer.step()
            return last, loss

        run = step if backend == "eager" else pb.compile(step, backend=backend)
        pb.manual_seed(11)
        found: list[Any] = []
        for k in range(steps):
            batch = [self.numbers(self.shape, 10 + 2 * k + i, 1.0, nudge) for i in range(2)]
            found += [y.detach().array().copy() for y in run(*batch)]
        found += [p.grad.array().copy() for p in parameters.values() if p.grad is not None]
        found += [p.detach().array().copy() for p in parameters.values()]
        state = optimizer.state_dict()["state"]
        return found + [v.array().copy() for s in state.values() for v in s.values() if isinstance(v, Tensor)]


STEP = st.tuples(st.sampled_from([*ONE, *TWO, *LEARNT]), st.integers(0, 3), st.integers(0, 5))


@st.composite
def larger_programs(draw: st.DrawFn, most: int = 8) -> LargerProgram:
    """Steps of up to `most` instructions."""
    return LargerProgram(
        tuple(draw(st.lists(STEP, min_size=2, max_size=most))),
        draw(st.sampled_from(SHAPES)),
        draw(st.sampled_from(["float64", "float64", "float32"])),
        draw(st.sampled_from(sorted(OPTIMISERS))),
        draw(st.booleans()),
    )
