"""evaluate, predict, gradcheck, source and info, on trained runs."""

import csv
import functools
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pullback.data.embedded import digits
from pullback.train.run_folder import RunFolder
from pullback.train.threads import SETTINGS
from tests.cli.conftest import Command, Trained


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_evaluate_repeats_the_test(pullback: Command, trained: Trained) -> None:
    for folder in (trained.digits, trained.prices, trained.sales):
        before = RunFolder(folder).read_json("test.json")["test"]
        result = pullback("evaluate", folder, "--json")
        assert result.code == 0
        assert json.loads(result.out) == before


def test_evaluate_prints_tables(pullback: Command, trained: Trained) -> None:
    assert "macro mean" in pullback("evaluate", trained.digits).out
    assert "Confusion" in pullback("evaluate", trained.sales).out
    assert "mean absolute error" in pullback("evaluate", trained.prices).out


def test_evaluate_on_other_rows(pullback: Command, trained: Trained, tmp_path: Path) -> None:
    lines = trained.flats.read_text().splitlines()
    without = ",".join([*lines[9].split(",")[:-2], "", "slowly"])
    (tmp_path / "new.csv").write_text("\n".join([lines[0], *lines[1:9], without]))
    result = pullback("evaluate", trained.prices, "--data", tmp_path / "new.csv")
    assert "8 rows, 1 more without a 'price'" in result.out


def test_predict_and_evaluate_agree(pullback: Command, trained: Trained) -> None:
    found = rows_of(pullback("predict", trained.sales, trained.flats).out)
    right = np.mean([row["sold"] == row["predicted sold"] for row in found])
    report = json.loads(pullback("evaluate", trained.sales, "--data", trained.flats, "--json").out)
    assert report["accuracy"] == pytest.approx(right)
    for row in found:
        chances = {name: float(row[f"P({name})"]) for name in ("quickly", "slowly")}
        assert sum(chances.values()) == pytest.approx(1, abs=2e-4)
        assert row["predicted sold"] == max(chances, key=lambda name: chances[name])


def test_predicted_numbers_are_in_their_own_unit(pullback: Command, trained: Trained) -> None:
    found = rows_of(pullback("predict", trained.prices, trained.flats).out)
    wrong = np.array([float(row["price"]) - float(row["predicted price"]) for row in found])
    report = json.loads(pullback("evaluate", trained.prices, "--data", trained.flats, "--json").out)
    assert report["mean_absolute_error"] == pytest.approx(np.abs(wrong).mean(), rel=1e-5)


def test_predict_keeps_what_was_given(pullback: Command, trained: Trained, tmp_path: Path) -> None:
    given = [line.rsplit(",", 2)[0] for line in trained.flats.read_text().splitlines()[:6]]
    (tmp_path / "new.csv").write_text("\n".join(given))
    out = tmp_path / "said.csv"
    result = pullback("predict", trained.prices, tmp_path / "new.csv", "--out", out)
    assert result.out == f"5 predictions in {out}\n"
    before, after = rows_of("\n".join(given)), rows_of(out.read_text())
    assert [{k: v for k, v in row.items() if k in before[0]} for row in after] == before
    assert list(after[0]) == [*before[0], "predicted price"]


def test_unknown_category_may_be_missing(pullback: Command, trained: Trained, tmp_path: Path) -> None:
    lines = trained.flats.read_text().splitlines()
    quarter = lines[1].split(",")[3]
    (tmp_path / "new.csv").write_text("\n".join([lines[0], lines[1].replace(quarter, "harbour")]))
    assert pullback("predict", trained.prices, tmp_path / "new.csv").code == 2
    assert pullback("predict", trained.prices, tmp_path / "new.csv", "--unknown-as-missing").code == 0


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One test digit in every form in which a digit may come, and all of them with their labels."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    images, labels = digits().test.arrays
    pixels = (images[:, 0] * 255).round().astype(np.uint8)
    image = Image.fromarray(pixels[0])
    image.save(folder / "as_is.png")
    paper = Image.new("L", (500, 360), 240)  # dark ink on grey paper, larger, and off centre
    paper.paste(Image.fromarray(240 - (pixels[0] * 0.9).astype(np.uint8)).resize((200, 200)), (260, 40))
    paper.convert("RGB").save(folder / "photo.jpg")
    np.save(folder / "flat.npy", pixels[0].reshape(784))
    np.save(folder / "floats.npy", images[:1])
    np.savez(folder / "all.npz", images=pixels, labels=labels)
    (folder / "idx-ubyte").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]) + pixels[0].tobytes())
    for i in range(30):
        (folder / "sorted" / str(labels[i])).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[i]).save(folder / "sorted" / str(labels[i]) / f"{i}.png")
    return {path.stem: path for path in folder.iterdir()}


