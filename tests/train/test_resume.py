"""A run that was interrupted and resumed is the run that never was, in all bytes."""

import os
from pathlib import Path

import pytest

from pullback.base.errors import DataError
from pullback.train.events import Event, StepDone
from pullback.train.problem import load_problem
from pullback.train.run_folder import RunFolder
from pullback.train.session import begin, carry_through, take_up
from tests.train.short_runs import run_through, run_with_stops, short_config

FILES = ("weights.safetensors", "last.safetensors", "checkpoint.safetensors", "metrics.jsonl", "test.json")
CHOICES = {
    "adamw and one-cycle": {},
    "momentum cycled": {"optimizer": {"name": "sgd", "momentum": 0.9}, "schedule": {"cycle_momentum": True}},
    "two schedules in sequence": {"schedule": {"name": "cosine", "warmup": 0.3}},
    "no schedule": {"optimizer": {"name": "nadam"}, "schedule": {"name": "constant"}},
    "gradient clipped": {"training": {"clip_norm": 0.5}, "optimizer": {"name": "rmsprop", "momentum": 0.5}},
}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("changes", CHOICES.values(), ids=CHOICES)
def test_resumed_run_equals_the_uninterrupted_one(changes: dict, tmp_path: Path) -> None:
    config = short_config(changes=changes)
    straight = run_through(config, tmp_path)
    # In the first step, in the middle, at the last step of an epoch (4 each), and at the very last step of all.
    stopped, interruptions = run_with_stops(config, tmp_path, [1, 2, 1, 3, 4, 1])
    assert (straight.why, stopped.why, interruptions) == ("finished", "finished", 6)
    assert contents(stopped.folder.path) == contents(straight.folder.path)


class Crash(Exception):
    """The power goes."""


@pytest.mark.parametrize("step", [5, 8, 11])
def test_run_that_crashed_goes_on_from_its_last_epoch(step: int, tmp_path: Path) -> None:
    straight = run_through(short_config(), tmp_path)
    left = step

    def crash(event: Event) -> None:
        nonlocal left
        left -= isinstance(event, StepDone)
        if not left:
            raise Crash

    config = short_config()
    run, folder = begin(config, load_problem(config.data, config.seed), tmp_path)
    with pytest.raises(Crash):
        carry_through(run, folder, crash)
    resumed = take_up(folder)
    assert (resumed.progress.epoch, resumed.progress.step) == ((step - 1) // 4, 0)
    carry_through(resumed, folder, lambda event: None)
    assert contents(folder.path) == contents(straight.folder.path)


@pytest.mark.parametrize("write", range(4, 12))
def test_crash_between_two_files_does_no_harm(write: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = run_through(short_config(), tmp_path)
    config = short_config()
    run, folder = begin(config, load_problem(config.data, config.seed), tmp_path)
    left, rename = write, os.replace

    def crash(source: str, target: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Crash
        rename(source, target)

    monkeypatch.setattr("os.replace", crash)
    with pytest.raises(Crash):
        carry_through(run, folder, lambda event: None)
    monkeypatch.undo()
    carry_through(take_up(folder), folder, lambda event: None)
    assert contents(folder.path) == contents(straight.folder.path)


def test_same_settings_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, second = (run_through(short_config(), tmp_path) for _ in range(2))
    other = run_through(short_config(changes={"seed": 1}), tmp_path)
    assert contents(first.folder.path) == contents(second.folder.path)
    assert contents(first.folder.path)["last.safetensors"] != contents(other.folder.path)["last.safetensors"]


def test_early_stopping_survives_an_interruption(tmp_path: Path) -> None:
    changes = {"training": {"epochs": 30, "patience": 2}, "optimizer": {"name": "sgd", "lr": 1e-9}}
    straight = run_through(short_config(changes=changes), tmp_path)
    stopped, _ = run_with_stops(short_config(changes=changes), tmp_path, [6, 5])
    assert straight.why == stopped.why == "stopped early"
    assert contents(stopped.folder.path) == contents(straight.folder.path)
    assert straight.run.progress.epoch < 30


def test_finished_run_is_not_resumed(tmp_path: Path) -> None:
    outcome = run_through(short_config(changes={"training": {"epochs": 1}}), tmp_path)
    with pytest.raises(DataError, match="was trained to its end"):
        take_up(outcome.folder)


def test_changed_data_is_noticed(tmp_path: Path) -> None:
    stopped, _ = run_with_stops(short_config(), tmp_path, [2])
    (stopped.folder.path / "test.json").unlink()
    about = stopped.folder.path / "about.json"
    about.write_text(about.read_text().replace(stopped.run.problem.fingerprint, "0" * 64))
    with pytest.raises(DataError, match="has changed since"):
        take_up(stopped.folder)


def test_nothing_saved_nothing_resumed(tmp_path: Path) -> None:
    outcome = run_through(short_config(changes={"training": {"epochs": 1}}), tmp_path)
    for name in ("test.json", "checkpoint.safetensors"):
        (outcome.folder.path / name).unlink()
    with pytest.raises(DataError, match="stopped before anything was saved"):
        take_up(RunFolder.existing(outcome.folder.path))
