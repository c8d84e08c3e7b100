"""docs/dependencies.md and pyproject.toml say the same, and the base install stays small."""

import re
import tomllib

import pytest

from scripts import install_size

DOCUMENT = install_size.ROOT / "docs" / "dependencies.md"
ROW = re.compile(r"^\| (?P<name>[\w-]+) \| (?P<extra>\w+) \|(?P<purpose>.*)\| (?P<size>[\d.]+) \|", re.MULTILINE)


def documented() -> dict[str, tuple[str, float]]:
    """Package name to the extra it stands in and its size in MB, from the table."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return {row["name"]: (row["extra"], float(row["size"])) for row in ROW.finditer(text)}


def package_name(requirement: str) -> str:
    """The name in front of the version: ``numpy`` of ``numpy>=2.0``."""
    return re.split(r"[<>=!~;\[ ]", requirement)[0]


def required() -> dict[str, str]:
    """Package name to the extra it stands in, from pyproject; an extra that includes another is left out."""
    project = tomllib.loads((install_size.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"base": project["dependencies"], **project["optional-dependencies"]}
    names = {package_name(wanted): extra for extra, group in groups.items() for wanted in group}
    return {name: extra for name, extra in names.items() if name != project["name"]}


def test_table_and_pyproject_say_the_same() -> None:
    assert {name: extra for name, (extra, _) in documented().items()} == required()


def test_every_row_says_what_was_rejected() -> None:
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(documented())
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 6
        assert all(cells), f"an empty cell: {row}"


def test_extras_of_extras_are_followed() -> None:
    plots = install_size.requirements(["plots"])
    assert set(plots) < set(install_size.requirements(["dev"]))
    assert set(install_size.requirements([])) < set(plots)
    assert not [wanted for wanted in install_size.requirements(["dev"]) if wanted.startswith("pullback")]


@pytest.mark.slow
def test_base_install_is_small_and_its_table_true() -> None:
    sizes = install_size.download_sizes(install_size.requirements([]))
    assert any(name.startswith("numpy-") for name in sizes)
    assert sum(sizes.values()) <= install_size.BASE_LIMIT
    for package, (extra, size) in documented().items():
        if extra == "base":
            # A file says scipy_openblas32 or scipy-openblas32, as its builder pleased: both are one name to pip.
            [measured] = [
                mb for name, mb in sizes.items() if name.replace("_", "-").startswith(f"{package.replace('_', '-')}-")
            ]
            # Releases and platforms differ; a table that is off by more than half has been overtaken.
            assert size / 1.5 - 0.1 <= measured <= size * 1.5 + 0.1, f"{package}: {measured:.1f} MB now"


def test_size_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    sizes = {"heavy-1.0-py3-none-any.whl": install_size.BASE_LIMIT, "more-1.0-py3-none-any.whl": 0.5}
    monkeypatch.setattr(install_size, "download_sizes", lambda wanted: sizes)
    assert install_size.main([]) == 1
    assert "110.50  MB in all of at most 110" in capsys.readouterr().out
    del sizes["more-1.0-py3-none-any.whl"]
    assert install_size.main([]) == 0
