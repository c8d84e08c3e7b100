"""What the recipes reach on the test digits."""

from pathlib import Path
from statistics import mean

import pytest

from pullback.train.metrics import ClassificationReport
from pullback.train.recipes import RECIPES, WORDS
from tests.train.short_runs import nowhere, run_through


def reached(recipe: str, seed: int, folder: Path, **training: int) -> float:
    config = RECIPES[recipe].changed({"seed": seed, "training": training}, nowhere)
    report = run_through(config, folder).report
    assert isinstance(report, ClassificationReport)
    return report.accuracy


def test_a_few_epochs_go_a_long_way(tmp_path: Path) -> None:
    assert reached("digits-plain", 0, tmp_path, epochs=3) > 0.92


def test_every_recipe_is_told() -> None:
    assert list(WORDS) == list(RECIPES)


def test_a_convolutional_network_learns_in_a_few_steps(tmp_path: Path) -> None:
    small = {"data": {"limit": 1000}, "model": {"maps": [8, 16], "hidden": 32}, "training": {"epochs": 3}}
    config = RECIPES["digits-cnn"].changed(small, nowhere)
    report = run_through(config, tmp_path).report
    assert isinstance(report, ClassificationReport)
    assert report.accuracy > 0.8


@pytest.mark.slow
def test_convolutional_network_reaches_what_is_promised(tmp_path: Path) -> None:
    assert mean(reached("digits-cnn", seed, tmp_path) for seed in range(3)) >= 0.984


@pytest.mark.slow
def test_plain_network_reaches_what_is_promised(tmp_path: Path) -> None:
    assert mean(reached("digits-plain", seed, tmp_path) for seed in range(5)) == pytest.approx(0.953, abs=0.004)


@pytest.mark.slow
def test_good_network_reaches_what_is_promised(tmp_path: Path) -> None:
    assert mean(reached("digits", seed, tmp_path) for seed in range(5)) >= 0.965
