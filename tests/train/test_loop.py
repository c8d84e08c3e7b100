"""The training loop against one written by hand, and what it does when all does not go well."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback.data.loader import DataLoader
from pullback.models.mlp import MLP, MLPConfig
from pullback.train.events import EpochDone, Event, RunEnded, RunStarted, StepDone
from pullback.train.interrupt import interruptible
from pullback.train.loop import Diverged
from pullback.train.problem import load_problem
from pullback.train.run import Run
from pullback.train.session import begin, carry_through
from tests.contracts.backends import Backend
from tests.train.short_runs import run_through, short_config

PLAIN = {
    "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
    "training": {"clip_norm": 0.5, "label_smoothing": 0.1},
}


def test_loop_is_the_one_that_everyone_writes(
    tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULLBACK_BACKEND", backend.name)
    config = short_config(changes=PLAIN)
    outcome = run_through(config, tmp_path)

    pb.manual_seed(config.seed)
    problem = load_problem(config.data, config.seed)
    net = MLP(MLPConfig(784, 10, (16,), dropout=0.2, input_dropout=0.1))
    optimizer = pb.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    schedule = pb.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=12, cycle_momentum=False)
    losses = []
    loader = DataLoader(problem.train, 64, shuffle=True, seed=config.seed)
    for _ in range(3):
        for rows, targets in loader:
            loss = pb.nn.functional.cross_entropy(net(rows), targets, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            pb.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
            schedule.step()
            losses.append((loss.item(), len(rows)))
    last = pb.load(outcome.folder.path / "last.safetensors")
    backend.assert_agrees(last, dict(net.state_dict()))
    for epoch, record in enumerate(outcome.run.progress.history):
        part = losses[4 * epoch : 4 * epoch + 4]
        mean = sum(loss * n for loss, n in part) / 200
        assert record["train_loss"] == (mean if backend.is_exact else pytest.approx(mean, rel=1e-5))


def test_validation_leaves_no_trace_and_switches_dropout_off(tmp_path: Path) -> None:
    outcome = run_through(short_config(), tmp_path)
    run, folder = outcome.run, outcome.folder.path
    run.model.load_state_dict(pb.load(folder / "weights.safetensors"))
    rows, labels = (pb.tensor(array) for array in run.problem.validation.arrays)
    before = pb.get_rng_state().tolist()
    scores = run.model.eval()(rows)
    assert pb.get_rng_state().tolist() == before
    best = run.progress.history[run.progress.best_epoch - 1]
    assert (scores.argmax(1) == labels).double().mean().item() == best["validation_accuracy"]
    assert run.loss(scores, labels).item() == pytest.approx(best["validation_loss"], rel=1e-5)


def test_best_weights_are_kept(tmp_path: Path) -> None:
    # A learning rate that grows until it spoils what was learnt.
    changes = {
        "optimizer": {"name": "sgd", "lr": 0.05},
        "schedule": {"name": "exponential", "gamma": 7.0},
        "training": {"epochs": 5},
    }
    outcome = run_through(short_config(changes=changes), tmp_path)
    progress, folder = outcome.run.progress, outcome.folder.path
    accuracies = [record["validation_accuracy"] for record in progress.history]
    assert accuracies[progress.best_epoch - 1] == max(accuracies) > accuracies[-1]
    best, last = pb.load(folder / "weights.safetensors"), pb.load(folder / "last.safetensors")
    assert not np.array_equal(best["fc1.weight"].numpy(), last["fc1.weight"].numpy())
    report = outcome.folder.read_json("test.json")
    assert report["best"]["epoch"] == progress.best_epoch
    outcome.run.model.load_state_dict(best)
    images, labels = outcome.run.problem.test.arrays
    chosen = outcome.run.model.eval()(pb.tensor(images)).argmax(1).numpy()
    assert report["test"]["accuracy"] == np.mean(chosen == labels)


def test_events_tell_the_course(tmp_path: Path) -> None:
    events: list[Event] = []
    outcome = run_through(short_config(), tmp_path, events.append)
    assert events[0] == RunStarted(0, 3, 0, 4, 200)
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [(event.epoch, event.step, event.rows) for event in steps] == [
        (epoch, step, 8 if step == 4 else 64) for epoch in range(3) for step in (1, 2, 3, 4)
    ]
    records = [event.record for event in events if isinstance(event, EpochDone)]
    lines = (outcome.folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == records
    assert events[-1] == RunEnded("finished")


def test_one_trace_for_each_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pullback.backends.compile import Compiled

    made: list[Compiled] = []
    original = Compiled.__init__

    def noting(self: Compiled, *args: object) -> None:
        made.append(self)
        original(self, *args)

    monkeypatch.setattr(Compiled, "__init__", noting)
    run_through(short_config(changes={"schedule": {"cycle_momentum": True}}), tmp_path)
    assert sorted(step.traces for step in made if step.traces) == [1, 1, 2], "test, validation, and two batch sizes"


def test_patience_stops_early(tmp_path: Path) -> None:
    changes = {"training": {"epochs": 50, "patience": 3}, "optimizer": {"name": "sgd", "lr": 1e-9}}
    outcome = run_through(short_config(changes=changes), tmp_path)
    progress = outcome.run.progress
    assert outcome.why == "stopped early"
    assert progress.epoch == progress.best_epoch + 3 < 50
    assert outcome.report is not None


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_divergence_keeps_what_was_saved(clip_norm: float, tmp_path: Path) -> None:
    changes = {
        "optimizer": {"name": "sgd", "lr": 1e-3},
        "schedule": {"name": "step", "every": 1, "gamma": 1e38},
        "training": {"clip_norm": clip_norm},
    }
    config = short_config(changes=changes)
    run, folder = begin(config, load_problem(config.data, config.seed), tmp_path)
    with pytest.raises(
        Diverged, match=r"the loss became (nan|inf) in epoch \d, step \d+, at the learning rate"
    ) as told:
        carry_through(run, folder, lambda event: None)
    assert "the weights after epoch 1 are saved" in str(told.value)
    assert ("limit for the gradient" in str(told.value)) == (clip_norm == 0)
    saved = pb.load(folder.path / "checkpoint.safetensors")
    assert saved["progress"]["epoch"] == 1
    assert all(np.isfinite(x.numpy()).all() for x in saved["model"].values())


def test_divergence_in_the_last_step_of_an_epoch_is_seen(tmp_path: Path) -> None:
    changes = {
        "training": {"batch_size": 200},
        "optimizer": {"name": "sgd", "lr": 1e38},
        "schedule": {"name": "constant"},
    }
    config = short_config(changes=changes)
    run, folder = begin(config, load_problem(config.data, config.seed), tmp_path)
    with pytest.raises(Diverged, match=r"the validation loss became (nan|inf) in epoch 1"):
        carry_through(run, folder, lambda event: None)
    assert not (folder.path / "checkpoint.safetensors").exists()


def test_equally_accurate_epochs_are_told_apart_by_loss() -> None:
    run = Run(short_config(), load_problem(short_config().data, 0))
    better = []
    for loss, accuracy in [(1.0, 0.5), (0.9, 0.5), (0.95, 0.5), (float("nan"), 0.5), (5.0, 0.6), (0.1, 0.55)]:
        run.progress.count(1.0, 1)
        better.append(run.progress.close_epoch({"validation_loss": loss, "validation_accuracy": accuracy}, {}))
    assert better == [True, True, False, False, True, False]


@pytest.fixture
def ctrl_c_raises() -> Iterator[None]:
    """As in a terminal; a program that was started in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_raises")
def test_second_ctrl_c_does_not_wait() -> None:
    with interruptible() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.wished
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):  # outside all is as it was
        signal.raise_signal(signal.SIGINT)


def test_loop_runs_in_another_thread(tmp_path: Path) -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(run_through(short_config(), tmp_path).why))
    thread.start()
    thread.join()
    assert found == ["finished"]


def test_an_epoch_may_take_a_part_of_the_rows(tmp_path: Path) -> None:
    seen: list[StepDone] = []
    config = short_config(changes={"training": {"epoch_rows": 100, "epochs": 2}})
    outcome = run_through(config, tmp_path, lambda event: seen.append(event) if isinstance(event, StepDone) else None)
    assert [event.rows for event in seen] == [64, 36, 64, 36]
    assert len(outcome.run.progress.history) == 2
