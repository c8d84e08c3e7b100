"""The tour: it runs from top to bottom, prints what it shows, and says nothing that it does not show."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scripts.run_document import FENCED, Block, DocumentError, blocks_of, check_outputs, run_blocks, run_document
from scripts.size import PACKAGE, ROOT

TOUR = ROOT / "docs" / "tour.md"
TEXT = TOUR.read_text(encoding="utf-8")
PROSE = FENCED.sub("", TEXT)
LAST_CHAPTER = TEXT[: TEXT.index("## 15.")].count("\n") + 1

# What the page builds, and where the real one of that name stands.
NAMESAKES = {
    "pullback.ir.types": "Type",
    "pullback.ir.node": "Value Node Op bind OPS",
    "pullback.ir.mode": "Mode mode",
    "pullback.ir.program": "Program Recorder record inline live_nodes program_text",
    "pullback.ops.record": "op",
    "pullback.ops.rules": "same",
    "pullback.ops": "add sub mul div neg exp log tanh sigmoid lt where full reshape broadcast sum_ permute matmul "
    "constant accumulate interpret",
    "pullback.tensor.tensor": "Tensor",
    "pullback.tensor.promotion": "promoted",
    "pullback.grad.reverse": "nodes_behind reverse pullback_program",
    "pullback.grad.backward": "backward",
    "pullback.lens.gradcheck": "gradcheck",
    "pullback.emit.source": "source",
    "pullback.nn.functional": "cross_entropy",
}


class Run:
    """What the tour left behind: its names, and what each block printed."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {}
        with np.printoptions():
            self.printed: list[tuple[Block, str]] = run_blocks(TOUR, blocks_of(TEXT), self.names)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """The tour, run once, in the folder of the repository as its reader is told to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield Run()


def test_what_is_printed_is_what_is_shown(run: Run) -> None:
    check_outputs(TOUR, [pair for pair in run.printed if pair[0].shown is not None])


def test_nothing_is_printed_that_is_not_shown(run: Run) -> None:
    assert [block.line for block, printed in run.printed if printed and block.shown is None] == []
    assert [block.line for block, printed in run.printed if block.shown is not None and not printed] == []


def test_figures_in_the_text_are_printed_by_the_code(run: Run) -> None:
    """Every number with a decimal point in the prose stands in some output."""
    printed = "\n".join(output for _, output in run.printed)
    assert [number for number in re.findall(r"\d+\.\d+", PROSE) if number not in printed] == []


def test_a_changed_output_is_caught(tmp_path: Path) -> None:
    start = TEXT[: TEXT.index("## 5.")]
    planted = tmp_path / "planted.md"
    planted.write_text(start, encoding="utf-8")
    run_document(planted)
    assert start.count("rises by 8.004 per") == 1
    planted.write_text(start.replace("rises by 8.004 per", "rises by 8.005 per"), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"(?s)block at line \d+.*-w \+ 0.001 .* 8.005 .*\+w \+ 0.001 .* 8.004 "):
        run_document(planted)


def test_nothing_but_numpy_is_imported_before_the_last_chapter() -> None:
    code = "\n".join(block.code for block in blocks_of(TEXT) if block.line < LAST_CHAPTER)
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported - sys.stdlib_module_names == {"numpy"}


@pytest.mark.parametrize(("module", "names"), NAMESAKES.items())
def test_names_are_the_engines(run: Run, module: str, names: str) -> None:
    engine = vars(importlib.import_module(module))
    assert [name for name in names.split() if name not in engine] == []
    assert [name for name in names.split() if name not in run.names] == []


def test_files_that_the_tour_names_exist() -> None:
    named = set(re.findall(r"`(?:src/pullback/)?([a-z_]+/[a-z_]+\.py)`", PROSE))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (PACKAGE / path).is_file()] == []


def test_links_within_the_tour_lead_to_its_chapters() -> None:
    headings = re.findall(r"^## (.*)$", PROSE, re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert re.findall(r"\]\(#(.*?)\)", PROSE) == anchors


@pytest.mark.parametrize("name", ["notation.md"])
def test_other_documents_print_what_they_show(name: str) -> None:
    run_document(ROOT / "docs" / name)
