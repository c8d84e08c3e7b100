"""A row of a layer or a loss: what is built, what it is called with, and what is asked of it."""

import importlib
import inspect
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.calls import Given, cotangent, spread, tensors_in

# Parameters that PyTorch keeps for old scripts, or for its own use.
LEFT_OUT = {"size_average", "reduce", "min_value", "max_value", "out", "_stacklevel"}


@dataclass(frozen=True)
class LayerRow:
    """A class of `lib.nn` with one choice of options, and the arrays that it is called with.

    `build` makes the module with either library; its parameters are then filled with numbers that depend on
    their names alone. Arguments that are `Given` become tensors.
    """

    layer: str
    inputs: tuple[Given, ...]
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    train: bool = True
    smooth: bool = True  # whether the first derivative can be checked by differences
    twice: bool = True  # whether the second can
    dtype: str = "float64"
    tolerance: dict[str, tuple[float, float]] | None = None

    @property
    def name(self) -> str:
        """The call that makes the layer, and the shapes of its inputs."""
        given = [*map(_text, self.args), *(f"{k}={_text(v)}" for k, v in self.options.items())]
        shapes = " ".join("x".join(map(str, x.array.shape)) or "()" for x in self.inputs)
        return f"{self.layer}({', '.join(given)}) on {shapes}{f', {self.label}' if self.label else ''}"

    def build(self, lib: Any) -> Any:
        """The module of this row from a library."""
        args = [_as_argument(x, lib) for x in self.args]
        options = {name: _as_argument(x, lib) for name, x in self.options.items()}
        module = getattr(lib.nn, self.layer)(*args, **options).to(getattr(lib, self.dtype))
        numbers = {name: _numbers(name, p, lib) for name, p in module.named_parameters()}
        module.load_state_dict(numbers, strict=False)  # buffers keep what they were built with
        return module.train(self.train)

    def tensors(self, lib: Any) -> list[Any]:
        """The inputs as tensors of a library."""
        return [x.tensor(lib) for x in self.inputs]

    def run(self, lib: Any) -> dict[str, Any]:
        """How the module prints, its state dict, what it gives, and the gradients at inputs and parameters."""
        module, inputs = self.build(lib), self.tensors(lib)
        results = tensors_in(module(*inputs))
        answer = {
            "repr": repr(module),
            "state": {name: tuple(x.shape) for name, x in module.state_dict().items()},
            "results": results,
        }
        variables = {f"input {i}": x for i, x in enumerate(inputs) if x.requires_grad}
        variables |= dict(module.named_parameters())
        ys = [y for y in results if y.requires_grad]
        if not ys:
            return answer
        gs = [cotangent(y.shape, i, y, lib) for i, y in enumerate(ys)]
        found = lib.autograd.grad(ys, list(variables.values()), gs, allow_unused=True)
        return answer | {f"d {name}": g for name, g in zip(variables, found, strict=True)}


def every_layer_row() -> list[LayerRow]:
    """The rows in the list `LAYERS` of each file tests/contracts/rows_<family>.py that has one."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("rows_*.py"))
    modules = [importlib.import_module(f"tests.contracts.{name}") for name in names]
    return [row for module in modules for row in getattr(module, "LAYERS", ())]


def spread_out(rows: Sequence[LayerRow], each: int) -> list[Any]:
    """The rows as parameters of a test: `each` of a layer's in every run, the others in the long one."""
    met: dict[str, int] = {}
    found = []
    for row in rows:
        met[row.layer] = met.get(row.layer, 0) + 1
        found.append(pytest.param(row, id=row.name, marks=[pytest.mark.slow] if met[row.layer] > each else []))
    return found


def sharp(layer: str, *inputs: Given, label: str, tolerance: Any = None, **options: Any) -> LayerRow:
    """A row at a kink, or where numbers are huge: compared with PyTorch, but not with differences."""
    return LayerRow(
        layer,
        inputs,
        options=options,
        label=label,
        smooth=False,
        twice=False,
        dtype=inputs[0].dtype,
        tolerance=tolerance,
    )


def _text(x: Any) -> str:
    return f"({'x'.join(map(str, x.array.shape))})" if isinstance(x, Given) else repr(x)


def _as_argument(x: Any, lib: Any) -> Any:
    return x.tensor(lib).detach() if isinstance(x, Given) else x


def _numbers(name: str, like: Any, lib: Any) -> Any:
    """Numbers for a parameter, in the dtype that it has."""
    given = spread(*like.shape, low=-1.0, high=1.0, seed=zlib.crc32(name.encode()) % 997)
    return given.tensor(lib).detach().to(like.dtype)


@dataclass(frozen=True)
class SignatureRow:
    """The parameters of a class of `lib.nn`, or of a function of `lib.nn.functional`, with their defaults."""

    owner: str
    function: str

    @property
    def name(self) -> str:
        """The function and where it stands."""
        return f"signature of {self.owner}.{self.function}"

    def run(self, lib: Any) -> str:
        """The parameters in order, but for *args and **kwargs."""
        owner = lib.nn
        for part in self.owner.split(".")[1:]:
            owner = getattr(owner, part)
        found = inspect.signature(getattr(owner, self.function)).parameters.values()
        named = [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        return ", ".join(_parameter(p) for p in named if p.name not in LEFT_OUT)


def _parameter(p: inspect.Parameter) -> str:
    default = float(p.default) if isinstance(p.default, int) and not isinstance(p.default, bool) else p.default
    text = default.__name__ if inspect.isfunction(default) else repr(default)  # which names no place in memory
    return p.name if p.default is p.empty else f"{p.name}={text}"
