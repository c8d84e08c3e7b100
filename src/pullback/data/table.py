"""Tables: named, typed columns, from CSV files or from rows of Python values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, DataError, DTypeError, suggest
from pullback.data.csv_file import Records, read_records
from pullback.data.schema import (
    MISSING,
    ColumnType,
    Schema,
    StrayCell,
    boolean_spelling,
    infer_type,
    no_column,
    parser_of,
    stray_cell,
)
from pullback.data.source import StrPath

Unknown = Literal["error", "missing"]
# What stands where a value is missing; `Column.missing` says where that is.
_PLACEHOLDER: dict[str, Any] = {"integer": 0, "number": np.nan, "boolean": False, "category": -1, "text": ""}
_DTYPE: dict[str, Any] = {
    "integer": np.int64,
    "number": np.float64,
    "boolean": np.bool_,
    "category": np.int64,
    "text": np.object_,
}


@dataclass(frozen=True, eq=False)
class Column:
    """One column: `values` (n,) and, where `missing` (n,) is True, a placeholder.

    | kind | dtype of values | placeholder |
    |---|---|---|
    | integer | int64 | 0 |
    | number | float64 | NaN |
    | boolean | bool | False |
    | category | int64 codes into `type.categories` | -1 |
    | text | object (str) | "" |
    """

    type: ColumnType
    values: Array
    missing: Array

    @property
    def name(self) -> str:
        """The name of the column."""
        return self.type.name

    @property
    def kind(self) -> str:
        """integer, number, boolean, category or text."""
        return self.type.kind

    def __len__(self) -> int:
        return len(self.values)

    def texts(self) -> list[str | None]:
        """The values as text, categories by their names, booleans as the column spells them, None where missing."""
        if self.kind == "category":
            cells: Sequence[Any] = [self.type.categories[code] for code in self.values]
        elif self.kind == "boolean":
            spelling = self.type.categories or ("false", "true")
            cells = [spelling[int(value)] for value in self.values]
        else:
            cells = [str(value) for value in self.values.tolist()]
        return [None if gone else cell for cell, gone in zip(cells, self.missing, strict=True)]

    def take(self, rows: Any) -> "Column":
        """The column of the rows chosen by an index array or a mask."""
        return replace(self, values=self.values[rows], missing=self.missing[rows])


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one length under their names, and the place that each row came from.

    Made by `read_csv` and `table_from_rows`. `source` names the file, `lines` (n,) holds the line of each
    row.

    >>> table = table_from_rows([{"age": 3, "colour": "red"}, {"age": None, "colour": "blue"}])
    >>> table["age"].kind, table["colour"].texts(), len(table)
    ('integer', ['red', 'blue'], 2)
    """

    columns: Mapping[str, Column]
    schema: Schema
    source: str
    lines: Array

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise DataError(f"{self.source}: {no_column(name, self.names)}")
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.columns)

    def place(self, row: int, name: str) -> str:
        """Where a cell came from, in words, such as "my.csv, line 7, column 'age'"."""
        return _place(self.source, int(self.lines[row]), name)

    def take(self, rows: Any) -> "Table":
        """The table of the rows chosen by an index array or a mask, in that order."""
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        return replace(self, columns=columns, lines=self.lines[rows])

    def drop_missing(self, *names: str) -> "Table":
        """The table without the rows in which one of these columns (of all, when none is named) is missing.

        Raises DataError for a name that is no column.
        """
        gone = [self[name].missing for name in names or self.names]
        return self.take(~np.any(gone, axis=0)) if gone else self

    def __repr__(self) -> str:
        kinds = ", ".join(f"{column.name}: {column.kind}" for column in self.columns.values())
        return f"Table({len(self)} rows from {self.source}; {kinds})"


def read_csv(
    path: StrPath,
    *,
    schema: Schema | None = None,
    types: Mapping[str, str] | None = None,
    optional: Sequence[str] = (),
    unknown: Unknown = "error",
    missing: Sequence[str] = MISSING,
    decimal: str = ".",
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool = True,
) -> Table:
    """The table in a CSV file, packed with gzip or not.

    Without `schema` the kind of every column is inferred (see `infer_type`), except where `types` names it,
    as in {"zip": "category"}; `missing` lists the texts that mean that a value is missing, as an empty cell
    always does, `decimal` the character before the fraction. With `schema`, that of an earlier table, every
    cell is read by it: columns that it does not name are left out, columns that it names must be there unless
    `optional` lists them, and a category that it does not know is an error, or with `unknown="missing"` a
    missing value.

    `delimiter` and `encoding` are found out when not given; without `header` columns are called column_1,
    column_2 and so on.

    Raises MissingFile when there is no such file; DataError, naming file, line and column, for what does not
    fit, and for a cell that is no number where at least 95 % of the column's cells are and `types` does not say
    what the column is.

    >>> import tempfile, pathlib
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "flats.csv")
    >>> _ = path.write_text("rooms,garden,price\\n3,yes,120.5\\n,no,99\\n")
    >>> table = read_csv(path)
    >>> [column.kind for column in table.columns.values()]
    ['integer', 'boolean', 'number']
    >>> table["rooms"].missing.tolist()
    [False, True]
    >>> folder.cleanup()
    """
    records = read_records(path, delimiter, encoding, header)
    if schema is not None and types:
        raise ArgumentError("give schema or types, not both: a schema already says what every column is")
    schema = schema or _infer_schema(records, types or {}, missing, decimal)
    return _read_table(records, schema, optional, unknown)


