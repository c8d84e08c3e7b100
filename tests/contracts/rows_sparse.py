"""Rows of tables whose gradient is that of a few rows: courses of training beside PyTorch's sparse gradients."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

WORDS = ([1, 4, 0], [4, 4, 2], [5, 1, 1], [2, 3, 5], [6, 6, 0])


@dataclass(frozen=True)
class SparseRow:
    """A layer with a table of eight rows, and an optimiser that updates those that a step looks up."""

    layer: str
    optimiser: str
    options: dict[str, Any] = field(default_factory=dict)
    layer_options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What is built, and the options."""
        return f"{self.layer} {self.layer_options} with {self.optimiser} {self.options}"

    def build(self, lib: Any, dtype: str = "float64") -> tuple[Any, Any]:
        """The layer and the optimiser."""
        numbers = lib.tensor(np.sin(np.arange(24.0)).reshape(8, 3), dtype=getattr(lib, dtype))
        layer = getattr(lib.nn, self.layer)(8, 3, sparse=True, _weight=numbers, **self.layer_options)
        return layer, getattr(lib.optim, self.optimiser)(layer.parameters(), **self.options)

    def step(self, lib: Any, layer: Any, optimiser: Any) -> Any:
        """A function that takes one step on words of a bag each."""

        def step(words: Any, target: Any) -> Any:
            loss = ((layer(words) - target) ** 2).sum()
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            return loss

        return step

    def batches(self, lib: Any, dtype: str = "float64") -> list[tuple[Any, Any]]:
        """Words and what their vectors should be."""
        rows = [[words, [words[1], 7, words[0]]] for words in (*WORDS, *WORDS)]
        return [(lib.tensor(w), lib.tensor(0.1 * i, dtype=getattr(lib, dtype))) for i, w in enumerate(rows)]

    def run(self, lib: Any) -> Any:
        """The table after each step, and what is kept for it at the end."""
        layer, optimiser = self.build(lib)
        step, course = self.step(lib, layer, optimiser), []
        for words, target in self.batches(lib):
            step(words, target)
            course.append(layer.weight.detach().numpy().copy())
        kept = optimiser.state_dict()["state"].get(0, {})
        return {"course": np.stack(course), **{k: v for k, v in kept.items() if k not in ("step", "momentum_buffer")}}


RULES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-4}),
    ("SparseAdam", {"lr": 0.1}),
    ("SparseAdam", {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3}),
    ("SparseAdam", {"lr": 0.1, "maximize": True}),
]
ORACLE_ROWS = [
    *(SparseRow("Embedding", *rule) for rule in RULES),
    *(SparseRow("Embedding", *rule, {"padding_idx": 4}) for rule in RULES[::2]),
    *(SparseRow("EmbeddingBag", *rule, {"mode": mode}) for rule in RULES[::2] for mode in ("sum", "mean")),
]
