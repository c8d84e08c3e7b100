"""The rooms stand in order, nothing hides an import, nothing pickles, and files and functions stay small."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import size
from tests.structure import source_rules as rules

Rule = Callable[[rules.Modules], list[str]]
RULES: list[Rule] = [
    rules.unknown_rooms,
    rules.upward_imports,
    rules.import_cycles,
    rules.hidden_imports,
    rules.pickle_uses,
    rules.swallowed_errors,
    rules.vague_names,
]

# Every row breaks exactly the one rule it names; the words are looked for in the finding.
PLANTED: list[tuple[Rule, dict[str, str], str]] = [
    (rules.unknown_rooms, {"pullback.attic": "", "pullback.attic.old": ""}, "pullback/attic"),
    (
        rules.upward_imports,
        {"pullback.ops.add": "from pullback.tensor.value import T", "pullback.tensor.value": ""},
        "ops may not import tensor",
    ),
    (
        rules.upward_imports,
        {"pullback.ops.add": "from ..grad import reverse", "pullback.grad": "", "pullback.grad.reverse": ""},
        "ops may not import grad",
    ),
    (rules.upward_imports, {"pullback.nn.linear": "import pullback as pb"}, "nn may not import the front door"),
    (
        rules.upward_imports,
        {
            "pullback.ir.node": "import typing as t\nif t.TYPE_CHECKING:\n    import pullback.ops.r",
            "pullback.ops.r": "",
        },
        "ir may not import ops",
    ),
    (
        rules.import_cycles,
        {
            "pullback.ir.a": "from pullback.ir import b",
            "pullback.ir.b": "import pullback.ir.c",
            "pullback.ir.c": "from .a import x",
        },
        "pullback.ir.a -> pullback.ir.b -> pullback.ir.c -> pullback.ir.a",
    ),
    (
        rules.upward_imports,
        {"pullback.ops.add": "", "pullback.nn.linear": "from pullback import ops, tensor"},
        "nn may not import the front door",
    ),
    (
        rules.upward_imports,
        {"pullback.utils.data": "", "pullback.nn.linear": "from pullback.utils.data import Dataset"},
        "nn may not import utils",
    ),
    (
        rules.import_cycles,
        {"pullback.ir": "from pullback.ir.a import x", "pullback.ir.a": "from pullback.ir import y"},
        "pullback.ir -> pullback.ir.a -> pullback.ir",
    ),
    (
        rules.hidden_imports,
        {"pullback.nn.a": "def late():\n    from pullback.ir import node", "pullback.ir": "", "pullback.ir.node": ""},
        "inside late()",
    ),
    (
        rules.hidden_imports,
        {"pullback.nn.a": "class A:\n    def late(self):\n        from . import b", "pullback.nn.b": ""},
        "imports pullback.nn",
    ),
    (
        rules.hidden_imports,
        {"pullback.nn.a": "import importlib\nm = importlib.import_module('pullback.ir.node')"},
        "imports pullback.ir.node",
    ),
    (
        rules.hidden_imports,
        {
            "pullback.train.a": "def late():\n    from pullback.backends.native.step import S",
            "pullback.backends.native.step": "",
        },
        "inside late()",
    ),
    (
        rules.hidden_imports,
        {
            "pullback.backends.a": "import importlib\nm = importlib.import_module('pullback.backends.native.step')",
            "pullback.backends.native.step": "",
        },
        "imports pullback.backends.native.step",
    ),
    (
        rules.import_cycles,
        {
            "pullback.backends.a": "def late():\n    from pullback.backends.native.step import S",
            "pullback.backends.native.step": "from pullback.backends.a import x",
        },
        "pullback.backends.a -> pullback.backends.native.step -> pullback.backends.a",
    ),
    (rules.pickle_uses, {"pullback.files.a": "import pickle"}, "imports pickle"),
    (rules.pickle_uses, {"pullback.files.a": "def f():\n    from joblib import dump"}, "imports joblib"),
    (rules.pickle_uses, {"pullback.files.a": "np.load(path, allow_pickle=True)"}, "allow_pickle"),
    (rules.pickle_uses, {"pullback.files.a": "np.load(path, None, True)"}, "allow_pickle"),
    (rules.pickle_uses, {"pullback.files.a": "np.save(path, x, allow_pickle=flag)"}, "allow_pickle"),
    (rules.swallowed_errors, {"pullback.files.a": "try:\n    f()\nexcept OSError:\n    pass"}, "hides"),
    (rules.swallowed_errors, {"pullback.files.a": "try:\n    f()\nexcept OSError:\n    ..."}, "hides"),
    (rules.vague_names, {"pullback.optim.utils": ""}, "pullback.optim.utils"),
]

HARMLESS = {
    "pullback": "from pullback.nn.linear import Linear\nfrom pullback.ir.node import Node",
    "pullback.utils.data": "from pullback.nn import Linear",
    "pullback.ir": "",
    "pullback.ir.node": "import numpy as np\nnp.load(path, allow_pickle=False)",
    "pullback.backends.choose": "def late():\n    from pullback.backends.native.step import S",
    "pullback.backends.native.step": "import llvmlite",
    "pullback.nn": "from pullback.nn.linear import Linear",
    "pullback.nn.linear": "from pullback import ir\nfrom ..ir import node",
    "pullback.nn.plot": "def plot():\n    import matplotlib\n    return json.load(f)",
}


@pytest.fixture(scope="module")
def modules() -> rules.Modules:
    found = rules.read_modules(size.PACKAGE)
    assert "pullback" in found, "the package was not found, so nothing would be checked"
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house_keeps_the_rule(rule: Rule, modules: rules.Modules) -> None:
    assert rule(modules) == []


@pytest.mark.parametrize(("rule", "sources", "words"), PLANTED)
def test_planted_fault_is_found(rule: Rule, sources: dict[str, str], words: str) -> None:
    planted = rules.plant_modules(sources)
    findings = rule(planted)
    assert findings
    assert words in findings[0]
    others = [other for other in RULES if other is not rule]
    assert {other.__name__: other(planted) for other in others if other(planted)} == {}


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule.__name__ for rule, _, _ in PLANTED} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_harmless_source_is_let_through(rule: Rule) -> None:
    assert rule(rules.plant_modules(HARMLESS)) == []


def test_imports_are_seen_at_all(modules: rules.Modules) -> None:
    edges = sum(len(rules.imports_of(module, modules)) for module in modules.values())
    assert edges >= len(modules) // 2, "almost no imports found: the reader of imports is blind"


def folders_without_init(package: Path) -> list[str]:
    """Folders with modules but no ``__init__.py``: doctests would import a second copy of their modules."""
    folders = {path.parent for path in package.rglob("*.py")}
    return sorted(folder.name for folder in folders if not (folder / "__init__.py").exists())


def test_every_room_is_a_package() -> None:
    assert folders_without_init(size.PACKAGE) == []


def test_missing_init_is_found(tmp_path: Path) -> None:
    for room in ("complete", "open"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "module.py").touch()
    (tmp_path / "complete" / "__init__.py").touch()
    assert folders_without_init(tmp_path) == ["open"]


def test_files_and_functions_stay_small() -> None:
    folders = [size.PACKAGE, *(size.ROOT / folder for folder in size.BESIDE)]
    assert list(size.passed_limits(size.measure_all(folders))) == []


def test_core_stays_small() -> None:
    assert size.core_code(size.measure_all([size.PACKAGE])) <= size.CORE_LIMIT


def test_long_function_and_long_file_are_found(tmp_path: Path) -> None:
    body = "    x = 1\n"
    path = tmp_path / "long.py"
    path.write_text("def just_right():\n" + body * 79 + "def too_long():\n" + body * 80)
    assert [line.split(": ")[1] for line in size.passed_limits([size.measure(path)])] == ["81 lines; at most 80"]
    path.write_text("x = 1\n" * 600)
    assert list(size.passed_limits([size.measure(path)])) == []
    path.write_text("x = 1\n" * 601)
    assert "601 lines" in next(size.passed_limits([size.measure(path)]))


def test_only_code_is_counted() -> None:
    source = '''"""Docstring
of two lines."""

# a comment
x = 1  # one


def f():
    """Says what f is."""
    text = """
    a string that is no docstring counts

    but for its blank line"""
    return text
'''
    assert size.code_lines(source) == 6
