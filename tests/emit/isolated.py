"""Emitted files run where Pullback cannot be imported: another process that sees NumPy and ml_dtypes alone."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
_HALF = np.dtype(ml_dtypes.bfloat16)
_PRELUDE = """
import importlib.util, json, sys
sys.path += json.loads(sys.argv[1])
import numpy as np
assert importlib.util.find_spec("pullback") is None, "Pullback can be imported here"
"""
_STEPS = """
from ml_dtypes import bfloat16
def read(path):
    found = np.load(path)
    return {k.removesuffix("|half"): found[k].view(bfloat16) if k.endswith("|half") else found[k] for k in found}
def write(path, arrays):
    arrays = {k: np.asarray(v) for k, v in arrays.items()}
    np.savez(path, **{f"{k}|half" if v.dtype == bfloat16 else k: v.view(np.uint16) if v.dtype == bfloat16 else v
                      for k, v in arrays.items()})
def leaves(tree):
    if isinstance(tree, (np.ndarray, np.generic)):
        return [tree]
    parts = tree if isinstance(tree, (list, tuple)) else tree.values() if isinstance(tree, dict) else ()
    parts = vars(tree).values() if hasattr(tree, "__dict__") else parts
    return [x for part in parts for x in leaves(part)]
folder, function, arrange = sys.argv[2:5]
space = {"__name__": "emitted"}
exec(compile(open(folder + "/emitted.py").read(), "emitted.py", "exec"), space)
state, batches = read(folder + "/state.npz"), read(folder + "/batches.npz")
numbers = json.load(open(folder + "/numbers.json"))
results = []
for i, keywords in enumerate(numbers):
    arguments = [batches[k][i] for k in sorted(batches)]
    results.append(leaves(space[function](*([state] if state else []), *eval(arrange)(*arguments), **keywords)))
write(folder + "/results.npz", {f"{i:04} {j:02}": x for i, found in enumerate(results) for j, x in enumerate(found)})
write(folder + "/state.npz", state)
assert "pullback" not in sys.modules
"""


def run(code: str, *arguments: str, folder: Path) -> str:
    """Run Python code in another process, without site packages but NumPy's; what it printed."""
    packages = sorted({str(Path(module.__file__ or "").parents[1]) for module in (np, ml_dtypes)})
    kept = {
        k: v for k, v in os.environ.items() if k in ("PATH", "SYSTEMROOT", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    }
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", _PRELUDE + code, json.dumps(packages), *arguments]
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _save(path: Path, arrays: Mapping[str, Array]) -> None:
    halves = {f"{k}|half": v.view(np.uint16) for k, v in arrays.items() if v.dtype == _HALF}
    np.savez(path, **halves, **{k: v for k, v in arrays.items() if v.dtype != _HALF})  # type: ignore[arg-type]


def _load(path: Path) -> dict[str, Array]:
    with np.load(path) as found:
        return {k.removesuffix("|half"): found[k].view(_HALF) if k.endswith("|half") else found[k] for k in found.files}


def run_steps(
    text: str,
    function: str,
    state: Mapping[str, Array],
    batches: Sequence[Array],
    numbers: Sequence[Mapping[str, float]],
    folder: Path,
    arrange: str = "lambda *given: given",
) -> tuple[dict[str, Array], list[Array]]:
    """Call an emitted function once for each entry of `numbers`, its keywords.

    Gives the last state and the leaves of all results.
    `batches` holds an array for each argument, with those of all calls along a leading axis; `arrange` is code that
    makes the arguments from them.
    """
    (folder / "emitted.py").write_text(text, encoding="utf-8")
    (folder / "numbers.json").write_text(json.dumps(list(numbers)))
    _save(folder / "state.npz", state)
    _save(folder / "batches.npz", {f"{i:02}": batch for i, batch in enumerate(batches)})
    run(_STEPS, str(folder), function, arrange, folder=folder)
    return _load(folder / "state.npz"), list(_load(folder / "results.npz").values())