def table_from_rows(
    rows: Sequence[Mapping[str, Any]],
    *,
    schema: Schema | None = None,
    types: Mapping[str, str] | None = None,
    optional: Sequence[str] = (),
    unknown: Unknown = "error",
    missing: Sequence[str] = MISSING,
    source: str = "rows",
) -> Table:
    """The table of rows given as dicts, read as `read_csv` would read their text. None and NaN are missing.

    Raises DataError, naming row and column, for what does not fit; the first row is line 1. DTypeError for rows
    that are no dicts, and for cells that hold several values.

    >>> table_from_rows([{"x": 1.5}, {"x": 2}])["x"].values
    array([1.5, 2. ])
    """
    for line, row in enumerate(rows, 1):
        _check_row(row, f"{source}, line {line}")
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    decimal = schema.decimal if schema else "."
    cells = [[_as_text(row.get(name), decimal) for name in names] for row in rows]
    records = Records(source, names, cells, list(range(1, len(rows) + 1)))
    schema = schema or _infer_schema(records, types or {}, missing, decimal)
    return _read_table(records, schema, optional, unknown)


def _check_row(row: Any, place: str) -> None:
    """Raise DTypeError for a row that is no dict and for a cell that is no single value."""
    if not isinstance(row, Mapping):
        raise DTypeError(
            f"{place}: a row is a dict of column names and values, such as {{'x': 1.5}}; got {type(row).__name__}"
        )
    for name, value in row.items():
        if getattr(value, "ndim", 0) or isinstance(value, (list, tuple, set, Mapping)):
            raise DTypeError(
                f"{place}, column {name!r}: a cell holds one number or text; got {type(value).__name__}: "
                "give each of its values a column of its own"
            )


def _as_text(value: Any, decimal: str) -> str:
    if value is None or value != value:  # NaN alone differs from itself
        return ""
    return str(value).replace(".", decimal) if isinstance(value, Real) else str(value).strip()


def _read_table(records: Records, schema: Schema, optional: Sequence[str], unknown: Unknown) -> Table:
    if unknown not in ("error", "missing"):
        raise ArgumentError(f"unknown must be 'error' or 'missing'; got {unknown!r}")
    wanted = [column for column in schema.columns if _is_there(column.name, records, optional)]
    columns = {column.name: _read_column(column, records, schema, unknown) for column in wanted}
    return Table(columns, schema, records.source, np.array(records.lines, np.int64))


def _is_there(name: str, records: Records, optional: Sequence[str]) -> bool:
    if name in records.names:
        return True
    if name in optional:
        return False
    near, there = suggest(name, records.names), ", ".join(records.names) or "none"
    raise DataError(f"{records.source}: column {name!r} is missing.{near} There are {there}")


def _infer_schema(records: Records, types: Mapping[str, str], missing: Sequence[str], decimal: str) -> Schema:
    if len(decimal) != 1:
        raise ArgumentError(f"decimal must be one character; got {decimal!r}")
    for name in types:
        if name not in records.names:
            raise DataError(f"{records.source}: {no_column(name, records.names)}")
    columns = []
    for name in records.names:
        cells = [cell for cell in _cells(records, name) if not _is_missing(cell, missing)]
        if name in types:
            columns.append(_as_told(name, types[name], cells))
        else:
            _refuse_stray(records, name, stray_cell(cells, decimal))
            columns.append(infer_type(name, cells, decimal))
    return Schema(tuple(columns), tuple(missing), decimal)


def _as_told(name: str, kind: str, cells: Sequence[str]) -> ColumnType:
    if kind == "boolean":
        return ColumnType(name, kind, boolean_spelling(cells))
    return ColumnType(name, kind, tuple(sorted(set(cells))) if kind == "category" else ())


def _refuse_stray(records: Records, name: str, cell: str | None) -> None:
    if cell is not None:
        line = records.lines[_cells(records, name).index(cell)]
        raise StrayCell(_place(records.source, line, name), name, cell)


def _cells(records: Records, name: str) -> list[str]:
    at = records.names.index(name)
    return [row[at] for row in records.rows]


def _is_missing(cell: str, missing: Sequence[str]) -> bool:
    return not cell or cell in missing


def _read_column(type_: ColumnType, records: Records, schema: Schema, unknown: Unknown) -> Column:
    cells = _cells(records, type_.name)
    missing = np.array([_is_missing(cell, schema.missing) for cell in cells], dtype=bool)
    parse = _parser(type_, schema.decimal, unknown)
    values = [_PLACEHOLDER[type_.kind]] * len(cells)
    for row in np.flatnonzero(~missing).tolist():
        value = parse(cells[row])
        if value is None:
            place = _place(records.source, records.lines[row], type_.name)
            raise DataError(f"{place}: {cells[row]!r} {_misfit(cells[row], type_)}")
        values[row] = value
    array = np.array(values, dtype=_DTYPE[type_.kind])
    return Column(type_, array, missing | (array < 0) if type_.kind == "category" else missing)


def _parser(type_: ColumnType, decimal: str, unknown: Unknown) -> Callable[[str], Any]:
    """What turns a cell into its value, or into None where it does not fit the type."""
    if type_.kind != "category":
        return parser_of(type_.kind, decimal)
    codes = {category: code for code, category in enumerate(type_.categories)}
    return codes.get if unknown == "error" else lambda cell: codes.get(cell, -1)


def _place(source: str, line: int, name: str) -> str:
    return f"{source}, line {line}, column {name!r}"


_MISFIT = {
    "integer": "is no integer of at most 64 bits; where fractions are meant, the column's type is 'number'",
    "number": "is no finite number",
    "boolean": "is neither true, yes, false nor no",
}


def _misfit(cell: str, type_: ColumnType) -> str:
    """Why the text is no value of the type, to follow it in a sentence."""
    if type_.kind != "category":
        return _MISFIT[type_.kind]
    known = type_.categories
    some = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
    return f"is none of the {len(known)} known categories.{suggest(cell, known)} Known are {some or 'none'}"
