"""The front door lists every public name, and every public name is documented."""

import ast
import importlib
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

import pullback
from scripts.size import PACKAGE
from tests.structure import source_rules
from tests.structure.public_names import listing_faults, public_modules, undocumented

FRONT_DOOR = [
    importlib.import_module(name)
    for name, module in source_rules.read_modules(PACKAGE).items()
    if not source_rules.stands_in_a_room(module) and not name.endswith("__main__")
]
PUBLIC_MODULES = list(public_modules(*FRONT_DOOR))


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_listed(module: types.ModuleType) -> None:
    assert listing_faults(module) == []


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_documented(module: types.ModuleType) -> None:
    assert undocumented(module) == []


def test_front_door_only_imports_and_lists() -> None:
    """Names are imported, some of them when they are first asked for; nothing is defined."""
    tree = ast.parse(Path(pullback.__file__).read_text(encoding="utf-8"))
    plain = {"ImportFrom", "Import", "Assign", "Expr"}
    others = [statement for statement in tree.body if type(statement).__name__ not in plain]
    assert [getattr(s, "name", ast.unparse(getattr(s, "test", s))) for s in others] == ["_TYPE_CHECKING", "__getattr__"]


@pytest.mark.parametrize("name", ["data", "utils", "source", "eject", "load", "save"])
def test_names_that_are_imported_later_are_there(name: str) -> None:
    assert name in pullback.__all__
    assert getattr(pullback, name) is not None


@pytest.fixture
def planted() -> types.ModuleType:
    """A package with one fault of every kind, and one name without fault."""

    def documented() -> None:
        """Says what it is."""

    def bare() -> None:
        pass

    @dataclass
    class Generated:
        size: int

    class Layer:
        """Has a method that nobody described."""

        def forward(self) -> None:
            pass

        @property
        def width(self) -> int:
            return 1

    class Child(Layer):
        """Inherits nothing that would describe its method."""

        def forward(self) -> None:
            """Describes it."""

    class Grandchild(Child):
        """Inherits its method's description."""

        def forward(self) -> None:
            pass

    package = types.ModuleType("planted")
    things = (documented, bare, Generated, Layer, Child, Grandchild)
    vars(package).update({thing.__name__: thing for thing in things})
    vars(package).update(pi=3.14, deeper=types.ModuleType("planted.deeper", "A room that stays unlisted."))
    package.__all__ = [thing.__name__ for thing in things] + ["pi"]
    return package


def test_planted_gaps_in_docstrings_are_found(planted: types.ModuleType) -> None:
    assert undocumented(planted) == [
        "planted.bare",
        "planted.Generated",
        "planted.Layer.forward",
        "planted.Layer.width",
    ]


def test_planted_faults_of_the_list_are_found(planted: types.ModuleType) -> None:
    assert listing_faults(planted) == []
    planted.__all__ += ["pi", "gone"]
    planted.__all__.remove("bare")
    planted.np = types.ModuleType("numpy")
    assert listing_faults(planted) == [
        "planted.__all__ lists pi more than once",
        "planted.__all__ lists gone, which it has not",
        "planted.bare is not in __all__",
        "planted.np is not in __all__",
    ]
    del planted.__all__
    assert listing_faults(planted) == ["planted has no __all__"]


def test_public_submodules_are_reached(planted: types.ModuleType) -> None:
    assert [module.__name__ for module in public_modules(planted)] == ["planted"]
    planted.__all__.append("deeper")
    assert [module.__name__ for module in public_modules(planted)] == ["planted", "planted.deeper"]


def test_pytorch_s_submodules_are_public() -> None:
    # The scripts that PyTorch's users bring import these by name.
    names = {module.__name__ for module in PUBLIC_MODULES}
    assert {"pullback.nn", "pullback.nn.functional", "pullback.optim", "pullback.data"} <= names
