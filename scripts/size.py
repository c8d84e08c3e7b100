"""Looks at the size of the house: lines per room, its largest functions and files, and their limits.

Run as ``python scripts/size.py``; it ends with status 1 where a limit is passed. Standard library only.
"""

import ast
import io
import statistics
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pullback"
ROOMS = (
    *("base", "ir", "ops", "tensor", "grad", "passes", "emit", "backends", "nn", "optim", "data", "models"),
    *("files", "lens", "train", "tune", "compress", "cli", "studio"),
)
FRONT_DOOR = ("utils",)  # torch.utils has this name, and scripts that PyTorch's users bring import it
CORE = ("base", "ir", "ops", "tensor", "grad")
BESIDE = ("tests", "scripts", "examples", "bench")

FUNCTION_LIMIT = 80
FILE_LIMIT = 600
CORE_LIMIT = 4_300  # 3,600 without loops, windows, einsum and vmap
MEDIAN_AIM = 8
NINETIETH_AIM = 30

LAYOUT_TOKENS = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Function:
    """One function: its length counts from ``def`` to its last line, docstring and comments included."""

    name: str
    line: int
    length: int


@dataclass(frozen=True)
class SourceFile:
    """One Python file: all its lines, its lines of code, and its functions."""

    path: Path
    lines: int
    code: int
    functions: tuple[Function, ...]


def docstring_lines(tree: ast.AST) -> set[int]:
    """Line numbers that belong to docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines.update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return lines


def code_lines(source: str) -> int:
    """Counts the lines that are neither blank nor only comment nor docstring."""
    occupied: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT_TOKENS:
            occupied.update(range(token.start[0], token.end[0] + 1))
    blank = {number for number, line in enumerate(source.splitlines(), 1) if not line.strip()}
    return len(occupied - blank - docstring_lines(ast.parse(source)))


def functions_of(source: str) -> tuple[Function, ...]:
    """Every function and method of a source text, nested ones too."""
    return tuple(
        Function(node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def measure(path: Path) -> SourceFile:
    """Measures one file."""
    source = path.read_text(encoding="utf-8")
    return SourceFile(path, len(source.splitlines()), code_lines(source), functions_of(source))


def measure_all(folders: Iterable[Path]) -> list[SourceFile]:
    """Measures every Python file under the folders; one that does not exist yet counts as empty."""
    return [measure(path) for folder in folders for path in sorted(folder.rglob("*.py"))]


def room_of(path: Path) -> str:
    """The room a file of the package stands in; ``front door`` for what stands in none."""
    folder = path.relative_to(PACKAGE).parts[:-1]
    return folder[0] if folder and folder[0] not in FRONT_DOOR else "front door"


def core_code(files: Iterable[SourceFile]) -> int:
    """Lines of code of base, ir, ops, tensor and grad together."""
    return sum(file.code for file in files if room_of(file.path) in CORE)


def passed_limits(files: Iterable[SourceFile]) -> Iterator[str]:
    """One line for every file and function over its limit."""
    for file in files:
        if file.lines > FILE_LIMIT:
            yield f"{file.path}: {file.lines} lines; at most {FILE_LIMIT}: split it where its ideas part"
        for function in file.functions:
            if function.length > FUNCTION_LIMIT:
                where = f"{file.path}:{function.line} {function.name}"
                yield f"{where}: {function.length} lines; at most {FUNCTION_LIMIT}: name its parts"


def print_rooms(files: list[SourceFile]) -> None:
    """Prints files, lines of code and function lengths, room by room."""
    print(f"{'room':<12}{'files':>6}{'code':>8}{'functions':>11}{'median':>8}{'longest':>9}")
    present = {room_of(file.path) for file in files}
    for room in ("front door", *ROOMS, *sorted(present - set(ROOMS) - {"front door"})):
        inside = [file for file in files if room_of(file.path) == room]
        lengths = [function.length for file in inside for function in file.functions]
        if inside:
            median, longest = (statistics.median(lengths), max(lengths)) if lengths else (0, 0)
            code = sum(file.code for file in inside)
            print(f"{room:<12}{len(inside):>6}{code:>8,}{len(lengths):>11}{median:>8g}{longest:>9}")


def print_largest(files: list[SourceFile], count: int = 5) -> None:
    """Prints the largest files and functions."""
    print(f"\nlargest files (limit {FILE_LIMIT} lines)")
    for file in sorted(files, key=lambda file: -file.lines)[:count]:
        print(f"{file.lines:>6}  {file.path.relative_to(ROOT)}")
    print(f"\nlargest functions (limit {FUNCTION_LIMIT} lines)")
    placed = [(function, file.path.relative_to(ROOT)) for file in files for function in file.functions]
    for function, path in sorted(placed, key=lambda pair: -pair[0].length)[:count]:
        print(f"{function.length:>6}  {path}:{function.line} {function.name}")


def percentile(lengths: list[int], share: float) -> int:
    """The length that the given share of the functions does not exceed."""
    return sorted(lengths)[min(len(lengths) - 1, int(share * len(lengths)))]


def main() -> int:
    """Prints the report and says by the exit status whether the limits are kept."""
    package = measure_all([PACKAGE])
    beside = measure_all([ROOT / folder for folder in BESIDE])
    print_rooms(package)
    print(f"{'beside it':<12}{len(beside):>6}{sum(file.code for file in beside):>8,}  ({', '.join(BESIDE)})")
    print_largest(package)
    lengths = [function.length for file in package for function in file.functions]
    if lengths:
        print(
            f"\nfunctions: median {statistics.median(lengths):g} lines (aim {MEDIAN_AIM}), "
            f"90th percentile {percentile(lengths, 0.9)} (aim {NINETIETH_AIM})"
        )
    core = core_code(package)
    print(f"core ({' + '.join(CORE)}): {core:,} lines of code of {CORE_LIMIT:,}")
    problems = list(passed_limits(package + beside))
    if core > CORE_LIMIT:
        problems.append(f"core: {core:,} lines of code; at most {CORE_LIMIT:,}")
    for problem in problems:
        print(f"over the limit: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
