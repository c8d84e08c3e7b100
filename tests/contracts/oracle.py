"""PyTorch's answers to the rows of the contract tests: asked, recorded, read back, compared.

A family is a file `tests/contracts/rows_<family>.py` with a list `ORACLE_ROWS`. A row is any object with a `name` that
is unique in its family and a function `run(lib)`, which is given a library (Pullback or PyTorch) and returns a tree of
that library's tensors, NumPy arrays, numbers, texts, dtypes and shapes. `scripts/record_oracle.py` runs every row with
PyTorch and writes `tests/fixtures/<family>.npz`; the tests run it with Pullback and compare. A row may carry its own
`tolerance`: a dict from dtype names to (relative, absolute).

An array of the fixture is one dtype's answers in a row; the index says which row, which leaf and where. Beside each
answer stands a digest of the row's definition, so that a row that was changed without being recorded anew fails.
"""

import ast
import dataclasses
import functools
import hashlib
import importlib
import inspect
import io
import json
import types
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FIXTURES = Path(__file__).parents[1] / "fixtures"
Leaf = Any  # a NumPy array with the name of its dtype, as [name, array], or a number, a text, None
Answer = dict[str, Leaf]

# (relative, absolute). The sums of the two libraries run in different orders, and their functions differ in the
# last place or two.
TOLERANCE = {"float64": (1e-11, 1e-12), "float32": (4e-6, 2e-6), "float16": (2e-3, 2e-3), "bfloat16": (1.6e-2, 1.6e-2)}


class Disagreement(AssertionError):
    """An answer that is not PyTorch's, or a fixture that does not belong to the rows."""


def families() -> list[str]:
    """The names of the files of rows that have answers from PyTorch."""
    files = sorted(Path(__file__).parent.glob("rows_*.py"))
    return [f.stem.removeprefix("rows_") for f in files if "ORACLE_ROWS" in f.read_text(encoding="utf-8")]


def rows_of(family: str) -> Sequence[Any]:
    """The rows of a family; their names are unique."""
    rows: Sequence[Any] = importlib.import_module(f"tests.contracts.rows_{family}").ORACLE_ROWS
    names = [row.name for row in rows]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    if twice:
        raise Disagreement(f"rows of {family} share the names {sorted(twice)}")
    return rows


# Asking
def ask(row: Any, lib: Any) -> Answer:
    """What the row gives with this library, as a flat dict from paths to leaves."""
    return dict(_leaves("", row.run(lib)))


def _leaves(path: str, x: Any) -> Iterable[tuple[str, Leaf]]:
    if isinstance(x, dict):
        parts = x.items()
    elif isinstance(x, (list, tuple)) and not (x and all(type(n) is int for n in x)):
        parts = enumerate(x)
    else:
        return [(path, _leaf(x))]
    return [leaf for key, part in parts for leaf in _leaves(f"{path}.{key}" if path else str(key), part)]


def _leaf(x: Any) -> Leaf:
    if hasattr(x, "detach"):
        kind = str(x.dtype).rpartition(".")[2]
        plain = x.detach()
        return [kind, np.asarray((plain.float() if kind == "bfloat16" else plain).numpy())]
    if isinstance(x, (np.ndarray, np.generic)):
        return [str(x.dtype), np.asarray(x)]
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    if isinstance(x, (list, tuple)):
        return f"({', '.join(map(str, x))})"
    if type(x).__name__.lower() == "dtype":
        return str(x).rpartition(".")[2]
    raise TypeError(f"an oracle row gives tensors, arrays, numbers, texts, dtypes and shapes; got {type(x).__name__}")


# Comparing
def compare(ours: Answer, theirs: Answer, tolerance: dict[str, tuple[float, float]] | None = None) -> None:
    """Raises Disagreement at the first leaf where the two answers differ."""
    if ours.keys() != theirs.keys():
        raise Disagreement(f"Pullback gives {sorted(ours)}, PyTorch {sorted(theirs)}")
    for path, leaf in ours.items():
        problem = _difference(leaf, theirs[path], TOLERANCE | (tolerance or {}))
        if problem:
            raise Disagreement(f"{path or 'the result'}: {problem}")


