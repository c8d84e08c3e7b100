"""The runner of documents: which output belongs to which block, and what it lets pass."""

import ast
import linecache
from pathlib import Path

import pytest

from scripts.run_document import DocumentError, agrees, blocks_of, run_document

DOCUMENT = """# Counting

```python
def sizes():
    return [1, 2, 3]
```

Three of them.

```python
print("sizes:", sizes())
print("took 10.5 ms")
```

{shown}
"""
RIGHT = "```output\nsizes: [1, 2, 3]\ntook 10.5 ms\n```"


def document(folder: Path, shown: str) -> Path:
    path = folder / "document.md"
    path.write_text(DOCUMENT.format(shown=shown), encoding="utf-8")
    return path


def test_output_that_is_right_passes(tmp_path: Path) -> None:
    assert "sizes" in run_document(document(tmp_path, RIGHT))


def test_output_need_not_be_shown(tmp_path: Path) -> None:
    run_document(document(tmp_path, "No output here."))


@pytest.mark.parametrize(
    "shown",
    [
        RIGHT.replace("3]", "4]"),
        RIGHT.replace("\ntook 10.5 ms", ""),
        RIGHT.replace("took", "took  "),
        RIGHT.replace("10.5 ms\n", "10.5 ms\nand more\n"),
        "```output\n```",
    ],
)
def test_output_that_is_wrong_is_caught(tmp_path: Path, shown: str) -> None:
    with pytest.raises(DocumentError, match="the Python block at line 11"):
        run_document(document(tmp_path, shown))


@pytest.mark.parametrize("place", ["before", "twice"])
def test_output_must_have_a_block_of_its_own(tmp_path: Path, place: str) -> None:
    path = document(tmp_path, RIGHT if place == "before" else f"{RIGHT}\n\n{RIGHT}")
    if place == "before":
        path.write_text(RIGHT + "\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(DocumentError, match="without a Python block of its own"):
        run_document(path)


def test_numbers_measured_anew_may_differ_by_the_tolerance() -> None:
    assert agrees("took 10.5 ms, 3 times", "took  9.5 ms,  3 times", 0.1)
    assert not agrees("took 10.5 ms, 3 times", "took 9.3 ms, 3 times", 0.1)
    assert not agrees("took 10.5 ms", "took 10.5 s", 0.1)
    assert not agrees("took 10.5 ms", "took 10.5 ms 2", 0.1)
    assert not agrees("took 10.5 ms", "took 10.4 ms", 0.0)


def test_tolerance_stands_on_the_fence(tmp_path: Path) -> None:
    loose = RIGHT.replace("output", "output within 20%").replace("10.5", "12.0")
    run_document(document(tmp_path, loose))
    with pytest.raises(DocumentError):
        run_document(document(tmp_path, loose.replace("12.0", "14.0")))


def test_outputs_can_be_written(tmp_path: Path) -> None:
    path = document(tmp_path, "```output\nold\n```")
    run_document(path, write=True)
    assert path.read_text(encoding="utf-8") == DOCUMENT.format(shown=RIGHT)
    run_document(path)


def test_functions_of_a_document_have_a_source(tmp_path: Path) -> None:
    path = tmp_path / "document.md"
    code = "import inspect\n\ndef f():\n    return 1\n\nsource = inspect.getsource(f)"
    path.write_text(f"Text\n\n```python\n{code}\n```\n")
    assert run_document(path)["source"] == "def f():\n    return 1\n"
    assert blocks_of(path.read_text())[0].line == 4


def test_source_of_a_document_is_a_module_with_its_line_numbers(tmp_path: Path) -> None:
    path = document(tmp_path, RIGHT)
    run_document(path)
    lines = linecache.getlines(str(path))
    (definition, *_) = ast.parse("".join(lines)).body
    assert path.read_text(encoding="utf-8").splitlines()[definition.lineno - 1] == "def sizes():"
