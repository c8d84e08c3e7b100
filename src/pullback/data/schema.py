"""What the columns of a table are: inferred once, saved, and applied to rows that come later."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pullback.base.atomic import atomic_write
from pullback.base.errors import DataError, suggest
from pullback.data.source import StrPath, read_bytes

MISSING = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?")
MAX_CATEGORIES = 100
_TRUE, _FALSE = ("true", "yes"), ("false", "no")
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,18})")  # leading zeros mark a code, such as 00501
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0*")
_CODE = re.compile(r"[+-]?0[0-9]+")
_DATE = re.compile(
    r"([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4})([T ].*)?"
    r"|[0-9]{1,2}:[0-9]{2}(:[0-9.]+)?"
)
_FORMAT = "pullback.schema/1"
_NEARLY_ALL = 0.95


def parse_integer(text: str) -> int | None:
    """The integer that the text is, None where it is none or needs more than 64 bits; 3.0 counts as 3."""
    whole = _WHOLE.fullmatch(text)
    text = whole[1] if whole else text
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def parse_number(text: str) -> float | None:
    """The finite number that the text is, None where it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if abs(value) != float("inf") else None


def parse_boolean(text: str) -> bool | None:
    """True for true and yes, False for false and no, in any case; None for all else."""
    word = text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


PARSERS: dict[str, Callable[[str], Any]] = {"integer": parse_integer, "number": parse_number, "boolean": parse_boolean}
KINDS = (*PARSERS, "category", "text")


def parser_of(kind: str, decimal: str = ".") -> Callable[[str], Any]:
    """What turns the text of a cell of this kind into its value, or into None where it is no such value."""
    parse = PARSERS.get(kind, str)
    if decimal == "." or kind not in ("integer", "number"):
        return parse
    return lambda text: parse(_with_point(text, decimal))


def _with_point(text: str, decimal: str) -> str:
    """The number as Python writes it. A point that is no decimal point makes it no number."""
    return text.replace(".", "_").replace(decimal, ".")


class StrayCell(DataError):
    """A cell that is no number in a column of numbers, whose type is therefore in doubt."""

    def __init__(self, place: str, column: str, cell: str) -> None:
        self.column, self.cell = column, cell
        self.finding = f"{place}: {cell!r} is no finite number, as nearly all other cells of the column are"
        super().__init__(
            f"{self.finding}; if it means that the value is missing, name it in missing=; if the column is text or "
            f"names categories, types={{{column!r}: 'text'}} or {{{column!r}: 'category'}}"
        )


