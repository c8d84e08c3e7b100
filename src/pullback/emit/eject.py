"""`pb.eject`: a compiled step as a file that trains on without Pullback, with its present state beside it."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from pullback.base.atomic import atomic_write
from pullback.base.dtypes import Array, bfloat16
from pullback.base.errors import ArgumentError, TraceError
from pullback.base.trees import flatten
from pullback.emit.compiled import CompiledFunction, latest_call, would_run_again
from pullback.emit.interface import tree_text
from pullback.emit.literals import literal_text
from pullback.emit.step import Step

_IMPORTS = ["import os", "import sys", "from pathlib import Path"]

_LOAD = '''STATE = Path(__file__).with_suffix(".npz")


def load(path=STATE):
    """The state, as `save` left it."""
    with np.load(path) as found:
        return {{key: {read} for key in found.files}}


def save(state, path=STATE):
    """Keep the state for later. The file appears whole or not at all."""
    draft = Path(path).with_suffix(".tmp")
    with open(draft, "wb") as file:
        np.savez(file, **{written})
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)'''

_MAIN = """if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python {file} {what}")
    state = load()
    {given}
    for i in range({count}):
        print(i, {call})
    save(state)"""


def eject(step: Any, path: str | os.PathLike[str]) -> None:
    """Write a compiled step as a Python file that trains on without Pullback: it needs NumPy alone.

    step: a function compiled with `pb.compile` that has been called at least once.
    path: the file to write, `….py`. Beside it, `….npz` gets the present state: parameters, buffers, the optimiser's
        state, random counters.

    The file holds what `pb.source` gives, and `load()` and `save(state)`. Called with the next batches, its function
    gives bit for bit what the reference backend would have. Run as a script it trains on the batches in a file.

    Raises ArgumentError for another step or suffix, FileNotFoundError when the folder does not exist, and TraceError
    when the next call of the step would run another program (a first step often differs from the rest: gradients and
    the optimiser's state were not there before).

    >>> import tempfile
    >>> import pullback as pb
    >>> w = pb.ones(2, requires_grad=True)
    >>> @pb.compile
    ... def step(x):
    ...     w.grad = None
    ...     (w * x).sum().backward()
    ...     with pb.no_grad():
    ...         w.sub_(0.1 * w.grad)
    >>> step(pb.ones(2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pb.eject(step, f"{folder}/step.py")
    ...     sorted(p.name for p in Path(folder).iterdir())
    ['step.npz', 'step.py']
    """
    if not isinstance(step, CompiledFunction):
        raise ArgumentError(f"eject() takes a function compiled with pb.compile; got {type(step).__name__}")
    target = Path(path)
    if target.suffix != ".py":
        raise ArgumentError(f"eject() writes a Python file; {str(target)!r} does not end in .py")
    call = latest_call(step)
    if not would_run_again(call):
        raise TraceError(
            f"the next call of {step.function.__name__} would run another program than the last one did, because what "
            "it depends on has changed since (train or eval mode, gradients that are now there). Call it once more, "
            "then eject it"
        )
    writer = Step(step.function, call)
    state = writer.state_arrays()
    text = writer.text(_guide(writer, target), _IMPORTS, [_storage(state), _main(writer, target.name)])
    with atomic_write(target.with_suffix(".npz")) as file:
        np.savez(file, **{key: _storable(array) for key, array in state.items()})  # type: ignore[arg-type]  # arrays
    with atomic_write(target, "w") as file:
        file.write(text)


def _storable(array: Array) -> Array:
    rows = np.ascontiguousarray(array) if array.ndim else array
    return rows.view(np.uint16) if array.dtype == bfloat16.numpy else rows


def _guide(writer: Step, target: Path) -> str:
    batches = ": the file has an array for each argument, with the batches along its first axis"
    return (
        f"`load()` reads the state from {target.with_suffix('.npz').name}, and `save(state)` writes it there. "
        f"Run as a script,\n\n    python {target.name} {_what(writer)}\n\n"
        f"it goes on training{batches if writer.call.varying else ''}."
    )


def _what(writer: Step) -> str:
    return "BATCHES.npz" if writer.call.varying else "STEPS"


def _storage(state: dict[str, Array]) -> str:
    """The functions that read and write the state; bfloat16, which no file format of NumPy's knows, as its bits."""
    halves = [key for key, array in state.items() if array.dtype == bfloat16.numpy]
    if not halves:
        return _LOAD.format(read="found[key]", written="state")
    return f"HALVES = {halves!r}  # kept as their bits, for npz files know no bfloat16\n" + _LOAD.format(
        read="found[key].view(bfloat16) if key in HALVES else found[key]",
        written="{key: x.view(np.uint16) if key in HALVES else x for key, x in state.items()}",
    )


def _main(writer: Step, file: str) -> str:
    arguments = [_argument(writer, tree) for tree in writer.call.trees.values()]
    varying = writer.call.varying
    return _MAIN.format(
        file=file,
        what=_what(writer),
        given="batches = np.load(sys.argv[1])" if varying else "steps = int(sys.argv[1])",
        count=f'len(batches["{varying[0].title}"])' if varying else "steps",
        call=f"{writer.name}({', '.join(['state', *arguments])})",
    )


def _argument(writer: Step, tree: Any) -> str:
    """An argument made from the batches: a leaf that varies is one of them, in the containers in which it came."""
    leaves, structure = flatten(tree)
    names = {id(argument.tensor): argument.title for argument in writer.call.varying}
    return tree_text(
        structure, iter([f'batches["{names[id(x)]}"][i]' if id(x) in names else literal_text(x) for x in leaves])
    )
