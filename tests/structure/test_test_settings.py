"""The settings of the tests themselves: slow tests wait to be asked, and a missing oracle is never silent."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
PLAN = """
import warnings
import pytest

def test_plain(rng):
    first, second = rng.random(), rng.random()
    assert first != second

@pytest.mark.slow
def test_slow():
    pass

@pytest.mark.oracle
def test_oracle():
    import torch
    assert torch.stands_in

def test_warning():
    with pytest.raises(UserWarning):
        warnings.warn("becomes an error")
"""
SETTINGS = """
[pytest]
filterwarnings = error
markers =
    slow: waits
    oracle: compares
"""


@pytest.fixture
def run_plan(tmp_path: Path):
    """Runs pytest over the plan with our conftest, and with a stand-in for PyTorch."""
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_plan.py").write_text(PLAN)
    (tmp_path / "pytest.ini").write_text(SETTINGS)

    def run(*options: str, torch: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "torch.py").write_text(torch)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


MISSING = "raise ImportError('no such build')"
PRESENT = "import warnings\nwarnings.warn('on import')\nstands_in = True"


@pytest.mark.parametrize(
    ("options", "torch", "outcome", "status"),
    [
        ([], PRESENT, "3 passed, 1 deselected", 0),
        ([], MISSING, "2 passed, 1 skipped, 1 deselected", 0),
        (["--runslow"], PRESENT, "4 passed", 0),
        (["-m", "slow"], PRESENT, "1 passed, 3 deselected", 0),
        (["-m", "not oracle"], MISSING, "2 passed, 2 deselected", 0),
        (["-m", "oracle or slow", "--require-oracle"], PRESENT, "2 passed, 2 deselected", 0),
        (["-m", "oracle or slow", "--require-oracle"], MISSING, "1 passed, 1 skipped, 2 deselected", 1),
        (["-k", "plain", "--require-oracle"], PRESENT, "1 passed, 3 deselected", 1),
    ],
)
def test_what_runs(run_plan, options: list[str], torch: str, outcome: str, status: int) -> None:
    result = run_plan(*options, torch=torch)
    assert f" {outcome} in " in result.stdout
    assert result.returncode == status
    loud = "1 tests did not compare with PyTorch: no such build" in result.stdout
    assert loud == ("skipped" in outcome)


def test_broken_test_file_is_reported_as_such(run_plan, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import no_such_module_anywhere")
    result = run_plan("--require-oracle", torch=PRESENT)
    assert "INTERNALERROR" not in result.stdout + result.stderr
    assert "no_such_module_anywhere" in result.stdout
    assert result.returncode != 0
