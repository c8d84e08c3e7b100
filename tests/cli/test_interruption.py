"""Ctrl-C where the training loop does not see it: one clear line, nothing useless left, code 130."""

from pathlib import Path
from typing import Any

import pytest

from pullback.train.run_folder import RunFolder
from tests.cli.conftest import Command

SHORT = ("train", "digits", "--limit", "100", "--epochs", "1", "--hidden", "8")


def press_ctrl_c(*arguments: Any, **more: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("at", ["pullback.train.session.train", "pullback.train.run_folder.RunFolder.begin"])
def test_before_the_first_step(at: str, pullback: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at, press_ctrl_c)
    result = pullback(*SHORT, "--quiet", "--out", tmp_path)
    told = (result.out + result.err).strip()
    assert result.code == 130
    assert "nterrupted" in told
    assert "\n" not in told
    assert list(tmp_path.iterdir()) == []


def test_while_testing(pullback: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("pullback.train.session.outputs_of", press_ctrl_c)
        result = pullback(*SHORT, "--quiet", "--no-pictures", "--out", tmp_path)
    [run] = tmp_path.iterdir()
    assert (result.code, result.err, result.out.count("\n")) == (130, "", 1)
    assert result.out.endswith(f"go on with: pullback train {RunFolder(run)} --resume\n")
    assert pullback("train", run, "--resume", "--quiet", "--no-pictures").code == 0
    assert RunFolder(run).is_over


def test_while_drawing(pullback: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pullback.cli.train.draw_pictures", press_ctrl_c)
    result = pullback(*SHORT, "--quiet", "--out", tmp_path)
    [run] = tmp_path.iterdir()
    assert (result.code, result.err) == (130, "")
    assert result.out == f"Interrupted after the test; the run is complete but for its pictures: {RunFolder(run)}\n"


def test_while_a_table_is_read(pullback: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pullback.cli.train.load_problem", press_ctrl_c)
    result = pullback(*SHORT, "--out", tmp_path)
    assert (result.code, result.err.strip(), result.out) == (130, "pullback: interrupted", "")


def test_one_epoch_is_one_epoch(pullback: Command, tmp_path: Path) -> None:
    assert " 1 epoch in batches of " in pullback(*SHORT, "--no-pictures", "--out", tmp_path).out
