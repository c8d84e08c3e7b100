"""The machine that figures come from, and how fast its matrix products can be."""

import platform
import subprocess
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.install_peers import ROOT
from bench.process import environment
from bench.threads import cores

_PEAK = "from pullback.backends.native.peaks import peaks; print(peaks().sgemm_all)"


def describe() -> dict[str, str]:
    """CPU, cores, system, versions and date, as texts."""
    return {
        "cpu": cpu_name(),
        "cores": str(cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "date": date.today().isoformat(),
    }


def cpu_name() -> str:
    """The processor as the system calls it, with the numbers that tell its generation."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    told = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    return f"{told.get('model name', platform.machine())} (family {told.get('cpu family')}, model {told.get('model')})"


def product_rate() -> float | None:
    """GFLOP/s of float32 matrix products, all threads at once, each with products of its own; None where unknown.

    Measured anew, in a process of its own, by the library that native code takes its products from.
    """
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _PEAK], cwd=ROOT, env=environment(Path(folder)), capture_output=True, text=True
        )
    return float(done.stdout) if done.returncode == 0 else None
