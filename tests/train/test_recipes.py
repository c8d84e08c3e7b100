"""What the recipes reach on the test digits."""

from pathlib import Path
from statistics import mean

import pytest

from pullback.train.metrics import ClassificationReport
from pullback.train.recipes import RECIPES
from tests.train.short_runs import nowhere, run_through


def reached(recipe: str, seed: int, folder: Path, **training: int) -> float:
    config = RECIPES[recipe].changed({"seed": seed, "training": training}, nowhere)
    report = run_through(config, folder).report
    assert isinstance(report, ClassificationReport)
    return report.accuracy


def test_a_few_epochs_go_a_long_way(tmp_path: Path) -> None:
    assert reached("digits-plain", 0, tmp_path, epochs=3) > 0.92


@pytest.mark.slow
def test_plain_network_reaches_what_is_promised(tmp_path: Path) -> None:
    assert mean(reached("digits-plain", seed, tmp_path) for seed in range(5)) == pytest.approx(0.953, abs=0.004)


@pytest.mark.slow
def test_good_network_reaches_what_is_promised(tmp_path: Path) -> None:
    assert mean(reached("digits", seed, tmp_path) for seed in range(5)) >= 0.965
