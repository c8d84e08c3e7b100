"""Settings that check themselves: fields of dataclasses with a meaning, a range, and an error in one line."""

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints

from pullback.base.errors import ArgumentError, suggest

Path = tuple[str, ...]
# Where a setting was given, in words to stand before the colon: "my.toml, line 7", or "--epochs".
Where = Callable[[Path], str]


class SettingsError(ArgumentError):
    """Settings that cannot be: `problems` has one line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def setting(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
) -> Any:
    """A field of a settings class: its default, what it means, and which values it may have.

    `low` and `high` belong to the range themselves, `above` and `below` do not. For a list the range holds for each
    entry.
    """
    limits = {"low": low, "high": high, "above": above, "below": below}
    return dataclasses.field(default=default, metadata={"meaning": meaning, "choices": tuple(choices), **limits})


def change(base: Any, given: Mapping[str, Any], where: Where, path: Path = ()) -> tuple[Any, list[str]]:
    """The settings with those given in place of their own, and one line for each that cannot be.

    Nested settings are changed field by field. A settings class that has a method `checked(given, where, path)` is
    asked instead.
    """
    if hasattr(base, "checked"):
        changed: tuple[Any, list[str]] = base.checked(given, where, path)
        return changed
    return change_fields(base, given, where, path)


def change_fields(base: Any, given: Mapping[str, Any], where: Where, path: Path) -> tuple[Any, list[str]]:
    """The settings with the fields given in place of their own, and one line for each that cannot be."""
    hints = get_type_hints(type(base))
    fields = {field.name: field for field in dataclasses.fields(base)}
    changed: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in given.items():
        here = (*path, key)
        if key not in fields:
            problems.append(f"{where(here)}: {unknown_key(key, path, fields)}")
        elif dataclasses.is_dataclass(getattr(base, key)):
            changed[key], found = _change_nested(getattr(base, key), value, where, here)
            problems += found
        else:
            changed[key], problem = checked_value(key, value, hints[key], fields[key].metadata)
            problems += [f"{where(here)}: {problem}"] if problem else []
    return (base if problems else dataclasses.replace(base, **changed)), problems


def _change_nested(base: Any, value: Any, where: Where, path: Path) -> tuple[Any, list[str]]:
    if not isinstance(value, Mapping):
        return base, [f"{where(path)}: {path[-1]} is a table, written [{'.'.join(path)}]; got {shown(value)}"]
    return change(base, value, where, path)


def unknown_key(key: str, path: Path, known: Mapping[str, Any] | Sequence[str]) -> str:
    """The sentence that says that a setting does not exist, with the nearest name and those there are."""
    table = f" in [{'.'.join(path)}]" if path else ""
    return f"there is no setting {key!r}{table}.{suggest(key, known)} There are {', '.join(known)}"


def checked_value(key: str, value: Any, hint: Any, limits: Mapping[str, Any]) -> tuple[Any, str]:
    """The value in the type wanted, and what is wrong with it in one sentence; empty when nothing is."""
    fitted, fits = _fit(value, hint)
    if not fits:
        return value, f"{key} must be {type_words(hint)}; got {shown(value)}"
    problem = _range_problem(key, fitted, limits)
    return fitted, problem or _choice_problem(key, fitted, limits.get("choices", ()))


def _fit(value: Any, hint: Any) -> tuple[Any, bool]:
    """The value as the type wanted, and whether it can be that. No number is a bool, whole numbers are floats too."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        fits = [fitted for fitted, fine in (_fit(value, arg) for arg in args) if fine]
        return (fits[0], True) if fits else (value, False)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            return value, False
        inner = args[:1] * len(value) if args[1:] == (...,) else args
        parts = [_fit(part, arg) for part, arg in zip(value, inner, strict=False)]
        fine = len(inner) == len(value) and all(fits for _, fits in parts)
        return tuple(part for part, _ in parts), fine
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value), True
    return value, type(value) is hint


_WORDS = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "left out",
}


def type_words(hint: Any) -> str:
    """A type as a person would say it.

    >>> type_words(tuple[int, ...]), type_words(float | bool)
    ('a list of whole numbers', 'a number or true or false')
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(type_words, args)))
    if origin is tuple:
        each = {int: "whole numbers", float: "numbers", str: "texts in quotes"}[args[0]]
        return f"a list of {each}" if args[1:] == (...,) else f"a list of {len(args)} {each}"
    return _WORDS[hint]


def shown(value: Any) -> str:
    """A value as it would stand in a settings file, cut short.

    >>> shown(True), shown("ten"), shown([1, 2])
    ('true', '"ten"', '[1, 2]')
    """
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(shown, value))}]"
    else:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


_LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "low": ("at least", lambda value, limit: value >= limit),
    "high": ("at most", lambda value, limit: value <= limit),
    "above": ("above", lambda value, limit: value > limit),
    "below": ("below", lambda value, limit: value < limit),
}


def _range_problem(key: str, value: Any, limits: Mapping[str, Any]) -> str:
    named = {name: limits[name] for name in _LIMITS if limits.get(name) is not None}
    for each in value if isinstance(value, tuple) else (value,):
        if not all(_LIMITS[name][1](each, limit) for name, limit in named.items()):
            words = " and ".join(f"{_LIMITS[name][0]} {limit:g}" for name, limit in named.items())
            every = "every entry of " if isinstance(value, tuple) else ""
            return f"{every}{key} must be {words}; got {shown(each)}"
    return ""


def _choice_problem(key: str, value: Any, choices: Sequence[str]) -> str:
    if not choices or value in choices:
        return ""
    known = ", ".join(choice for choice in choices if choice)
    return f"{key} must be one of {known}; got {shown(value)}.{suggest(str(value), [c for c in choices if c])}"
