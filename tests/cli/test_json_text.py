"""What a run writes is JSON by the book, and huge numbers are measured without a warning."""

import json
import math
from pathlib import Path

import pytest

from pullback.train.json_text import json_text
from pullback.train.run_folder import RunFolder
from tests.cli.conftest import Command


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    content = {"a": math.inf, "b": (1.5, {"c": -math.inf, "d": "NaN"}), "e": [math.nan, True, 3]}
    wanted = {"a": None, "b": [1.5, {"c": None, "d": "NaN"}], "e": [None, True, 3]}
    assert json.loads(json_text(content)) == wanted
    RunFolder(tmp_path).write_json("some.json", content)
    assert RunFolder(tmp_path).read_json("some.json") == wanted


def test_huge_numbers_are_measured(pullback: Command, tmp_path: Path) -> None:
    rows = [f"{i % 7},{'6e201' if i % 9 == 5 else i * 1.5}" for i in range(90)]
    (tmp_path / "huge.csv").write_text("\n".join(["a,price", *rows]))
    more = ("--target", "price", "--epochs", "1", "--no-pictures", "--out", tmp_path)
    result = pullback("train", "--data", tmp_path / "huge.csv", *more)
    assert (result.code, result.err) == (0, "")
    [run] = tmp_path.glob("huge-*-1")
    report = RunFolder(run).read_json("test.json")["test"]
    assert report["mean_absolute_error"] <= report["root_mean_squared_error"] < 6e201
    assert report["r2"] != pytest.approx(0, abs=1e-12)
