"""The examples do what they say: each runs, and its figures are asserted."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_line_is_found_within_the_noise() -> None:
    w, b = example("fit_a_line").main()
    assert abs(w - 3) < 0.05
    assert abs(b - 2) < 0.05


def test_the_delta_recursion_equals_the_engine_layer_by_layer() -> None:
    module = example("delta_recursion")
    assert module.compare((784, 30, 10)) < 1e-12
    assert module.compare((5, 7, 6, 4, 3), batch=3) < 1e-12


def test_the_sigmoid_network_learns_the_digits() -> None:
    worst, accuracy = example("delta_recursion").main(epochs=4)
    assert worst < 1e-12
    assert accuracy > 0.9


def test_a_relu_on_the_logits_costs_accuracy() -> None:
    right, wrong = example("digits_mlp").main(epochs=3)
    assert right > 0.92
    assert wrong < right - 0.05


def test_the_full_batch_network_reaches_a_small_loss() -> None:
    before, after = example("full_batch").main()
    assert after < before / 100


def test_fine_tuning_beats_both_the_start_and_training_from_nothing() -> None:
    module = example("fine_tune")
    figures = module.main()
    assert figures["before"]["accuracy"] < 0.4
    assert figures["after"]["accuracy"] > 0.85
    assert figures["after"]["f1"] > 0.85
    assert figures["after"]["recall"] > 0.85
    assert figures["after"]["accuracy"] > figures["scratch"]["accuracy"]


def test_the_gradient_check_shows_the_forgotten_factor() -> None:
    report = example("fine_tune").check_hand_written_gradients()
    found = re.search(r"the backward pass gives (\S+), differences .* give (\S+) ", report)
    assert found, report
    assert float(found[1]) / float(found[2]) == pytest.approx(10, abs=1e-3)  # N/2 for N = 20
    assert "input 0" in report