def _difference(ours: Leaf, theirs: Leaf, tolerance: dict[str, tuple[float, float]]) -> str:
    if not (isinstance(ours, list) and isinstance(theirs, list)):
        same = ours == theirs and type(ours) is type(theirs)
        close = isinstance(ours, float) and isinstance(theirs, float) and np.allclose(ours, theirs, 1e-6, 1e-9, True)
        return "" if same or close else f"Pullback gives {ours!r}, PyTorch {theirs!r}"
    (kind, a), (other, b) = ours, theirs
    if kind != other or a.shape != b.shape:
        return f"Pullback gives {kind}{list(a.shape)}, PyTorch {other}{list(b.shape)}"
    rtol, atol = tolerance.get(kind, (0.0, 0.0))
    wrong = ~np.isclose(a, b, rtol, atol, equal_nan=True) if kind in TOLERANCE else a != b
    if not wrong.any():
        return ""
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"at {place} Pullback gives {a[place]!r}, PyTorch {b[place]!r}\n{a!r}\n{b!r}"


# The digest of a definition
def digest(row: Any) -> str:
    """Eight hexadecimal digits that change when what the row is made of changes."""
    return hashlib.sha256(definition(row).encode()).hexdigest()[:8]


def definition(x: Any) -> str:
    """What an object is made of, as text: the same in every process, and on every version of Python."""
    if isinstance(x, types.FunctionType):
        return _function(x)
    if isinstance(x, functools.partial):
        return f"partial({definition(x.func)}, {definition(x.args)}, {definition(x.keywords)})"
    if isinstance(x, type):
        return _sources(x) if _is_ours(x) else f"{x.__module__}.{x.__qualname__}"
    if isinstance(x, np.ndarray):
        return f"array({x.dtype}, {x.shape}, {hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()})"
    if isinstance(x, dict):
        return f"{{{', '.join(f'{definition(k)}: {definition(v)}' for k, v in x.items())}}}"
    if isinstance(x, (list, tuple)):
        return f"[{', '.join(map(definition, x))}]"
    if dataclasses.is_dataclass(x):
        fields = ", ".join(definition(getattr(x, f.name)) for f in dataclasses.fields(x))
        return f"{definition(type(x))}({fields})"
    text = repr(x)
    if " at 0x" in text:
        raise TypeError(f"a row must be made of functions, dataclasses, arrays and plain values; got {text}")
    return text


def _function(function: types.FunctionType) -> str:
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    kept = [c for c in cells if c is not function]
    return f"{_sources(function)}{definition(kept)}{definition(function.__defaults__ or ())}"


@functools.cache
def _sources(thing: Any) -> str:
    """The source of a function or class, and of all that it names in the tests, directly or through others."""
    found: dict[Any, str] = {}
    todo = [thing]
    while todo:
        item = todo.pop()
        if item not in found:
            found[item] = _text(item) + _plain_data(item)
            todo += [x for x in _named_by(item) if isinstance(x, (types.FunctionType, type)) and _is_ours(x)]
    return "".join(sorted(found.values()))


def _is_ours(x: Any) -> bool:
    return x.__module__.startswith("tests.")


def _plain_data(item: Any) -> str:
    """The constants that a function or class names: plain values and functions of the tests, alone or in containers."""
    return "".join(definition(x) for x in _named_by(item) if not callable(x) and _is_plain(x))


def _is_plain(x: Any) -> bool:
    if isinstance(x, dict):
        return all(map(_is_plain, (*x, *x.values())))
    if isinstance(x, (list, tuple)):
        return all(map(_is_plain, x))
    return x is None or isinstance(x, (bool, int, float, str)) or (isinstance(x, types.FunctionType) and _is_ours(x))


def _named_by(item: Any) -> list[Any]:
    """The global objects whose names a function, or a method of a class, uses."""
    methods = (
        [f for f in vars(item).values() if isinstance(f, types.FunctionType)] if isinstance(item, type) else [item]
    )
    written = [f for f in methods if _is_ours(f) and f.__code__.co_filename != "<string>"]  # not what dataclass makes
    return [f.__globals__[name] for f in written for name in sorted(_names(f.__code__)) if name in f.__globals__]


