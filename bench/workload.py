"""What a workload is, and the data that several of them share. NumPy only: every peer's environment has it."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent / "src" / "pullback" / "data" / "digits.npz"


@dataclass(frozen=True)
class Bars:
    """How many times as fast Pullback has to be.

    call: per call from Python, against PyTorch eager. epoch: inside a native epoch, against PyTorch eager.
    best: in its best mode, against the best of all peers in their best modes. bfloat16: per call, against PyTorch with
    products in bfloat16. gigabytes: the most memory that a process of ours may take, in 10⁹ bytes. None: no such bar.
    """

    call: float
    epoch: float | None
    best: float
    bfloat16: float | None = None
    gigabytes: float | None = None


@dataclass(frozen=True)
class Workload:
    """One training step, done over and over. Its data and initial weights are the same arrays for every contender.

    data: the whole arrays, rows first, float32, or int64 for classes. batch: rows in a step, all of them in their order
    where it is 0. steps: how many make an epoch. product_flops: floating-point operations of a step's matrix
    products, a multiplication and an addition counted as two; 0 where they are not what it is about.
    product_bar: the share of the machine's product rate that has to be reached. contenders: who is measured, where not
    all are: a step of seconds is no faster in an epoch, and all of them stay in memory. checked: steps whose losses are
    compared.
    """

    name: str
    title: str
    bars: Bars
    data: Callable[[], tuple[Array, ...]]
    weights: Callable[[], Weights]
    steps: int
    batch: int = 0
    product_flops: int = 0
    product_bar: float = 0.0
    contenders: tuple[str, ...] = ()
    checked: int = 100

    def order(self) -> Array:
        """The rows of each batch of an epoch, (steps, b): a seeded permutation, the same for every epoch."""
        permutation = np.random.default_rng(1).permutation(len(self.data()[0]))
        return permutation[: self.steps * self.batch].reshape(self.steps, self.batch)

    def batches(self) -> list[tuple[Array, ...]]:
        """The batches of an epoch, cut out: what a contender that is called step by step prepares beforehand."""
        data = self.data()
        return [tuple(array[rows] for array in data) for rows in self.order()] if self.batch else [data]


def modules() -> dict[str, str]:
    """The workloads that there are: the module of each name. `w1_nielsen.py` holds W1. Named networks come last."""
    found = sorted(HERE.glob("workloads/*_*.py"), key=lambda path: (len(path.stem.split("_")[0]), path.stem))
    return {path.stem.split("_")[0].upper(): f"bench.workloads.{path.stem}" for path in found}


def load(name: str) -> ModuleType:
    """The module of a workload: `WORKLOAD`, and a function for each way in which its step is written."""
    return import_module(modules()[name])


def dense_layers(*sizes: int) -> Weights:
    """Weights w1 (in, out), b1 (out,), w2, b2 and so on, uniform within ±1/√in as PyTorch draws them."""
    rng = np.random.default_rng(0)
    weights: Weights = {}
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        bound = n_in**-0.5
        weights[f"w{i}"] = rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32)
        weights[f"b{i}"] = rng.uniform(-bound, bound, n_out).astype(np.float32)
    return weights


def state_dict(weights: Weights) -> Weights:
    """The same weights as the `state_dict` of a Sequential of Linear layers with an activation after each."""
    linear = {}
    for name, array in weights.items():
        place = 2 * (int(name[1:]) - 1)
        kind, array = ("weight", array.T) if name[0] == "w" else ("bias", array)
        linear[f"{place}.{kind}"] = np.ascontiguousarray(array)
    return linear


def digits() -> tuple[Array, Array]:
    """The 8,000 training digits that come with Pullback: pixels (8000, 784) in 0 to 1, and classes (8000,)."""
    with np.load(DIGITS) as arrays:
        pixels, classes = arrays["train_images"], arrays["train_labels"]
    return pixels.reshape(-1, 784).astype(np.float32) / np.float32(255), classes.astype(np.int64)
