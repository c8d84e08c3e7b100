"""Trained runs that the tests of the commands share, and a way to run a command."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pullback.cli.app import main

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def pullback(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process: `pullback("train", "digits", ...)`."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(each) for each in arguments])
        captured = capsys.readouterr()
        assert not CONTROL.search(captured.out + captured.err), "no control characters where there is no terminal"
        return Result(left.value.code or 0, captured.out, captured.err)

    return run


def write_flats(path: Path, rows: int = 120) -> None:
    """A table with everything that tables have: numbers, categories, gaps, text, a row number."""
    rng = np.random.default_rng(7)
    size, rooms = rng.uniform(30, 140, rows).round(1), rng.integers(1, 6, rows)
    quarter, garden = rng.choice(["north", "south", "centre"], rows), rng.choice(["yes", "no"], rows)
    price = 2 * size + 15 * rooms + 60 * (quarter == "centre") + rng.normal(0, 4, rows)
    sold = np.where(price + rng.normal(0, 5, rows) > np.median(price), "slowly", "quickly")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "size", "rooms", "quarter", "garden", "note", "price", "sold"])
        for i in range(rows):
            known = "" if i % 31 == 3 else size[i]
            words = f"flat, number {i}"
            writer.writerow([i + 1, known, rooms[i], quarter[i], garden[i], words, f"{price[i]:.2f}", sold[i]])


@dataclass(frozen=True)
class Trained:
    """Run folders, and the table that two of them learnt from."""

    digits: Path
    prices: Path
    sales: Path
    flats: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Three short runs: digits, a number and a class from a table."""
    folder = tmp_path_factory.mktemp("trained")
    flats = folder / "flats.csv"
    write_flats(flats)
    short = ("--data", str(flats), "--epochs", "40")
    rows = (*short, "--exclude", "sold", "--target", "price")
    classes = (*short, "--exclude", "price", "--target", "sold")
    digits = ("digits", "--limit", "2000", "--epochs", "3", "--hidden", "64", "--set", "model.input_dropout=0")
    runs = []
    for name, arguments in (("digits", digits), ("prices", rows), ("sales", classes)):
        with pytest.raises(SystemExit) as left:
            main(["train", *arguments, "--name", name, "--out", str(folder), "--quiet", "--no-pictures"])
        assert not left.value.code
        runs += folder.glob(f"{name}-*-1")
    return Trained(*runs, flats)
