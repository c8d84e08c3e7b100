"""What a table's target is called, and what it may hold in rows that are only to be predicted."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def garden(pullback: Command, tmp_path: Path) -> Path:
    """A run that learnt a yes or no from a table."""
    rows = [f"{i % 17},{'YES' if i % 17 > 8 else 'no'}" for i in range(80)]
    (tmp_path / "flats.csv").write_text("\n".join(["size,garden", *rows]))
    more = ("--target", "garden", "--epochs", "1", "--quiet", "--no-pictures", "--out", tmp_path)
    assert pullback("train", "--data", tmp_path / "flats.csv", *more).code == 0
    [run] = tmp_path.glob("flats-*-1")
    return run


def test_classes_are_spelled_as_in_the_column(pullback: Command, garden: Path) -> None:
    found = list(csv.DictReader(io.StringIO(pullback("predict", garden, garden.parent / "flats.csv").out)))
    assert list(found[0]) == ["size", "garden", "predicted garden", "P(no)", "P(YES)"]
    assert {row["predicted garden"] for row in found} <= {"no", "YES"}
    assert json.loads((garden / "test.json").read_text())["test"]["class_names"] == ["no", "YES"]


@pytest.mark.parametrize("cell", ["", "perhaps", "12"])
def test_target_is_copied_and_not_read(cell: str, pullback: Command, garden: Path) -> None:
    path = garden.parent / "new.csv"
    path.write_text(f"size,garden\n3,{cell}\n4,no\n")
    result = pullback("predict", garden, path)
    assert result.code == 0, result
    assert [row["garden"] for row in csv.DictReader(io.StringIO(result.out))] == [cell, "no"]
