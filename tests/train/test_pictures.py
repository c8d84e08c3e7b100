"""The pictures of a run: they are made, they hold what they should, and the same numbers give the same bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pullback.train import pictures
from pullback.train.metrics import classification_report
from tests.train.short_runs import run_through, short_config


def axes_of(figure: Any) -> list[Any]:
    return list(figure.axes)


def texts_of(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_pictures_of_digits_are_made_and_show_something(tmp_path: Path) -> None:
    outcome = run_through(short_config(), tmp_path)
    made = pictures.draw_pictures(outcome)
    assert [path.name for path in made] == ["curves.png", "confusion.png", "mistakes.png"]
    for path in made:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert min(pixels.shape) > 400
        assert len(np.unique(pixels)) > 20
        assert 0.003 < np.mean(pixels < 128) < 0.5, "neither blank nor black"


def test_same_numbers_same_bytes(tmp_path: Path) -> None:
    report = classification_report([0, 1, 1], [0, 1, 0], ["cat", "dog"])
    first, second = (pictures.keep(pictures.confusion(report), tmp_path / f"{i}.png") for i in range(2))
    assert first.read_bytes() == second.read_bytes()


def test_curves_show_every_epoch() -> None:
    history = [
        {"epoch": i + 1, "train_loss": 1 / (i + 1), "validation_loss": 2 / (i + 1), "validation_accuracy": i / 9}
        for i in range(9)
    ]
    loss, accuracy = axes_of(pictures.curves(history, best_epoch=9))
    drawn = {line.get_label(): line.get_ydata().tolist() for line in loss.lines}
    assert drawn["training"] == [record["train_loss"] for record in history]
    assert drawn["validation"] == [record["validation_loss"] for record in history]
    assert accuracy.lines[0].get_ydata().tolist() == [i / 9 for i in range(9)]
    assert accuracy.get_title() == "Validation accuracy: best 0.8889, epoch 9"


def test_curves_of_one_epoch_and_of_numbers() -> None:
    record = {"epoch": 1, "train_loss": 0.5, "validation_loss": 0.5, "validation_r2": -3.0}
    assert "R²: best -3.0000" in axes_of(pictures.curves([record], best_epoch=1))[1].get_title()


def test_confusion_tells_every_count() -> None:
    report = classification_report([0, 0, 1, 2, 2], [0, 1, 1, 2, 0], ["cat", "dog", "guinea pig"])
    [axes] = axes_of(pictures.confusion(report))
    assert sorted(texts_of(axes)) == ["1"] * 5
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog", "guinea pig"]
    assert axes.get_title() == "Test accuracy 0.6000"


def test_mistakes_are_the_worst_in_order() -> None:
    images = np.random.default_rng(0).random((50, 1, 28, 28), np.float32)
    scores, targets = np.zeros((50, 3)), np.zeros(50, int)
    scores[:, 0] = 1
    scores[[7, 3, 9], [1, 2, 1]] = [9, 5, 7]
    figure = pictures.mistakes(images, scores, targets, ["zero", "one", "two"])
    titles = [axes.get_title() for axes in axes_of(figure) if axes.get_title()]
    assert [title.splitlines()[0] for title in titles] == [
        "a zero read as one",
        "a zero read as one",
        "a zero read as two",
    ]
    shown = [axes.images[0].get_array() for axes in axes_of(figure) if axes.images]
    assert all(np.array_equal(a, images[i, 0]) for a, i in zip(shown, [7, 9, 3], strict=True))
    assert figure.get_suptitle() == "Mistakes on the 50 test rows: all 3"


def test_no_mistakes_and_too_many(tmp_path: Path) -> None:
    images = np.zeros((100, 1, 28, 28), np.float32)
    scores = np.tile([1.0, 0.0], (100, 1))
    none = pictures.mistakes(images, scores, np.zeros(100, int), ["a", "b"])
    assert none.get_suptitle() == "Mistakes on the 100 test rows: all 0"
    many = pictures.mistakes(images, scores, np.ones(100, int), ["a", "b"])
    assert many.get_suptitle() == "Mistakes on the 100 test rows: the 40 worst of 100"


def test_predictions_hold_every_row() -> None:
    truth = np.linspace(0, 5, 40)
    [axes] = axes_of(pictures.predictions(truth + 0.5, truth, "price"))
    assert np.allclose(axes.collections[0].get_offsets(), np.stack([truth, truth + 0.5], axis=1))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("true price", "predicted price")


@pytest.mark.parametrize("classes", [2, 31])
def test_large_confusion_is_not_drawn(classes: int) -> None:
    report = classification_report(np.arange(classes), np.arange(classes), [f"class {i}" for i in range(classes)])
    assert pictures.is_readable(report) == (classes == 2)
