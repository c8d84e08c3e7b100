"""Installs PyTorch's CPU build, the oracle that Pullback is compared with, where a small build can be had.

Ends with status 0 when PyTorch is there, and with status 3, installing nothing, when only a build of several
gigabytes could be found. Run it with the Python of the environment that is to have it.
"""

import importlib.util
import subprocess
import sys

VERSION = "2.13.0"
NOT_TO_BE_HAD = 3


def requirement(platform: str) -> str:
    """What to ask pip for, so that it can never answer with a CUDA build.

    On Linux the plain version may resolve to the CUDA build and gigabytes of libraries beside it. The local
    version ``+cpu`` matches nothing else, so pip either finds the CPU build or refuses at once. On macOS and
    Windows the plain version is a CPU build.
    """
    return f"torch=={VERSION}+cpu" if platform.startswith("linux") else f"torch=={VERSION}"


def install() -> bool:
    """Installs the oracle and says whether it worked."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # PyTorch asks for these builds only: a source archive would need a compiler and hours.
    command = [*pip, "--only-binary", ":all:", requirement(sys.platform)]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    """Installs the oracle unless it is there."""
    if importlib.util.find_spec("torch") is not None:
        return 0
    print(f"Looking for {requirement(sys.platform)} to compare with")
    if install():
        return 0
    print(
        f"pip finds no {requirement(sys.platform)} (see above), so nothing is compared with PyTorch live. "
        "Point pip at an index that has PyTorch's CPU builds, or install it here yourself.",
        file=sys.stderr,
    )
    return NOT_TO_BE_HAD


if __name__ == "__main__":
    sys.exit(main())
