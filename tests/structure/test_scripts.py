"""The scripts that set things up: which Python is taken, what pip is asked for, how a document is run."""

import os
import subprocess
from pathlib import Path

import pytest

from scripts import install_oracle
from scripts.run_document import run_document
from scripts.size import ROOT

OLD_PYTHON = """#!/bin/sh
case "$2" in
    *"3, 11"*) exit 1 ;;
    *) echo "Python 3.8.10" ;;
esac
"""
NEW_PYTHON = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3" && touch "$3/made-by-$(basename "$0")" ;;
    *) echo "Python 3.12.1" ;;
esac
"""
NO_VENV_MODULE = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3" && exit 1 ;;
    *) echo "Python 3.12.1" ;;
esac
"""


@pytest.fixture
def make_venv(tmp_path: Path):
    """Runs make_venv.sh on a machine that has only the given interpreters."""
    machine = tmp_path / "bin"
    machine.mkdir()
    for tool in ("sh", "mkdir", "touch", "basename", "rm"):
        (machine / tool).symlink_to(next(p for p in (Path("/bin") / tool, Path("/usr/bin") / tool) if p.exists()))

    def run(chosen: str = "", **interpreters: str) -> subprocess.CompletedProcess[str]:
        for name, script in interpreters.items():
            path = machine / name.replace("_", ".")
            path.write_text(script)
            path.chmod(0o755)
        command = ["sh", str(ROOT / "scripts" / "make_venv.sh"), str(tmp_path / "venv")]
        environment = {**os.environ, "PATH": str(machine), "PYTHON": chosen}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    return run


def test_python3_is_taken_where_it_is_new_enough(make_venv, tmp_path: Path) -> None:
    result = make_venv(python3=NEW_PYTHON, python3_13=NEW_PYTHON)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (tmp_path / "venv").iterdir()] == ["made-by-python3"]


def test_newer_python_is_found_beside_an_old_one(make_venv, tmp_path: Path) -> None:
    result = make_venv(python3=OLD_PYTHON, python3_12=NEW_PYTHON)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (tmp_path / "venv").iterdir()] == ["made-by-python3.12"]


@pytest.mark.parametrize(
    ("chosen", "interpreters", "words"),
    [
        ("", {"python3": OLD_PYTHON}, "python3 here is Python 3.8.10"),
        ("", {}, "python3 here is nothing that runs"),
        ("python3", {"python3": OLD_PYTHON, "python3_12": NEW_PYTHON}, "python3 is Python 3.8.10"),
    ],
)
def test_old_python_is_refused_with_a_remedy(make_venv, tmp_path: Path, chosen, interpreters, words) -> None:
    result = make_venv(chosen, **interpreters)
    assert result.returncode == 1
    assert "Pullback needs Python 3.11 or newer" in result.stderr
    assert words in result.stderr
    assert "make setup PYTHON=" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_half_made_environment_is_removed(make_venv, tmp_path: Path) -> None:
    result = make_venv(python3=NO_VENV_MODULE)
    assert result.returncode == 1
    assert "python3-venv" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_pip_is_never_asked_for_what_may_be_a_cuda_build() -> None:
    assert install_oracle.requirement("linux").endswith("+cpu")
    assert "+" not in install_oracle.requirement("darwin")


def test_refused_oracle_is_told_apart_from_an_installed_one(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(install_oracle.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(install_oracle, "install", lambda: False)
    assert install_oracle.main() == install_oracle.NOT_TO_BE_HAD
    assert "CPU build" in capsys.readouterr().err
    monkeypatch.setattr(install_oracle, "install", lambda: True)
    assert install_oracle.main() == 0


DOCUMENT = """# A document

```python
x = 2
```

```text
x = "not run"
```

```python no-run
x = "not run either"
```

```python
def double(n):
    return 2 * n

y = double(x)
{last}
```
"""


def test_document_runs_as_one_program(tmp_path: Path) -> None:
    path = tmp_path / "tour.md"
    path.write_text(DOCUMENT.format(last=""))
    namespace = run_document(path)
    assert namespace["y"] == 4


def test_error_in_a_document_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tour.md"
    path.write_text(DOCUMENT.format(last="y / 0"))
    with pytest.raises(ZeroDivisionError) as caught:
        run_document(path)
    assert caught.traceback[-1].lineno + 1 == path.read_text().splitlines().index("y / 0") + 1


def test_document_without_python_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.md"
    path.write_text("# Nothing to run\n")
    with pytest.raises(ValueError, match="nothing to run"):
        run_document(path)
