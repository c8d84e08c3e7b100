"""Where LLVM or the BLAS is missing, compiled functions run through NumPy, and say so once. What the setting does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

BLOCKED = "import sys; sys.modules[{!r}] = None"  # as if it were not installed
NO_LIBRARY = """
from pathlib import Path
true_glob = Path.glob
Path.glob = lambda self, pattern, **options: [] if "openblas" in pattern else true_glob(self, pattern, **options)
"""
PROGRAM = """
import warnings
import pullback as pb
warnings.simplefilter("always")
model = pb.nn.Linear(3, 2)
with pb.no_grad():
    model.weight.fill_(0.5)
    model.bias.fill_(0.0)
optimizer = pb.optim.SGD(model.parameters(), lr=0.5)
@pb.compile
def step(x):
    loss = model(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
@pb.compile
def other(x):
    return (x * 2).sum()
print(step.backend, other.backend, [step(pb.ones(4, 3)).item() for _ in range(2)], other(pb.ones(4)).item())
"""
RIGHT = "[2.25, 2.25]"  # (1.5 - 0.5 · (3 · 1.5 + 1.5))² = 2.25, each time


def run(program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {k: v for k, v in os.environ.items() if k != "PULLBACK_BACKEND"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("before", "missing"),
    [
        (BLOCKED.format("llvmlite"), "llvmlite"),
        (BLOCKED.format("scipy_openblas32"), "scipy-openblas32"),
        (NO_LIBRARY, "scipy-openblas32"),
    ],
    ids=["no LLVM", "no BLAS package", "no BLAS library"],
)
def test_without_what_it_needs(before: str, missing: str) -> None:
    told = run(before + PROGRAM)
    assert told.returncode == 0, told.stderr
    assert told.stdout.split(" [")[0] == "reference reference"
    assert "8.0" in told.stdout
    assert RIGHT in told.stdout
    warned = [line for line in told.stderr.splitlines() if "Warning" in line]
    assert len(warned) == 1, told.stderr
    assert missing in warned[0]
    assert "through NumPy" in warned[0]
    assert warned[0].startswith("<string>:"), "the warning points at the user's line"


def test_with_all_it_needs() -> None:
    told = run(PROGRAM)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("native native")
    assert RIGHT in told.stdout


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_setting_chooses(backend: str) -> None:
    told = run(PROGRAM, PULLBACK_BACKEND=backend)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(f"{backend} {backend}")
    assert RIGHT in told.stdout


def test_the_setting_names_no_backend() -> None:
    told = run(PROGRAM, PULLBACK_BACKEND="natve")
    assert told.returncode == 1
    last = told.stderr.strip().splitlines()[-1]
    assert "PULLBACK_BACKEND" in last
    assert "'natve'" in last
    assert "native" in last.split("natve")[-1], "what was meant"


def test_native_is_wished_for_but_cannot_be_had() -> None:
    """Who asks for it by name gets an error, not something slower."""
    told = run(BLOCKED.format("scipy_openblas32") + PROGRAM, PULLBACK_BACKEND="native")
    assert told.returncode == 1
    assert "scipy-openblas32" in told.stderr.strip().splitlines()[-1]


def test_native_is_wished_for_without_llvm() -> None:
    told = run(BLOCKED.format("llvmlite") + PROGRAM, PULLBACK_BACKEND="native")
    assert told.returncode == 1
    assert "llvmlite" in told.stderr.strip().splitlines()[-1]


def test_an_empty_setting_is_none() -> None:
    assert run(PROGRAM, PULLBACK_BACKEND="").stdout.startswith("native native")