def test_digit_is_read_from_every_kind_of_file(pullback: Command, trained: Trained, pictures: dict[str, Path]) -> None:
    label = str(digits().test.arrays[1][0])
    exact = [pictures[name] for name in ("as_is", "flat", "floats", "idx-ubyte")]
    found = rows_of(pullback("predict", trained.digits, *exact, pictures["photo"]).out)
    assert [row["digit"] for row in found] == [label] * 5
    assert len({tuple(row.values())[1:] for row in found[:4]}) == 1, "the same pixels give the same numbers"
    assert found[0]["file"] == str(pictures["as_is"])


def test_digits_are_evaluated_from_files(pullback: Command, trained: Trained, pictures: dict[str, Path]) -> None:
    own = RunFolder(trained.digits).read_json("test.json")["test"]
    found = json.loads(pullback("evaluate", trained.digits, "--data", pictures["all"], "--json").out)
    assert found["confusion"] == own["confusion"]
    some = json.loads(pullback("evaluate", trained.digits, "--data", pictures["sorted"], "--json").out)
    assert sum(some["support"]) == 30


def test_gradcheck_of_every_op(pullback: Command) -> None:
    result = pullback("gradcheck")
    assert result.code == 0
    assert "ops have a gradient; all are right." in result.out
    assert " wrong" not in result.out


def test_gradcheck_finds_a_wrong_gradient(pullback: Command) -> None:
    from pullback.ir.node import OPS

    before = OPS["sin"].gradient
    object.__setattr__(OPS["sin"], "gradient", OPS["cos"].gradient)
    try:
        result = pullback("gradcheck")
    finally:
        object.__setattr__(OPS["sin"], "gradient", before)
    assert result.code == 1
    assert "sin: first derivative: the gradient at input 0 is wrong" in result.out


def test_gradcheck_of_a_run(pullback: Command, trained: Trained) -> None:
    for folder in (trained.digits, trained.prices, trained.sales):
        result = pullback("gradcheck", folder)
        assert result.code == 0
        assert "fc1.weight" in result.out
        assert "wrong" not in result.out


@pytest.mark.parametrize("run", ["digits", "prices"])
def test_source_is_numpy_that_runs(run: str, pullback: Command, trained: Trained, tmp_path: Path) -> None:
    result = pullback("source", getattr(trained, run))
    assert result.code == 0
    assert "fc1_weight" in result.out
    (tmp_path / "step.py").write_text(result.out)
    done = subprocess.run([sys.executable, "-W", "error", "step.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "pullback" not in result.out.split('"""', 2)[2].lower(), "it needs NumPy alone"
    told = pullback("source", getattr(trained, run), "--out", tmp_path / "same.py")
    assert (tmp_path / "same.py").read_text() == result.out
    assert told.out.endswith("same.py\n")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind a process to a core")
def test_same_bits_on_any_number_of_cores(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    train = [sys.executable, "-m", "pullback", "train", "digits", "--limit", "300", "--epochs", "1", "--hidden", "512"]
    command = [*train, "--set", "training.batch_size=128", "-q", "--no-pictures", "--out", str(tmp_path)]
    all_cores = os.sched_getaffinity(0)
    for cores in (all_cores, {min(all_cores)}):
        bind = functools.partial(os.sched_setaffinity, 0, cores)
        subprocess.run(command, check=True, capture_output=True, env=environment, preexec_fn=bind)
    first, second = (path / "checkpoint.safetensors" for path in sorted(tmp_path.iterdir()))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict", "gradcheck", "source", "info"])
def test_help_teaches_with_examples(verb: str, pullback: Command) -> None:
    result = pullback(verb, "--help")
    assert result.code == 0
    assert verb == "info" or f"pullback {verb}" in result.out.replace("\n", " ")
    assert verb in pullback("--help").out


def test_version(pullback: Command) -> None:
    assert pullback("--version").out.startswith("pullback 0.")


@pytest.mark.parametrize("verb", ["source", "evaluate"])
def test_reader_may_go_away(verb: str, trained: Trained) -> None:
    command = [sys.executable, "-m", "pullback", verb, str(trained.digits)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)  # click has it that a reader who leaves is a failure


def test_full_disk_is_no_error_of_ours(
    pullback: Command, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = pullback("source", trained.digits, "--out", tmp_path / "step.py")
    assert (result.code, result.err) == (2, "pullback: the system says: No space left on device\n")
    assert list(tmp_path.iterdir()) == []
