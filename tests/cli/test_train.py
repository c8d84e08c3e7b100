"""`pullback train` from end to end."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from pullback.files.weights import load
from pullback.train.recipes import RECIPES
from pullback.train.run_folder import RunFolder
from pullback.train.session import take_up
from pullback.train.studies import STUDIES
from tests.cli.conftest import Command, Trained, write_flats

SHORT = ("--limit", "400", "--epochs", "2", "--hidden", "16")


def only_run(folder: Path) -> Path:
    [found] = folder.glob("*-1")
    return found


def test_digits_from_end_to_end(pullback: Command, tmp_path: Path) -> None:
    result = pullback("train", "digits", *SHORT, "--out", tmp_path)
    assert (result.code, result.err) == (0, "")
    run = only_run(tmp_path)
    names = {path.name for path in run.iterdir()}
    texts = {"config.toml", "about.json", "metrics.jsonl", "test.json", "time.json"}
    weights = {"weights.safetensors", "last.safetensors", "checkpoint.safetensors"}
    assert names == texts | weights | {"curves.png", "confusion.png", "mistakes.png"}
    report = json.loads((run / "test.json").read_text())
    assert f"Test accuracy {report['test']['accuracy']:.4f}" in result.out
    assert sum(map(sum, report["test"]["confusion"])) == 1000
    assert re.search(r"^Run folder.*digits-", result.out, re.MULTILINE)
    assert "precision" in result.out
    assert "macro mean" in result.out


def test_without_a_terminal_there_is_a_line_for_each_epoch(pullback: Command, tmp_path: Path) -> None:
    result = pullback("train", "digits", *SHORT, "--no-pictures", "--out", tmp_path)
    lines = [line for line in result.out.splitlines() if re.match(r"\s+\d+/2\s", line)]
    records = [json.loads(line) for line in (only_run(tmp_path) / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == len(records) == 2
    for line, record in zip(lines, records, strict=True):
        assert f"{record['train_loss']:.4f}" in line
        assert f"{100 * record['validation_accuracy']:.2f} %" in line


def test_long_runs_do_not_flood(pullback: Command, tmp_path: Path) -> None:
    few = ("--limit", "20", "--epochs", "90", "--hidden", "0", "--no-pictures")
    result = pullback("train", "digits-plain", *few, "--out", tmp_path)
    lines = [line for line in result.out.splitlines() if re.match(r"\s+\d+/90\s", line)]
    assert len(lines) == 30
    assert lines[-1].strip().startswith("90/90")


def test_quiet_is_one_line(pullback: Command, tmp_path: Path) -> None:
    result = pullback("train", "digits", *SHORT, "--quiet", "--no-pictures", "--out", tmp_path)
    assert result.out.count("\n") == 1
    assert str(only_run(tmp_path).name) in result.out


def test_run_folders_do_not_meet(pullback: Command, tmp_path: Path) -> None:
    for _ in range(2):
        pullback("train", "digits", *SHORT, "-q", "--no-pictures", "--out", tmp_path, "--name", "my run/1")
    assert sorted(path.name[-2:] for path in tmp_path.iterdir()) == ["-1", "-2"]
    assert all(path.name.startswith("my-run-1-") for path in tmp_path.iterdir())


def test_config_of_a_run_trains_the_same_again(pullback: Command, tmp_path: Path) -> None:
    more = ("--optimizer", "sgd", "--set", "optimizer.momentum=0.5", "--set", "schedule.pct_start=0.2")
    pullback("train", "digits", *SHORT, *more, "-q", "--no-pictures", "--out", tmp_path)
    first = only_run(tmp_path)
    given = tomllib.loads((first / "config.toml").read_text())
    assert given["optimizer"] == {"name": "sgd", "lr": 0.1, "momentum": 0.5}
    assert given["schedule"] == {"name": "one-cycle", "pct_start": 0.2}
    pullback("train", first / "config.toml", "-q", "--no-pictures", "--out", tmp_path)
    [second] = tmp_path.glob("*-2")
    for name in ("config.toml", "metrics.jsonl", "weights.safetensors", "checkpoint.safetensors", "test.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_settings_file_and_options_together(pullback: Command, tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text('name = "small"\n[model]\nhidden = [8]\n[training]\nepochs = 3\n[data]\nlimit = 100\n')
    pullback("train", path, "--epochs", "1", "-q", "--no-pictures", "--out", tmp_path)
    config = RunFolder(only_run(tmp_path)).config()
    assert (config.name, config.model.hidden, config.training.epochs, config.data.limit) == ("small", (8,), 1, 100)


def test_table_from_a_settings_file(pullback: Command, trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "flats.toml"
    data = f'[data]\nsource = "{trained.flats}"\ntarget = "price"\nexclude = ["sold"]\ntest = 0.25\n'
    path.write_text(f"{data}[training]\nepochs = 2\n")
    result = pullback("train", path, "--no-pictures", "--out", tmp_path)
    assert result.code == 0, result
    assert "84 to train on" not in result.out
    assert "72 to train on, 18 to validate, 30 to test" in result.out
    assert RunFolder(only_run(tmp_path)).about().task == "regression"


def test_paths_hold_from_every_folder(pullback: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    write_flats(tmp_path / "data" / "flats.csv")
    table = '[data]\nsource = "flats.csv"\ntarget = "price"\n[training]\nepochs = 1\n'
    (tmp_path / "data" / "flats.toml").write_text(table)
    monkeypatch.chdir(tmp_path)
    by_file = pullback("train", "data/flats.toml", "-q", "--no-pictures")
    by_option = pullback(
        "train", "--data", "data/flats.csv", "--target", "price", "--epochs", "1", "-q", "--no-pictures"
    )
    assert (by_file.err, by_option.err) == ("", "")
    monkeypatch.chdir(tmp_path / "data")
    for n in (1, 2):
        [run] = (tmp_path / "runs").glob(f"*-{n}")
        assert pullback("evaluate", run).code == 0


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_settings_of_another_recipe_are_not_mixed_in(optimizer: str, pullback: Command, tmp_path: Path) -> None:
    pullback("train", "digits-plain", *SHORT, "--optimizer", optimizer, "-q", "--no-pictures", "--out", tmp_path)
    first = only_run(tmp_path)
    pullback("train", first / "config.toml", "-q", "--no-pictures", "--out", tmp_path)
    [second] = tmp_path.glob("*-2")
    assert (first / "config.toml").read_bytes() == (second / "config.toml").read_bytes()


def test_table_run_says_what_it_does_not_use(pullback: Command, tmp_path: Path) -> None:
    write_flats(tmp_path / "flats.csv")
    rows = (tmp_path / "flats.csv").read_text().splitlines()
    rows[1] = ",".join([*rows[1].split(",")[:-2], "", "slowly"])
    (tmp_path / "flats.csv").write_text("\n".join(rows))
    more = ("--target", "price", "--exclude", "sold", "--epochs", "2", "--no-pictures")
    result = pullback("train", "--data", tmp_path / "flats.csv", *more, "--out", tmp_path)
    assert "column 'id' is not used: counts the rows" in result.out
    assert "column 'note' is not used: text" in result.out
    assert "column 'sold' is not used: excluded" in result.out
    assert "1 of 120 rows are left out: they have no 'price'" in result.out


def test_tables_are_learnt(trained: Trained) -> None:
    prices = RunFolder(trained.prices).read_json("test.json")["test"]
    sales = RunFolder(trained.sales).read_json("test.json")["test"]
    assert prices["r2"] > 0.8
    assert sales["accuracy"] > 0.7
    assert sales["class_names"] == ["quickly", "slowly"]


def test_nan_stops_with_a_clear_line(pullback: Command, tmp_path: Path) -> None:
    wild = ("--optimizer", "sgd", "--lr", "1e30", "--schedule", "constant")
    result = pullback("train", "digits", *SHORT, *wild, "--out", tmp_path)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert re.search(r"the loss became (nan|inf) in epoch 1, step \d+, at the learning rate 1e\+30", result.err)
    assert "Try a smaller learning rate" in result.err


def test_without_matplotlib_all_else_works(pullback: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pullback.train.pictures.find_spec", lambda name: None)
    result = pullback("train", "digits", *SHORT, "--out", tmp_path)
    assert result.code == 0
    assert result.out.count("pip install 'pullback[plots]'") == 1
    assert not list(only_run(tmp_path).glob("*.png"))
    assert (only_run(tmp_path) / "test.json").exists()


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pullback", "train", "digits", "--no-pictures", "--out", str(folder), *arguments]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_resume_goes_on(number: int, tmp_path: Path, pullback: Command) -> None:
    short = command(tmp_path, "--limit", "100", "--epochs", "40", "--hidden", "8")
    process = subprocess.Popen(short, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(r"\s+2/40\s", line):
            process.send_signal(number)
            break
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    run = only_run(tmp_path)
    assert "Interrupted in epoch" in out
    assert f"pullback train {run} --resume" in out
    before = load(run / "checkpoint.safetensors")["progress"]
    assert before["epoch"] >= 2
    assert len((run / "metrics.jsonl").read_text().splitlines()) == before["epoch"]
    assert np.isfinite(load(run / "weights.safetensors")["fc1.weight"].numpy()).all()
    assert take_up(RunFolder(run)).progress.epoch == before["epoch"]
    result = pullback("train", "digits", "--resume", "--out", tmp_path, "--no-pictures")
    assert result.code == 0, result
    assert (run / "test.json").exists()
    assert len((run / "metrics.jsonl").read_text().splitlines()) > before["epoch"]


def test_terminal_shows_a_bar(tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(command(tmp_path, *SHORT), **streams, env=environment) as process:
        shown = read_until_end(ours, process)
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0, shown
    assert "\x1b[" in shown
    assert re.search(r"epoch 2/2.*loss \d\.\d+.*val \d+\.\d+ %.*samples/s", shown)
    assert "left" in shown
    assert "Test accuracy" in shown


def read_until_end(terminal: int, process: subprocess.Popen[bytes]) -> str:
    """All that a process writes to a terminal."""
    shown, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.1)
        if ready:
            shown += os.read(terminal, 65536)
        elif process.poll() is not None:
            break
    return shown.decode()


def test_recipes_are_listed(pullback: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = pullback("train", "--list")
    assert (result.code, result.err) == (0, "")
    for name in (*RECIPES, *STUDIES):
        assert re.search(rf"^ {name} ", result.out, re.MULTILINE)
    assert not list(tmp_path.iterdir())
