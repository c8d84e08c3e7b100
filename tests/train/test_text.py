"""Language models through the loop: text as a problem, the n-grams beside it, and writing on."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DataError
from pullback.data import TextWindows, Vocabulary
from pullback.models.ngram import each_order
from pullback.train.baseline import count_beside
from pullback.train.config import Config
from pullback.train.networks import NETWORKS
from pullback.train.problem import load_problem
from pullback.train.recipes import RECIPES
from pullback.train.run import Run
from pullback.train.run_folder import RunFolder
from pullback.train.validate import tell_text
from pullback.train.write_on import write_on
from tests.cli.conftest import Command, pullback  # noqa: F401  # a fixture
from tests.train.short_runs import nowhere, run_through, run_with_stops

SENTENCE = "the cat sat on the mat, and the dog sat on the log. "
TINY: dict[str, dict[str, Any]] = {
    "austen-gpt": {"layers": 1, "heads": 2, "width": 16},
    "austen-lstm": {"embedding": 8, "hidden": 24, "layers": 1},
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text that repeats itself, so that little training tells it."""
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text(SENTENCE * 80)
    return path


def short_text(recipe: str, book: Path, epochs: int = 2) -> Config:
    changes = {
        "data": {"source": str(book), "context": 16, "validation": 0.1, "test": 0.1},
        "model": TINY[recipe],
        "training": {"epochs": epochs, "batch_size": 16},
        "optimizer": {"lr": 0.02},
    }
    return RECIPES[recipe].changed(changes, nowhere)


def test_text_is_a_problem_of_three_parts(book: Path) -> None:
    problem = load_problem(short_text("austen-gpt", book).data, seed=0)
    assert (problem.task, problem.inputs, problem.outputs) == ("language", 16, len(set(SENTENCE)))
    assert "".join(problem.class_names) == "".join(sorted(set(SENTENCE)))
    assert problem.texts is not None
    vocabulary = Vocabulary("".join(problem.class_names))
    assert "".join(vocabulary.decode(part) for part in problem.texts) == SENTENCE * 80
    assert len(problem.train) == (len(problem.texts[0]) - 1) // 16


@pytest.mark.parametrize("recipe", TINY)
def test_a_language_model_learns_and_is_compared(recipe: str, book: Path, tmp_path: Path) -> None:
    outcome = run_through(short_text(recipe, book, epochs=8), tmp_path)
    report, baseline = outcome.report, outcome.baseline
    assert baseline is not None
    bits = [record["validation_bits"] for record in outcome.run.progress.history]
    assert bits[-1] < bits[0] < math.log2(len(set(SENTENCE)))
    assert report.bits < 1.5  # type: ignore[union-attr]
    kept = json.loads((outcome.folder.path / "test.json").read_text())
    assert kept["test"] == report.to_dict()  # type: ignore[union-attr]
    assert kept["test"]["bits"] == pytest.approx(kept["test"]["loss"] / math.log(2))
    assert baseline.best.test_bits < 1.0
    assert json.loads((outcome.folder.path / "ngrams.json").read_text())["best"]["order"] == baseline.best.order


def test_a_language_model_resumes_bit_for_bit(book: Path, tmp_path: Path) -> None:
    config = short_text("austen-gpt", book)
    whole = run_through(config, tmp_path)
    parts, interruptions = run_with_stops(config, tmp_path, [3, 9])
    assert interruptions == 2
    for name in ("metrics.jsonl", "weights.safetensors", "last.safetensors", "test.json"):
        assert (whole.folder.path / name).read_bytes() == (parts.folder.path / name).read_bytes(), name


def test_bits_are_those_of_the_scores(book: Path) -> None:
    config = short_text("austen-gpt", book)
    run = Run(config, load_problem(config.data, config.seed))
    windows = run.problem.test
    told = tell_text(run.model, windows)
    x, y = (pb.tensor(np.ascontiguousarray(array)) for array in windows.arrays)
    with pb.no_grad():
        scores = run.model.eval()(x).numpy().astype(np.float64)
    logs = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    counted = y.numpy() != -100
    expected = -np.take_along_axis(logs, np.where(counted, y.numpy(), 0)[..., None], -1)[..., 0][counted]
    assert told.characters == counted.sum()
    assert told.loss == pytest.approx(expected.mean(), rel=1e-5)


def test_a_model_without_skill_needs_all_bits() -> None:
    class Even(pb.nn.Module):
        def forward(self, ids: pb.Tensor) -> pb.Tensor:
            return pb.zeros(*ids.shape, 8)

    told = tell_text(Even(), TextWindows(np.arange(5000) % 8, 10, 3, 3))
    assert told.bits == pytest.approx(3.0)


def test_grams_by_hand() -> None:
    # Order 1 in "aab" + "ab": each order's estimates add up to 1 over the characters, whatever came before.
    rng = np.random.default_rng(0)
    train = rng.integers(0, 3, 300)
    for order in range(1, 5):
        total = np.zeros(40)
        context = rng.integers(0, 3, 40)
        for last in range(3):
            text = np.concatenate([context, [last]])
            results = each_order(train, text, text, 3)
            bits = [next(results).test_bits for _ in range(order)][-1]
            shorter = each_order(train, context, context, 3)
            before = [next(shorter).test_bits for _ in range(order)][-1]
            total[last] = 2.0 ** -(bits * 41 - before * 40)
        assert total.sum() == pytest.approx(1.0, abs=1e-9)


