"""Measures what an installation downloads: the base install, or one of pyproject's extras with it.

``python scripts/install_size.py [EXTRA ...]`` prints every file in MB (10^6 bytes) and ends with status 1
where the base install is over its limit. pip downloads the files into a temporary folder, for its own dry-run
report names them without their sizes.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE_LIMIT = 110.0  # MB
NAME = "pullback"


def requirements(extras: list[str]) -> list[str]:
    """What pyproject asks for: the base dependencies and those of the extras, extras of extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = list(project["dependencies"])
    for extra in extras:
        for requirement in project["optional-dependencies"][extra]:
            inner = requirement.removeprefix(f"{NAME}[").removesuffix("]")
            found.extend([requirement] if inner == requirement else requirements([inner]))
    return list(dict.fromkeys(found))


def download_sizes(wanted: list[str]) -> dict[str, float]:
    """Downloads requirements with all that they need, as binary packages, and returns MB per file."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, "--only-binary", ":all:", "--dest", folder, *wanted], check=True)
        return {path.name: path.stat().st_size / 1e6 for path in Path(folder).iterdir()}


def main(extras: list[str]) -> int:
    """Prints the sizes, largest first."""
    sizes = download_sizes(requirements(extras))
    for name, megabytes in sorted(sizes.items(), key=lambda pair: -pair[1]):
        print(f"{megabytes:8.2f}  {name}")
    total = sum(sizes.values())
    limit = "" if extras else f" of at most {BASE_LIMIT:g}"
    print(f"{total:8.2f}  MB in all{limit}")
    return 1 if not extras and total > BASE_LIMIT else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
