"""One row per optimiser and choice of options, and the course that each row is run over.

Rows are plain data and know no library: their methods take the module whose optimiser is meant, ours or PyTorch, so
that one course serves as the oracle, as the recorded answer and as the thing tested.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SHAPES = ((4, 3), (5,), ())
MATRICES = ((4, 3), (3, 5), (4, 4))
STEPS = 20
EXACT = {"float64": (0.0, 1e-12), "float32": (0.0, 2e-6)}
# Muon multiplies in bfloat16, whose last place the order of a sum decides. On one machine the courses are equal; on
# another they may part by a hundredth of the way that is gone.
MUON = {"float64": (0.0, 2e-4), "float32": (0.0, 2e-4)}


@dataclass(frozen=True)
class OptimiserRow:
    """One optimiser with one choice of options. The tolerance is absolute, for numbers of about 1."""

    name: str
    optimiser: str
    options: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    tolerance: dict[str, tuple[float, float]] = field(default_factory=lambda: EXACT)

    def build(self, lib: Any, params: Any) -> Any:
        """The optimiser of this row from a library, over these parameters."""
        return getattr(lib.optim, self.optimiser)(params, **self.options)

    def start(self) -> list[np.ndarray]:
        """The numbers that the parameters begin with."""
        rng = np.random.default_rng(7)
        return [rng.standard_normal(shape) for shape in self.shapes]

    def gradient(self, step: int, place: int, p: np.ndarray) -> np.ndarray | None:
        """The gradient of a noisy bowl at `p`, in float64; None where the parameter had no part in the loss."""
        if place == 1 and step in (3, 8):
            return None
        rng = np.random.default_rng([step, place])
        return (p.astype(np.float64) - 0.5) * (1 + place) + 0.3 * rng.standard_normal(p.shape)

    def parameters(self, lib: Any, dtype: str) -> list[Any]:
        """The row's parameters as leaves of a library."""
        return [lib.tensor(x, dtype=getattr(lib, dtype)).requires_grad_() for x in self.start()]

    def take_steps(self, lib: Any, params: list[Any], optimiser: Any, steps: Iterable[int]) -> np.ndarray:
        """The parameters after each of the steps: an array with a row for each."""
        course = []
        for step in steps:
            for place, p in enumerate(params):
                g = self.gradient(step, place, p.detach().numpy())
                p.grad = None if g is None else lib.tensor(g, dtype=p.dtype)
            optimiser.step()
            course.append(np.concatenate([p.detach().numpy().ravel() for p in params]))
        return np.stack(course)

    def run(self, lib: Any) -> dict[str, Any]:
        """The courses in float64 and float32, the state dict at the end, and the defaults of the constructor."""
        answer: dict[str, Any] = {}
        for dtype in ("float32", "float64"):
            params = self.parameters(lib, dtype)
            optimiser = self.build(lib, params)
            answer[dtype] = self.take_steps(lib, params, optimiser, range(STEPS))
        return answer | {"state_dict": optimiser.state_dict(), "defaults": defaults(type(optimiser))}


def defaults(kind: type) -> dict[str, Any]:
    """The defaults of a constructor by argument; "required" where there is none."""
    given = list(inspect.signature(kind).parameters.values())
    return {p.name: "required" if p.default is inspect.Parameter.empty else p.default for p in given}


ROWS = [
    OptimiserRow("sgd", "SGD", {"lr": 0.1}),
    OptimiserRow("sgd_defaults", "SGD"),
    OptimiserRow("sgd_momentum", "SGD", {"lr": 0.05, "momentum": 0.9}),
    OptimiserRow("sgd_dampening", "SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    OptimiserRow("sgd_dampening_alone", "SGD", {"lr": 0.05, "dampening": 0.3}),
    OptimiserRow("sgd_nesterov", "SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    OptimiserRow("sgd_weight_decay", "SGD", {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.02}),
    OptimiserRow("sgd_maximize", "SGD", {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.1, "maximize": True}),
    OptimiserRow("adagrad", "Adagrad"),
    OptimiserRow(
        "adagrad_options",
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.02, "initial_accumulator_value": 0.3, "eps": 1e-6},
    ),
    OptimiserRow("adagrad_maximize", "Adagrad", {"maximize": True}),
    OptimiserRow("rmsprop", "RMSprop"),
    OptimiserRow("rmsprop_momentum", "RMSprop", {"alpha": 0.9, "momentum": 0.7, "eps": 1e-6}),
    OptimiserRow("rmsprop_centered", "RMSprop", {"alpha": 0.9, "centered": True}),
    OptimiserRow(
        "rmsprop_options", "RMSprop", {"momentum": 0.5, "centered": True, "weight_decay": 0.1, "maximize": True}
    ),
    OptimiserRow("adadelta", "Adadelta"),
    OptimiserRow("adadelta_options", "Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1}),
    OptimiserRow("adadelta_maximize", "Adadelta", {"maximize": True}),
    OptimiserRow("adam", "Adam"),
    OptimiserRow("adam_options", "Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-5, "weight_decay": 0.1}),
    OptimiserRow("adam_amsgrad", "Adam", {"lr": 0.05, "betas": (0.9, 0.7), "amsgrad": True}),
    OptimiserRow("adam_maximize", "Adam", {"maximize": True}),
    OptimiserRow("adam_decoupled", "Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    OptimiserRow("adamw", "AdamW"),
    OptimiserRow("adamw_options", "AdamW", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.3, "amsgrad": True}),
    OptimiserRow("sparse_adam", "SparseAdam"),
    OptimiserRow(
        "sparse_adam_options", "SparseAdam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-5, "maximize": True}
    ),
    OptimiserRow("nadam", "NAdam"),
    OptimiserRow("nadam_options", "NAdam", {"betas": (0.8, 0.95), "weight_decay": 0.1, "momentum_decay": 0.1}),
    OptimiserRow("nadam_decoupled", "NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    OptimiserRow("radam", "RAdam"),
    OptimiserRow("radam_options", "RAdam", {"lr": 0.02, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    OptimiserRow("radam_decoupled", "RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    OptimiserRow("adamax", "Adamax"),
    OptimiserRow("adamax_options", "Adamax", {"betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    OptimiserRow("asgd", "ASGD"),
    OptimiserRow("asgd_options", "ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.6, "t0": 5, "weight_decay": 0.1}),
    OptimiserRow("asgd_maximize", "ASGD", {"maximize": True}),
    OptimiserRow("lion", "Lion"),
    OptimiserRow("lion_options", "Lion", {"lr": 0.01, "betas": (0.8, 0.7), "weight_decay": 0.3}),
    OptimiserRow("lion_maximize", "Lion", {"maximize": True}),
    OptimiserRow("muon", "Muon", {}, MATRICES, MUON),
    OptimiserRow("muon_plain", "Muon", {"lr": 0.002, "nesterov": False, "weight_decay": 0}, MATRICES, MUON),
    OptimiserRow(
        "muon_options",
        "Muon",
        {"momentum": 0.8, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 7, "adjust_lr_fn": "match_rms_adamw"},
        MATRICES,
        MUON,
    ),
]


# Lion is not in PyTorch; its course is held against NumPy in test_optimisers.py. SparseAdam takes nothing but sparse
# gradients there: rows_sparse.py.
ORACLE_ROWS = [row for row in ROWS if row.optimiser not in ("Lion", "SparseAdam")]
