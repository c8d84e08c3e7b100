"""The README's code runs and prints what the README shows, and the files that it names exist."""

import re

from scripts.run_document import run_document
from scripts.size import ROOT

README = ROOT / "README.md"


def test_code_prints_what_is_shown() -> None:
    run_document(README)


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
