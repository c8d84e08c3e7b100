"""Makes the environment that the peers run in, `.venv-peers`, apart from Pullback's own.

python -m bench.install_peers

A peer that cannot be installed is named loudly and left out; the others are measured all the same. What was installed
is remembered, so that a second run costs nothing.
"""

import json
import subprocess
import sys
from pathlib import Path

from scripts.install_oracle import requirement as torch_requirement

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-peers"
# Without `[cpu]` the package of MLX lacks the library itself on Linux. threadpoolctl says how many threads a BLAS uses.
MLX = "mlx[cpu]" if sys.platform.startswith("linux") else "mlx"
REQUIREMENTS = {
    "torch": [torch_requirement(sys.platform)],
    "jax": ["jax"],
    "mlx": [MLX],
    "autograd": ["autograd", "threadpoolctl"],
}


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install(peer: str, environment: Path) -> bool:
    """Install one peer and say whether it worked."""
    print(f"Installing {' '.join(REQUIREMENTS[peer])} into {environment.name}", flush=True)
    pip = [str(python_of(environment)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command = [*pip, "--only-binary", ":all:", *REQUIREMENTS[peer]]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    """Install the peers that are not there yet."""
    record = ENVIRONMENT / "installed.json"
    if not python_of(ENVIRONMENT).exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    installed = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    for peer, wanted in REQUIREMENTS.items():
        if installed.get(peer) == wanted:
            continue
        if install(peer, ENVIRONMENT):
            installed[peer] = wanted
            record.write_text(json.dumps(installed), encoding="utf-8")
        else:
            print(f"!!! {peer} could not be installed (see above): it is left out.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
