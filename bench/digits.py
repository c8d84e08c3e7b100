"""What the digits recipes reach: test accuracy and time over five seeds, as a table for RESULTS.md.

python bench/digits.py
"""

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SEEDS = range(5)
RECIPES = {"digits": 0.965, "digits-plain": 0.955}  # with the bar for the mean


def run(recipe: str, seed: int, out: Path) -> tuple[float, float]:
    """Train once with the command; accuracy on the test digits and seconds, start and pictures' absence included."""
    command = [sys.executable, "-m", "pullback", "train", recipe, "--seed", str(seed), "--out", str(out)]
    started = time.perf_counter()
    subprocess.run([*command, "--quiet", "--no-pictures"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    (folder,) = out.iterdir()
    return accuracy_in(folder), seconds


def accuracy_in(folder: Path) -> float:
    """The test accuracy that a run folder holds."""
    return float(json.loads((folder / "test.json").read_text())["test"]["accuracy"])


def main() -> None:
    """Run every recipe from every seed and print the table."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}\n")
    print("| recipe | mean test accuracy | lowest | highest | bar | median seconds |")
    print("|---|---|---|---|---|---|")
    for recipe, bar in RECIPES.items():
        with tempfile.TemporaryDirectory() as folder:
            results = [run(recipe, seed, Path(folder, str(seed))) for seed in SEEDS]
        found, seconds = zip(*results, strict=True)
        print(
            f"| {recipe} | {statistics.mean(found):.4f} | {min(found):.4f} | {max(found):.4f} | {bar} | "
            f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
