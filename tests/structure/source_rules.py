"""The rules of the house as functions over parsed source, so that they can be tried on planted faults too.

Every rule takes the parsed modules and returns its findings, one line each; none where the rule is kept.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from scripts.size import FRONT_DOOR, ROOMS

PACKAGE = "pullback"
# What a function may import when it is called, for what it brings along is heavy; and the room that may.
LATE = {f"{PACKAGE}.backends.native": "backends"}  # LLVM: a fifth of a second that only compiled functions need
PICKLING = {"pickle", "_pickle", "cPickle", "pickle5", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


class Module(NamedTuple):
    """One parsed module."""

    name: str
    is_package: bool
    tree: ast.Module


Modules = dict[str, Module]
Importing = ast.Import | ast.ImportFrom | ast.Call


def read_modules(package_folder: Path) -> Modules:
    """Parses every module of a package."""
    modules: Modules = {}
    for path in sorted(package_folder.rglob("*.py")):
        parts = path.relative_to(package_folder.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, is_package, ast.parse(path.read_text(encoding="utf-8")))
    return modules


def plant_modules(sources: Mapping[str, str]) -> Modules:
    """Parses planted sources; the packages they lie in are made empty where they are not planted."""
    packages = {parent for name in sources for parent in parents(name)}
    return {
        name: Module(name, name in packages, ast.parse(sources.get(name, ""))) for name in sorted({*sources, *packages})
    }


def parents(name: str) -> list[str]:
    """The packages around a module: ``a`` and ``a.b`` for ``a.b.c``."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def absolute_name(module: Module, node: ast.ImportFrom) -> str:
    """The dotted name a ``from`` import starts at, with the leading dots resolved."""
    if not node.level:
        return node.module or ""
    package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def called_name(call: ast.Call) -> str:
    """The last part of what a call calls: ``load`` for ``np.load(...)``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def imported_names(module: Module, node: Importing) -> list[str]:
    """Every dotted name that a node may import; ``from a import b`` gives both ``a.b`` and ``a``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        origin = absolute_name(module, node)
        return [*(f"{origin}.{alias.name}" for alias in node.names), origin]
    if called_name(node) in {"import_module", "__import__"}:
        return [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
    return []


def importing_nodes(tree: ast.AST) -> Iterator[Importing]:
    """Every import statement under a node, and every call, which may be a dynamic import."""
    return (node for node in ast.walk(tree) if isinstance(node, Importing))


def is_ours(name: str) -> bool:
    """Whether a dotted name lies in the package."""
    return name == PACKAGE or name.startswith(PACKAGE + ".")


def imports_of(module: Module, modules: Modules) -> dict[str, int]:
    """The modules of ours that a module imports anywhere in its text, each with the line of its first import.

    Imports under ``TYPE_CHECKING`` count: a type that is needed from a lower room is a dependency on it.
    """
    found: dict[str, int] = {}
    for node in importing_nodes(module.tree):
        for name in needed_modules(imported_names(module, node), node, modules):
            if name != module.name:
                found.setdefault(name, node.lineno)
    return found


def needed_modules(names: list[str], node: Importing, modules: Modules) -> list[str]:
    """The modules of ours that an import needs something from.

    ``from a import b`` with a module ``a.b`` needs that module and nothing from ``a``, whose own file Python
    runs before any module in it in every case.
    """
    ours = [name for name in names if name in modules]
    if isinstance(node, ast.ImportFrom) and len(ours) == len(node.names) + 1:
        return ours[:-1]
    return ours


def room(name: str) -> str:
    """The part of a dotted name that names the room; empty for the package itself."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def stands_in_a_room(module: Module) -> bool:
    """Whether a module belongs to a room: all but the front door, the files directly under the package."""
    if room(module.name) in FRONT_DOOR:
        return False
    return module.name.count(".") > 1 or (module.name.count(".") == 1 and module.is_package)


def unknown_rooms(modules: Modules) -> list[str]:
    """Folders that the list of rooms does not name."""
    inside = {room(module.name) for module in modules.values() if stands_in_a_room(module)}
    return [f"{PACKAGE}/{name}: not one of the rooms {', '.join(ROOMS)}" for name in inside - set(ROOMS)]


def upward_imports(modules: Modules) -> list[str]:
    """Imports of a room that stands lower in the list, and of the front door from inside a room."""
    return [
        f"{module.name}:{line} {room(module.name)} may not import {room(name) or 'the front door'} ({name})"
        for module in modules.values()
        if stands_in_a_room(module) and room(module.name) in ROOMS
        for name, line in imports_of(module, modules).items()
        if not may_import(room(module.name), modules[name])
    ]


def may_import(importer: str, target: Module) -> bool:
    """Whether a room may import a module: its own, or one of a room earlier in the list."""
    if not stands_in_a_room(target) or room(target.name) not in ROOMS:
        return False
    return ROOMS.index(room(target.name)) <= ROOMS.index(importer)


def import_cycles(modules: Modules) -> list[str]:
    """Circles in the graph of module-to-module imports, each written once as ``a -> b -> a``."""
    graph = {name: sorted(imports_of(module, modules)) for name, module in modules.items()}
    finished: set[str] = set()
    circles: list[str] = []
    for start in sorted(graph):
        if start not in finished:
            circles.extend(circles_from(start, graph, finished))
    return circles


def circles_from(start: str, graph: Mapping[str, list[str]], finished: set[str]) -> Iterator[str]:
    """Walks the graph depth first and yields the circles that it closes; marks what it has finished."""
    path = [start]
    pending = [iter(graph[start])]
    while path:
        for name in pending[-1]:
            if name in path:
                yield " -> ".join([*path[path.index(name) :], name])
            elif name not in finished:
                path.append(name)
                pending.append(iter(graph[name]))
                break
        else:
            finished.add(path.pop())
            pending.pop()


def hidden_imports(modules: Modules) -> list[str]:
    """Imports of our own modules inside functions, and by name through importlib: both hide a dependency.

    Those in LATE may stand inside functions of their room. Like all others they count for layers and circles.
    """
    return [
        f"{module.name}:{node.lineno} imports {name} inside {owner}: import it at the top of the module"
        for module in modules.values()
        for owner, node in late_nodes(module.tree)
        for name in imported_names(module, node)
        if (is_ours(name) or name.startswith(".")) and not may_be_late(module, node, name)
    ]


def may_be_late(module: Module, node: Importing, name: str) -> bool:
    """Whether an import statement names something whose import may wait until it is needed."""
    if isinstance(node, ast.Call):
        return False
    return any(room(module.name) == owner and name.startswith(heavy + ".") for heavy, owner in LATE.items())


def late_nodes(tree: ast.Module) -> Iterator[tuple[str, Importing]]:
    """Import statements inside functions, with the function's name, and calls anywhere."""
    for outer in ast.walk(tree):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = importing_nodes(outer)
            yield from ((f"{outer.name}()", node) for node in inner if not isinstance(node, ast.Call))
        elif isinstance(outer, ast.Call):
            yield "a call", outer


def pickle_uses(modules: Modules) -> list[str]:
    """Imports of anything that pickles, and calls that let NumPy unpickle."""
    return [
        f"{module.name}:{node.lineno} {fault}: pickle is never read nor written"
        for module in modules.values()
        for node in importing_nodes(module.tree)
        for fault in pickle_faults(module, node)
    ]


def pickle_faults(module: Module, node: Importing) -> Iterator[str]:
    """What is wrong with one import or call under the rule that nothing pickles."""
    yield from (f"imports {n}" for n in imported_names(module, node) if n.split(".")[0] in PICKLING)
    if isinstance(node, ast.Call) and lets_numpy_unpickle(node):
        yield "allow_pickle must be False"


def lets_numpy_unpickle(call: ast.Call) -> bool:
    """Whether a call gives ``allow_pickle`` anything but False: by keyword, or as ``np.load``'s third."""
    given: list[ast.expr] = [keyword.value for keyword in call.keywords if keyword.arg == "allow_pickle"]
    if called_name(call) == "load" and isinstance(call.func, ast.Attribute):
        given.extend(call.args[2:3])
    return any(not (isinstance(value, ast.Constant) and value.value is False) for value in given)


def swallowed_errors(modules: Modules) -> list[str]:
    """Handlers that do nothing with what they catch."""
    return [
        f"{module.name}:{node.lineno} except ...: pass hides an error"
        for module in modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and all(is_nothing(statement) for statement in node.body)
    ]


def is_nothing(statement: ast.stmt) -> bool:
    """Whether a statement is ``pass`` or a bare constant such as ``...``."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def vague_names(names: Iterable[str]) -> list[str]:
    """Module names that say nothing about what is inside."""
    vague = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "managers"}
    pytorch_s = {f"{PACKAGE}.nn.utils", *(f"{PACKAGE}.{name}" for name in FRONT_DOOR)}
    given = set(names) - pytorch_s
    return [f"{name}: name the module after what it holds" for name in given if name.split(".")[-1] in vague]
