"""Runs the Python in a Markdown document from top to bottom, in one namespace, as its reader would.

``python scripts/run_document.py docs/tour.md`` runs every block fenced as ``python``; blocks fenced otherwise
(``text``, ``sh``, ``python no-run``) are for reading. A block fenced as ``output`` shows what the Python block above
it prints, and the run fails where that is not what was printed. ``output within 20%`` lets the numbers in it differ by
so much, for what is measured anew each time. ``--write`` puts what was printed into the document instead.
Errors name the document's own lines.
"""

import argparse
import contextlib
import difflib
import io
import linecache
import re
from dataclasses import dataclass
from pathlib import Path

FENCED = re.compile(r"^```(?P<label>[^`\n]*)\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
OUTPUT = re.compile(r"output(?: within (\d+)%)?")
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


class DocumentError(Exception):
    """A document that shows what its code does not print."""


@dataclass
class Block:
    """One Python block of a document, and the output shown under it (None where none is shown)."""

    line: int
    code: str
    shown: str | None = None
    shown_at: tuple[int, int] = (0, 0)
    tolerance: float = 0.0


def blocks_of(text: str) -> list[Block]:
    """The Python blocks in order, each with the output that the document shows for it."""
    blocks: list[Block] = []
    for fence in FENCED.finditer(text):
        label, line = fence["label"].strip(), text.count("\n", 0, fence.start("body")) + 1
        output = OUTPUT.fullmatch(label)
        if label == "python":
            blocks.append(Block(line, fence["body"]))
        elif output:
            if not blocks or blocks[-1].shown is not None:
                raise DocumentError(f"line {line}: output without a Python block of its own above it")
            blocks[-1].shown, blocks[-1].shown_at = fence["body"], fence.span("body")
            blocks[-1].tolerance = int(output[1] or 0) / 100
    return blocks


def python_of(blocks: list[Block]) -> str:
    """The blocks as one module in which every line has the number that it has in the document."""
    lines: list[str] = []
    for block in blocks:
        lines += [""] * (block.line - 1 - len(lines)) + block.code.splitlines()
    return "\n".join(lines) + "\n"


def agrees(shown: str, printed: str, tolerance: float) -> bool:
    """Whether the output shown is the output printed, up to the tolerance on its numbers."""
    if not tolerance:
        return shown == printed
    if re.sub(r"\s+", " ", NUMBER.sub("#", shown)) != re.sub(r"\s+", " ", NUMBER.sub("#", printed)):
        return False
    pairs = zip(map(float, NUMBER.findall(shown)), map(float, NUMBER.findall(printed)), strict=True)
    return all(abs(old - new) <= tolerance * abs(old) for old, new in pairs)


def difference(path: Path, block: Block, printed: str) -> str:
    """What the document shows beside what was printed."""
    lines = difflib.unified_diff(
        (block.shown or "").splitlines(), printed.splitlines(), "the document shows", "its code prints", lineterm=""
    )
    return f"{path}, the Python block at line {block.line}:\n" + "\n".join(lines)


def run_block(block: Block, path: Path, namespace: dict[str, object]) -> str:
    """Runs one block, at its own line of the document; what it prints."""
    printed = io.StringIO()
    code = compile("\n" * (block.line - 1) + block.code, str(path), "exec")
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines()) + "\n" * bool(printed.getvalue())


def run_blocks(path: Path, blocks: list[Block], namespace: dict[str, object]) -> list[tuple[Block, str]]:
    """Runs blocks of a document in order, in one namespace; each with what it prints."""
    # Registered so that tracebacks, and whoever reads a function's source, find the document's lines: as a module.
    source = python_of(blocks)
    linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    namespace |= {"__name__": "__main__", "__file__": str(path)}
    return [(block, run_block(block, path, namespace)) for block in blocks]


def run_document(path: Path, write: bool = False) -> dict[str, object]:
    """Runs a document and returns the namespace it leaves behind.

    Raises ValueError where there is no Python in it, DocumentError where the output shown is another than the output
    printed. With `write` the document is written anew with what was printed.
    """
    text = path.read_text(encoding="utf-8")
    blocks = blocks_of(text)
    if not blocks:
        raise ValueError(f"{path} has no block fenced as python, so there is nothing to run")
    namespace: dict[str, object] = {}
    shown = [pair for pair in run_blocks(path, blocks, namespace) if pair[0].shown is not None]
    if write:
        path.write_text(with_outputs(text, shown), encoding="utf-8")
    else:
        check_outputs(path, shown)
    return namespace


def check_outputs(path: Path, shown: list[tuple[Block, str]]) -> None:
    """Raises DocumentError where the output shown is another than the output printed."""
    wrong = [pair for pair in shown if not agrees(pair[0].shown or "", pair[1], pair[0].tolerance)]
    if wrong:
        raise DocumentError("\n\n".join(difference(path, *pair) for pair in wrong))


def with_outputs(text: str, shown: list[tuple[Block, str]]) -> str:
    """The document with each output shown replaced by the output printed."""
    for block, output in reversed(shown):
        first, last = block.shown_at
        text = text[:first] + output + text[last:]
    return text


def main() -> None:
    """Runs the documents named on the command line."""
    parser = argparse.ArgumentParser(description="Run the Python in Markdown documents and check the output they show.")
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put what was printed into the documents")
    chosen = parser.parse_args()
    for path in chosen.documents:
        run_document(path, chosen.write)
        blocks = blocks_of(path.read_text(encoding="utf-8"))
        checked = sum(block.shown is not None for block in blocks)
        done = "written" if chosen.write else "as shown"
        print(f"{path}: ran {len(blocks)} blocks from top to bottom; {checked} outputs {done}")


if __name__ == "__main__":
    main()
