"""Scripts written for PyTorch run with nothing changed but their imports."""

import contextlib
import io
import re
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "pytorch_scripts").glob("*.py"))


def with_imports_of_pullback(text: str) -> str:
    """The script with `torch` replaced by Pullback in its import lines, and nowhere else."""
    text = re.sub(r"^import torch$", "import pullback as torch", text, flags=re.M)
    text = re.sub(r"^import torch\.(\S+) as", r"import pullback.\1 as", text, flags=re.M)
    return re.sub(r"^from torch(\S*) import", r"from pullback\1 import", text, flags=re.M)


def output_of(text: str, name: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, name, "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def facts(script: Path, printed: str) -> None:
    """What each script must print, whichever library runs it."""
    if script.stem == "one_neuron":
        assert "answers [1, 1, 1, 0]" in printed
    if script.stem == "classifier":
        found = re.search(r"best accuracy (\S+), lr (\S+)", printed)
        assert found
        assert float(found[1]) > 0.97
        assert float(found[2]) == 0.005
        assert "parameters 82" in printed
    if script.stem == "fine_tune":
        assert "missing ['1.weight', '1.bias'] unexpected []" in printed
        assert "body unchanged True" in printed
        assert "accuracy above 0.9 True" in printed


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_runs_on_pullback(script: Path) -> None:
    text = with_imports_of_pullback(script.read_text())
    assert "import torch" not in text
    facts(script, output_of(text, script.name))


@pytest.mark.oracle
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_runs_on_pytorch(script: Path) -> None:
    facts(script, output_of(script.read_text(), script.name))


@pytest.mark.oracle
def test_the_script_without_randomness_prints_the_same() -> None:
    text = (SCRIPTS[0].parent / "one_neuron.py").read_text()
    assert output_of(text, "one_neuron.py") == output_of(with_imports_of_pullback(text), "one_neuron.py")