def test_counting_keeps_to_its_time_and_knows_when_to_stop(book: Path) -> None:
    problem = load_problem(short_text("austen-gpt", book).data, seed=0)
    assert len(count_beside(problem, 0.0).tried) == 1
    patient = count_beside(problem, 1000.0)
    bits = [found.validation_bits for found in patient.tried]
    assert patient.best.validation_bits == min(bits)
    assert len(bits) - 1 - bits.index(min(bits)) == 2


@pytest.mark.parametrize("recipe", TINY)
def test_writing_on_is_drawn_and_repeats(recipe: str, book: Path) -> None:
    config = short_text(recipe, book)
    run = Run(config, load_problem(config.data, config.seed))
    vocabulary, model = Vocabulary("".join(run.problem.class_names)), run.model.eval()
    first, again, other = (write_on(model, vocabulary, 16, "the cat ", 40, seed=seed) for seed in (1, 1, 2))
    assert len(first) == 40
    assert first == again
    assert first != other
    likeliest = write_on(model, vocabulary, 16, "the cat ", 5, temperature=0.0)
    assert likeliest == write_on(model, vocabulary, 16, "the cat ", 5, top_k=1, seed=7)
    ids = pb.tensor(vocabulary.encode("the cat ")[None])
    found = model(ids)
    scores = found[0] if isinstance(found, tuple) else found
    assert vocabulary.encode(likeliest[0])[0] == scores.detach().numpy()[0, -1].argmax()


def test_long_prompts_are_cut_to_what_the_network_sees(book: Path) -> None:
    config = short_text("austen-gpt", book)
    run = Run(config, load_problem(config.data, config.seed))
    vocabulary = Vocabulary("".join(run.problem.class_names))
    long = SENTENCE * 2
    texts = [write_on(run.model.eval(), vocabulary, 16, prompt, 3, temperature=0.0) for prompt in (long, long[-16:])]
    assert texts[0] == texts[1]
    with pytest.raises(ArgumentError, match="at least one character"):
        write_on(run.model, vocabulary, 16, "", 3)
    with pytest.raises(DataError, match="'Z' is not among"):
        write_on(run.model, vocabulary, 16, "Z", 3)


def test_networks_are_for_their_kind_of_data(book: Path) -> None:
    config = short_text("austen-gpt", book)
    problem = load_problem(config.data, config.seed)
    with pytest.raises(ArgumentError, match="the network mlp is for classification and regression"):
        Run(config.changed({"model": {"name": "mlp"}}, nowhere), problem)
    with pytest.raises(ArgumentError, match=r"model\.name = mlp, convnet"):
        Run(RECIPES["digits"].changed({"model": {"name": "gpt"}}, nowhere), load_problem(RECIPES["digits"].data, 0))


@pytest.mark.parametrize("name", NETWORKS)
def test_settings_name_every_network(name: str) -> None:
    assert Config().changed({"model": {"name": name}}, nowhere).model == NETWORKS[name]


def test_from_the_command_line(book: Path, pullback: Command, tmp_path: Path) -> None:  # noqa: F811
    model = ("--set", "model.layers=1", "--set", "model.width=16", "--set", "model.heads=2")
    short = (*model, "--set", "data.context=16", "--epochs", "2", "--out", tmp_path)
    result = pullback("train", "--data", book, *short)
    assert (result.code, result.err) == (0, "")
    assert "bits per character" in result.out
    assert "the network" in result.out
    assert "-gram, the best" in result.out
    [run] = tmp_path.glob("book-*-1")
    assert {"ngrams.json", "curves.png", "test.json"} <= {path.name for path in run.iterdir()}
    assert RunFolder(run).config().data.validation == 0.05
    written = pullback("generate", run, "--prompt", "the ", "--tokens", 30, "--top-k", 5, "--top-p", 0.9)
    assert (written.code, written.err) == (0, "")
    assert written.out.startswith("the ")
    assert len(written.out) == 35
    test = json.loads((run / "test.json").read_text())["test"]
    assert f"{test['bits']:.4f}" in pullback("evaluate", run).out
    assert json.loads(pullback("evaluate", run, "--json", "--data", book).out)["characters"] > 4000
    assert "pullback generate" in pullback("predict", run, book).err
    again = pullback("train", run / "config.toml", "-q", "--no-pictures", "--out", tmp_path)
    assert again.code == 0
    [second] = tmp_path.glob("book-*-2")
    assert (run / "weights.safetensors").read_bytes() == (second / "weights.safetensors").read_bytes()


WRONG = [
    (("train", "book.txt"), "a text is given as --data book.txt"),
    (("train", "austen-gpt", "--data", "table.csv"), "austen-gpt is a recipe for text: --data FILE.txt"),
    (("train", "--data", "none.txt"), "none.txt does not exist"),
    (("train", "--data", "short.txt"), "too short for windows"),
    (("train", "--data", "latin.txt"), "latin.txt is no text in UTF-8"),
    (("train", "austen-gpt", "--target", "x"), "text has no columns"),
    (("train", "austen-gpt", "--set", "model.nam=1"), "there is no setting 'nam'"),
    (("train", "austen-gpt", "--set", "model.name=gtp"), "there is no network 'gtp'. Did you mean 'gpt'?"),
]


@pytest.mark.parametrize(("line", "words"), WRONG)
def test_what_cannot_be_is_told(
    line: tuple[str, ...],
    words: str,
    pullback: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short.txt").write_text("abc")
    Path("latin.txt").write_bytes("Käse".encode("latin-1") * 100)
    result = pullback(*line)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert words in result.err
    assert not Path("runs").exists()
