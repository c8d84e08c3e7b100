"""Runs the Python in a Markdown document from top to bottom, in one namespace, as its reader would.

``python scripts/run_document.py docs/tour.md`` runs every block fenced as ``python``; blocks fenced otherwise
(``text``, ``sh``, ``python no-run``) are for reading. Errors name the document's own lines.
"""

import linecache
import re
import sys
from pathlib import Path

FENCED = re.compile(r"^```python[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


def python_of(text: str) -> str:
    """The document with all but its Python blocks blanked, so that line numbers stay the document's."""
    kept = [""] * len(text.splitlines())
    for block in FENCED.finditer(text):
        first = text.count("\n", 0, block.start(1))
        lines = block.group(1).splitlines()
        kept[first : first + len(lines)] = lines
    return "\n".join(kept) + "\n"


def run_document(path: Path) -> dict[str, object]:
    """Runs a document and returns the namespace it leaves behind; a document without Python is an error."""
    text = path.read_text(encoding="utf-8")
    source = python_of(text)
    if not source.strip():
        raise ValueError(f"{path} has no block fenced as python, so there is nothing to run")
    # Registered so that tracebacks, and whoever reads a function's source, find the document's lines.
    linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    namespace: dict[str, object] = {"__name__": "__main__", "__file__": str(path)}
    exec(compile(source, str(path), "exec"), namespace)
    return namespace


if __name__ == "__main__":
    for name in sys.argv[1:]:
        run_document(Path(name))
        print(f"{name}: ran from top to bottom")
