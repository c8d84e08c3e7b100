"""Walks the public names of a package: what ``__all__`` lists, and the public submodules found there."""

import inspect
from collections.abc import Iterator
from types import ModuleType


def public_modules(*front: ModuleType) -> Iterator[ModuleType]:
    """The modules of the front door, and every module that can be reached from them by listed names."""
    reached = {module.__name__: module for module in front}
    pending = list(front)
    while pending:
        module = pending.pop()
        yield module
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name, None)
            if isinstance(value, ModuleType) and value.__name__ not in reached:
                reached[value.__name__] = value
                pending.append(value)


def listing_faults(module: ModuleType) -> list[str]:
    """What is wrong with a module's ``__all__``: missing, repeated, not there, or not listed."""
    if not hasattr(module, "__all__"):
        return [f"{module.__name__} has no __all__"]
    listed = list(module.__all__)
    repeated = {name for name in listed if listed.count(name) > 1}
    return [
        *(f"{module.__name__}.__all__ lists {name} more than once" for name in sorted(repeated)),
        *(f"{module.__name__}.__all__ lists {name}, which it has not" for name in absent_names(module)),
        *(f"{module.__name__}.{name} is not in __all__" for name in unlisted_names(module)),
    ]


def absent_names(module: ModuleType) -> list[str]:
    """Listed names that the module does not have."""
    return sorted(name for name in module.__all__ if not hasattr(module, name))


def unlisted_names(module: ModuleType) -> list[str]:
    """Public attributes that are not listed.

    Python binds an imported submodule in its package without being asked, so submodules may stay unlisted.
    """
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in module.__all__ and not is_submodule(value, module)
    )


def is_submodule(value: object, package: ModuleType) -> bool:
    """Whether a value is a module inside a package."""
    return isinstance(value, ModuleType) and value.__name__.startswith(package.__name__ + ".")


def docstrings(module: ModuleType) -> Iterator[tuple[str, str | None]]:
    """The docstring of all that is listed and can carry one: functions, classes, their members, modules."""
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name, None)
        place = f"{module.__name__}.{name}"
        if isinstance(value, ModuleType) or callable(value):
            yield place, value.__doc__
        if inspect.isclass(value):
            yield from ((f"{place}.{member}", text) for member, text in member_docstrings(value))


def member_docstrings(owner: type) -> Iterator[tuple[str, str | None]]:
    """The docstrings, own or inherited, of the public methods and properties that a class itself defines."""
    for name, value in vars(owner).items():
        if not name.startswith("_") and (inspect.isroutine(value) or isinstance(value, property)):
            texts = (vars(base)[name].__doc__ for base in owner.__mro__ if name in vars(base))
            yield name, next((text for text in texts if text), None)


def undocumented(module: ModuleType) -> list[str]:
    """Listed names, and public members of listed classes, that have no docstring of ours.

    The signature that a dataclass or a named tuple writes in place of a docstring does not count.
    """
    return [
        place
        for place, text in docstrings(module)
        if not (text and text.strip()) or text.startswith(place.rpartition(".")[2] + "(")
    ]
