"""The look of emitted programs, held in files. After a change that is meant: REFRESH_GOLDEN=1 pytest tests/emit."""

import difflib
import os
from pathlib import Path

import pytest

import pullback as pb
from pullback.emit.table import table
from tests.emit.networks import NETWORKS

FOLDER = Path(__file__).parents[1] / "golden"


def assert_golden(file: str, text: str) -> None:
    """The text is what the file holds."""
    path = FOLDER / file
    if os.environ.get("REFRESH_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    held = path.read_text(encoding="utf-8").splitlines()
    changes = "\n".join(difflib.unified_diff(held, text.splitlines(), "golden", "emitted", lineterm=""))
    assert not changes, f"{file} has changed; if that is meant, run again with REFRESH_GOLDEN=1\n{changes}"


@pytest.mark.parametrize("name", list(NETWORKS))
def test_source(name: str) -> None:
    network = NETWORKS[name](2)
    network.call(0)
    network.call(1)
    assert_golden(f"{name}.py.txt", pb.source(network.step))


def test_table() -> None:
    network = NETWORKS["two_layers"](1)
    network.call(0)
    assert_golden("two_layers.table.txt", table(network.step) + "\n")