def _names(code: types.CodeType) -> set[str]:
    inner = [_names(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*inner)


def _text(item: Any) -> str:
    """The source of a function, lambda or class, without blanks."""
    file = inspect.getsourcefile(item)
    assert file is not None
    source, nodes = _parsed(file)
    if isinstance(item, type):
        found = [node for node in nodes if isinstance(node, ast.ClassDef) and node.name == item.__name__]
    else:
        found = [node for node in nodes if _first_line(node) == item.__code__.co_firstlineno]
    segments = [ast.get_source_segment(source, node) or "" for node in found]
    assert segments, f"no source for {item} in {file}"
    return "".join("".join(segments).split())


def _first_line(node: ast.AST) -> int:
    """The line of a function or lambda, its decorators included; 0 for anything else."""
    if isinstance(node, ast.Lambda):
        return node.lineno
    return min(d.lineno for d in (*node.decorator_list, node)) if isinstance(node, ast.FunctionDef) else 0


@functools.cache
def _parsed(file: str) -> tuple[str, list[ast.AST]]:
    source = Path(file).read_text(encoding="utf-8")
    return source, list(ast.walk(ast.parse(source)))


# Fixtures
@dataclasses.dataclass
class Fixture:
    """PyTorch's recorded answers to the rows of a family."""

    torch: str
    digests: dict[str, str]
    answers: dict[str, Answer]


def record(family: str, lib: Any, version: str) -> bytes:
    """The fixture of a family as the bytes of its file; the same for the same answers."""
    columns: dict[str, list[np.ndarray[Any, Any]]] = {}
    sizes: dict[str, int] = {}
    index: dict[str, Any] = {}
    for row in rows_of(family):
        answer = ask(row, lib)
        index[row.name] = [digest(row), {path: _stored(leaf, columns, sizes) for path, leaf in answer.items()}]
    text = json.dumps({"torch": version, "rows": index}, separators=(",", ":"), sort_keys=True)
    arrays = {kind: np.concatenate(parts) for kind, parts in sorted(columns.items())}
    return _npz({"index": np.frombuffer(text.encode(), np.uint8), **arrays})


def _stored(leaf: Leaf, columns: dict[str, list[np.ndarray[Any, Any]]], sizes: dict[str, int]) -> Any:
    if not isinstance(leaf, list):
        return leaf
    kind, array = leaf
    start = sizes.get(kind, 0)
    columns.setdefault(kind, []).append(array.reshape(-1))
    sizes[kind] = start + array.size
    return [kind, list(array.shape), start]


def _npz(arrays: dict[str, np.ndarray[Any, Any]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            body = io.BytesIO()
            np.lib.format.write_array(body, array, allow_pickle=False)
            archive.writestr(entry, body.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return file.getvalue()


@functools.cache
def load(family: str) -> Fixture:
    """The recorded answers of a family."""
    path = FIXTURES / f"{family}.npz"
    if not path.exists():
        raise Disagreement(f"{path.name} is missing: record PyTorch's answers to rows_{family}.py with `make fixtures`")
    with np.load(path, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in stored.files}
    index = json.loads(columns["index"].tobytes().decode())
    rows = index["rows"].items()
    answers = {name: {path: _read(leaf, columns) for path, leaf in answer.items()} for name, (_, answer) in rows}
    return Fixture(index["torch"], {name: found for name, (found, _) in rows}, answers)


def _read(leaf: Any, columns: dict[str, np.ndarray[Any, Any]]) -> Leaf:
    if not isinstance(leaf, list):
        return leaf
    kind, shape, start = leaf
    size = int(np.prod(shape, dtype=np.int64))
    return [kind, columns[kind][start : start + size].reshape(shape)]


def recorded(family: str, row: Any) -> Answer:
    """PyTorch's recorded answer to a row; raises Disagreement when the row was changed since."""
    fixture = load(family)
    if fixture.digests.get(row.name) != digest(row):
        change = "changed since" if row.name in fixture.digests else "was added after"
        raise Disagreement(f"the row {row.name!r} {change} PyTorch's answers were recorded; run `make fixtures`")
    return fixture.answers[row.name]


def check(family: str, row: Any, lib: Any) -> None:
    """Raises Disagreement unless the library answers the row as PyTorch did."""
    theirs = recorded(family, row)
    compare(ask(row, lib), theirs, getattr(row, "tolerance", None))


def expect_error(function: Callable[[], Any]) -> str:
    """A text that says whether the function refused, for rows about what neither library does."""
    try:
        function()
    except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError):
        return "refused"
    return "done"
