"""A model as a table: its modules, the shapes that they give, and what they hold and cost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pullback.base.errors import ArgumentError
from pullback.base.shapes import Shape, size_of
from pullback.base.trees import flatten
from pullback.grad.backward import no_grad
from pullback.nn.module import Module
from pullback.tensor.creation import zeros
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Traced, trace


@dataclass
class _Row:
    """One module of the table."""

    path: str
    module: Module
    shapes: tuple[Shape, ...] = ()  # of what it gave when it was called last
    flops: int = 0

    @property
    def parameters(self) -> int:
        """The number of parameters in it and below."""
        return sum(size_of(p.shape) for p in self.module.parameters())

    def cells(self) -> tuple[str, str, str, str, str]:
        """The row as text."""
        depth = self.path.count(".") + 1 if self.path else 0
        shapes = ", ".join(map(str, self.shapes)) or "–"
        name = self.path.rpartition(".")[2]
        return (
            "  " * (depth - 1) + name if depth else "(all)",
            type(self.module).__name__,
            shapes,
            f"{self.parameters:,}",
            f"{self.flops:,}",
        )


def summary(model: Module, input: Any) -> str:
    """A table of a model's modules: path, type, shape of the output, number of parameters, floating-point operations
    of the forward pass. A module's numbers include those below it.

    input: the tensor that the model is called with, a tuple of such tensors, or a shape (zeros of that shape).

    The model is traced, not run: no number is computed, and neither its buffers nor the random state change.

    Raises ArgumentError for an input that is none of these; what the model raises when it does not fit.

    >>> import pullback as pb
    >>> print(pb.nn.summary(pb.nn.Sequential(pb.nn.Linear(784, 30), pb.nn.ReLU()), (64, 784)))
    module  type        output    parameters      FLOPs
    (all)   Sequential  (64, 30)      23,550  3,016,320
    0       Linear      (64, 30)      23,550  3,012,480
    1       ReLU        (64, 30)           0      3,840
    23,550 parameters (0.1 MB), all of them trained
    """
    rows = {id(module): _Row(path, module) for path, module in model.named_modules()}
    handles = [row.module.register_forward_hook(_noting(row)) for row in rows.values()]
    try:
        with no_grad():
            traced = trace(lambda: model(*_arguments(input)))
    finally:
        for handle in handles:
            handle.remove()
    _count_flops(rows, traced)
    heading = ("module", "type", "output", "parameters", "FLOPs")
    return "\n".join([*_aligned([heading, *(row.cells() for row in rows.values())]), _total(model)])


def _arguments(input: Any) -> tuple[Any, ...]:
    items = tuple(input) if isinstance(input, (tuple, list)) else (input,)
    if items and all(type(n) is int for n in items):
        return (zeros(*items),)
    if not any(isinstance(x, Tensor) for x in items):
        raise ArgumentError(f"summary takes a tensor, a tuple of tensors or a shape; got {input!r}"[:200])
    return items


def _noting(row: _Row) -> Any:
    def note(module: Module, args: Any, output: Any) -> None:
        row.shapes = tuple(y.shape for y in flatten(output)[0] if isinstance(y, Tensor))

    return note


def _count_flops(rows: dict[int, _Row], traced: Traced) -> None:
    for node in traced.program.nodes:
        cost = node.op.count_flops([x.type for x in node.inputs], node.params)
        for module in {id(m) for m in node.origin.modules}:
            if module in rows:
                rows[module].flops += cost


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows as lines, text to the left and the last two columns, which are numbers, to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 2
    for row in rows:
        cells = [c.ljust(w) if i < last else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        yield "  ".join(cells).rstrip()


def _size(parameters: Iterable[Tensor]) -> int:
    return sum(size_of(p.shape) for p in parameters)


def _total(model: Module) -> str:
    parameters = list(model.parameters())
    count, trained = _size(parameters), _size(p for p in parameters if p.requires_grad)
    megabytes = sum(size_of(p.shape) * p.dtype.itemsize for p in parameters) / 1e6
    share = "all of them trained" if trained == count else f"{trained:,} of them trained, {count - trained:,} frozen"
    return f"{count:,} parameters ({megabytes:.1f} MB), {share}"
