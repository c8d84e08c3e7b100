"""Settings as TOML: written with their meaning beside them, and the line on which a key stands."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from pullback.base.errors import ArgumentError

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line of a TOML text on which the key at `path`, or the table itself, stands; None when it is not found.

    >>> line_of('name = "a"\\n[model]\\n# the layers\\nhidden = [3]', ("model", "hidden"))
    4
    """
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        opened, key = _TABLE.fullmatch(line), _KEY.match(line)
        if opened:
            table = _parts(opened[1])
        if (opened and table == path) or (key and (*table, *_parts(key[1])) == path):
            return number
    return None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def toml_value(value: Any) -> str:
    """A value as TOML.

    Raises ArgumentError for what TOML does not know.

    >>> toml_value([0.1, 2.0, True, 'a "b"'])
    '[0.1, 2.0, true, "a \\\\"b\\\\""]'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    raise ArgumentError(f"TOML knows no {type(value).__name__}; got {value!r}")


def toml_key(key: str) -> str:
    """A key as TOML: in quotes when it needs them."""
    return key if _BARE.fullmatch(key) else toml_value(key)


def settings_text(settings: Any, comments: bool = True) -> str:
    """Settings as TOML, each with its meaning as a comment; nested settings become tables.

    Settings with the value None are left out: they are not given.
    """
    lines, tables = _lines_of(settings, comments), []
    for field in dataclasses.fields(settings):
        inner = getattr(settings, field.name)
        if dataclasses.is_dataclass(inner):
            tables += ["", f"[{toml_key(field.name)}]", *_lines_of(inner, comments)]
    return "\n".join([*lines, *tables]) + "\n"


def _lines_of(settings: Any, comments: bool) -> list[str]:
    lines = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Mapping):  # the further settings of an optimizer or a schedule
            lines += [f"{toml_key(key)} = {toml_value(each)}" for key, each in value.items()]
        elif not dataclasses.is_dataclass(value) and value is not None:
            text = f"{toml_key(field.name)} = {toml_value(value)}"
            lines.append(f"{text:<32}  # {field.metadata['meaning']}" if comments else text)
    return lines
