"""The studies: every run is measured the same way, and the gradient of deep sigmoid layers is not there."""

import json
import math
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pullback.data.loader import DataLoader
from pullback.train import pictures
from pullback.train.config import Config
from pullback.train.events import Event, StepDone
from pullback.train.gradients import gradient_norms
from pullback.train.problem import load_problem
from pullback.train.run import Run
from pullback.train.studies import STUDIES
from pullback.train.study import GRADIENTS, Measured, Study, StudyFolder, Variant, carry_study
from tests.cli.conftest import Command, pullback  # noqa: F401  # a fixture
from tests.train.short_runs import interrupt_after, nowhere, short_config

SMALL: dict[str, Any] = {"data": {"limit": 100}, "training": {"epochs": 1, "batch_size": 50}}
DEEP = STUDIES["deep-cures"]


def two_runs() -> Study:
    base = DEEP.base.changed({**SMALL, "model": {"hidden": [8] * 3}}, nowhere)
    wild = {"optimizer": {"lr": 1e30}, "model": {"activation": "relu"}}
    return Study("which?", base, {"calm": Variant("calm", {}), "wild": Variant("wild", wild)})


def carried(study: Study, folder: StudyFolder, tell: Any = lambda event: None) -> list[Measured] | None:
    return carry_study(study, folder, nowhere, tell, lambda found: None)


def test_norms_leave_the_run_as_it_is() -> None:
    config = short_config(changes={"model": {"norm": "batch"}})
    first, second = (Run(config, load_problem(config.data, config.seed)) for _ in range(2))
    norms = gradient_norms(first)
    assert list(norms) == ["fc1.weight", "fc2.weight"]
    assert min(norms.values()) > 0
    assert gradient_norms(first) == norms
    for name, value in second.model.state_dict().items():
        assert np.array_equal(first.model.state_dict()[name].numpy(), value.numpy()), name


def test_norms_are_those_of_the_gradient() -> None:
    config = Config().changed({"data": {"limit": 300}, "model": {"hidden": [5]}}, nowhere)
    run = Run(config, load_problem(config.data, config.seed))
    norms = gradient_norms(run, rows=300)
    rows, targets = next(iter(DataLoader(run.problem.train, 300)))
    run.loss(run.model(rows), targets).backward()
    for name, parameter in run.model.named_parameters():
        if name in norms:
            assert parameter.grad is not None
            assert norms[name] == pytest.approx(float(np.linalg.norm(parameter.grad.numpy())), rel=1e-5)


def test_deep_sigmoid_layers_have_no_gradient_and_cures_bring_it_back() -> None:
    problem = load_problem(DEEP.base.data, 0)
    norms = {}
    for name, variant in DEEP.variants.items():
        config = DEEP.base.changed(variant.changes, nowhere)
        norms[name] = list(gradient_norms(Run(config, problem), rows=32).values())
        assert len(norms[name]) == 51
    for sick in ("sigmoid", "clip"):
        assert norms[sick][0] < 1e-37
        assert norms[sick][-1] > 1e-2
    for cured in ("relu", "residual", "norm", "relu-clip", "all"):
        assert min(norms[cured]) > 1e-2


def test_runs_that_diverge_are_results(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path, "two", {})
    results = carried(two_runs(), folder)
    assert results is not None
    assert [found.ended for found in results] == ["finished", "diverged"]
    assert math.isnan(results[1].validation_accuracy)
    again = carried(two_runs(), folder)
    assert repr(again) == repr(results), "what is over is read, not trained again"
    kept = json.loads((folder.path / GRADIENTS).read_text())["runs"]
    assert [run["name"] for run in kept] == ["calm", "wild"]
    pictures.gradients_by_layer(results, "which?")


def test_a_study_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    study = two_runs()
    study = replace(study, variants={"one": Variant("one", {}), "two": Variant("two", {"seed": 1})})
    whole, parts = (StudyFolder.create(tmp_path, "two", {}) for _ in range(2))
    expected = carried(study, whole)
    assert carried(study, parts, interrupt_after(3)) is None
    assert StudyFolder.last_open(tmp_path, "two").path == parts.path  # type: ignore[union-attr]
    told: list[Event] = []
    assert carried(study, parts, told.append) == expected
    assert sum(isinstance(event, StepDone) for event in told) == 1
    assert StudyFolder.last_open(tmp_path, "two") is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_picture_shows_every_run() -> None:
    names = [f"run {i}" for i in range(3)]
    runs = [
        Measured(name, name, "finished", 1.0, 1.0, i / 4, ("a", "b"), (10.0**-i, 1.0), (1.0, 1.0))
        for i, name in enumerate(names)
    ]
    whole, start, end, right = pictures.gradients_by_layer(runs, "which?").axes
    for axes, when in ((whole, "start"), (start, "start"), (end, "end")):
        drawn = [tuple(line.get_ydata()) for line in axes.lines]
        assert drawn == [getattr(run, when) for run in runs]
    told = [text.get_text() for text in right.texts]
    assert {*names, "25.0 %", "50.0 %"} <= set(told)


def test_from_the_command_line(pullback: Command, tmp_path: Path) -> None:  # noqa: F811
    small = ("--limit", "64", "--epochs", "1", "--hidden", "8,8,8")
    result = pullback("train", "deep-cures", *small, "--out", tmp_path)
    assert (result.code, result.err) == (0, "")
    [folder] = tmp_path.glob("deep-cures-*-1")
    assert {path.name for path in folder.iterdir()} == {*DEEP.variants, "study.json", "gradients.json", "gradients.png"}
    for variant in DEEP.variants.values():
        assert result.out.count(variant.title) >= 2
    assert "∇1" in result.out
    over = pullback("train", "deep-cures", "--resume", "--out", tmp_path)
    assert (over.code, over.err.count("\n")) == (2, 1)
    assert pullback("train", folder).err.startswith(f"pullback: {folder} is the folder of a study")
    quiet = pullback("train", folder, "--resume", "-q")
    assert quiet.out.count("\n") == 1
    assert pullback("train", "deep-cures", "--set", "model.hiden=3", "--out", tmp_path).code == 2
    assert len(list(tmp_path.iterdir())) == 1, "what cannot be leaves no folder"