@dataclass(frozen=True)
class ColumnType:
    """The name of a column, its kind, and for a category the texts that its codes 0, 1, 2, ... stand for.

    Kinds: integer, number, boolean, category, text. `categories` of a boolean column are how it spells false and
    true, such as ("no", "yes"); empty where these are "false" and "true".
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            near, known = suggest(str(self.kind), KINDS), ", ".join(KINDS)
            raise DataError(f"column {self.name!r}: {self.kind!r} is no kind.{near} Known are {known}")


@dataclass(frozen=True)
class Schema:
    """The types of a table's columns, and how its cells are written.

    `missing` are the texts that, beside an empty cell, mean that a value is missing, `decimal` the character
    before the fraction. Saved as JSON beside a trained model, a schema makes sure that rows which come later
    mean the same.

    >>> schema = Schema((ColumnType("age", "integer"), ColumnType("colour", "category", ("blue", "red"))))
    >>> Schema.from_dict(schema.to_dict()) == schema
    True
    >>> schema["colour"].categories
    ('blue', 'red')
    """

    columns: tuple[ColumnType, ...]
    missing: tuple[str, ...] = MISSING
    decimal: str = "."

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> ColumnType:
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(no_column(name, self.names))

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain dicts and lists, ready for JSON."""
        columns = [
            {"name": c.name, "kind": c.kind, **({"categories": list(c.categories)} if c.categories else {})}
            for c in self.columns
        ]
        return {"format": _FORMAT, "columns": columns, "missing": list(self.missing), "decimal": self.decimal}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Schema":
        """The schema that `to_dict` described.

        Raises DataError when the dict is something else.
        """
        if data.get("format") != _FORMAT:
            raise DataError(f"a schema has the format {_FORMAT!r}; got {data.get('format')!r}")
        columns = (ColumnType(c["name"], c["kind"], tuple(c.get("categories", ()))) for c in data["columns"])
        return cls(tuple(columns), tuple(data["missing"]), data["decimal"])

    def save(self, path: StrPath) -> None:
        """Write the schema as JSON."""
        with atomic_write(path, "w") as file:
            json.dump(self.to_dict(), file, indent=2, ensure_ascii=False)

    @classmethod
    def load(cls, path: StrPath) -> "Schema":
        """Read a schema that `save` wrote.

        Raises MissingFile when there is no such file, DataError when it holds no schema.
        """
        try:
            return cls.from_dict(json.loads(read_bytes(path)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} holds no schema: {error}") from error


def no_column(name: str, names: Sequence[str]) -> str:
    """The sentence that says that a column does not exist, with the nearest name and the names there are."""
    return f"there is no column {name!r}.{suggest(name, names)} There are {', '.join(names) or 'none'}"


def infer_type(name: str, cells: Sequence[str], decimal: str = ".") -> ColumnType:
    """The type of a column from those of its cells that are not missing.

    The first that fits all cells: **boolean** (true, false, yes, no), **integer** (64 bits, no leading
    zeros), **number** (finite), **text** when all look like dates or times, **category** when there are at
    most 100 different values and at most half as many as cells (ten are always allowed), **text**. A column
    without a single value is text. Categories are sorted, so their codes depend on which occur and not on the
    order of the rows.

    >>> infer_type("size", ["1", "2.5"]).kind, infer_type("zip", ["00501", "10001"]).kind
    ('number', 'category')
    """
    if not cells:
        return ColumnType(name, "text")
    kind = _numeric_kind(cells if decimal == "." else [_with_point(cell, decimal) for cell in cells])
    if kind:
        return ColumnType(name, kind, boolean_spelling(cells) if kind == "boolean" else ())
    different = set(cells)
    most = min(MAX_CATEGORIES, max(10, len(cells) // 2))
    if len(different) > most or _fits(_DATE.fullmatch, different):
        return ColumnType(name, "text")
    return ColumnType(name, "category", tuple(sorted(different)))


def boolean_spelling(cells: Sequence[str]) -> tuple[str, ...]:
    """How a column of booleans spells false and true most often; empty where that is "false" and "true".

    >>> boolean_spelling(["yes", "no", "No", "no"]), boolean_spelling(["true", "false"])
    (('no', 'yes'), ())
    """
    counts = sorted(Counter(cells).items(), key=lambda item: (-item[1], item[0]))  # ties by the alphabet
    says_yes = any(cell.lower() in ("yes", "no") for cell, _ in counts)
    usual = ("no", "yes") if says_yes else ("false", "true")
    written = {parse_boolean(cell): cell for cell, _ in reversed(counts)}
    found = (written.get(False, usual[0]), written.get(True, usual[1]))
    return () if found == ("false", "true") else found


def stray_cell(cells: Sequence[str], decimal: str = ".") -> str | None:
    """The first cell that is no number where 95 % of the cells or more, but not all, are numbers; else None.

    Such a cell is more likely a slip, or a text for a missing value, than a reason to take the numbers for text.
    Where a cell is a code, such as 00501, the column is one of codes and nothing in it is a slip.

    >>> stray_cell(["1", "2.5"] * 10 + ["oops"]), stray_cell(["1", "oops"])
    ('oops', None)
    """
    written = cells if decimal == "." else [_with_point(cell, decimal) for cell in cells]
    strays = [cell for cell, text in zip(cells, written, strict=True) if parse_number(text) is None]
    few = 0 < len(strays) <= (1 - _NEARLY_ALL) * len(cells) + 1e-9  # 1 of 20 counts, whatever 1 - 0.95 rounds to
    return strays[0] if few and not any(map(_CODE.fullmatch, written)) else None


def _numeric_kind(cells: Sequence[str]) -> str:
    """boolean, integer or number where one of them fits all cells; else empty."""
    if _fits(parse_boolean, cells):
        return "boolean"
    if _fits(_INTEGER.fullmatch, cells) and _fits(parse_integer, cells):
        return "integer"
    if _fits(parse_number, cells) and not any(map(_CODE.fullmatch, cells)):
        return "number"
    return ""


def _fits(parse: Callable[[str], Any], cells: Iterable[str]) -> bool:
    return all(parse(cell) is not None for cell in cells)
