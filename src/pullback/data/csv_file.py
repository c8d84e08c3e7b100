"""CSV files as records of text, each with the line on which it begins."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pullback.base.errors import ArgumentError, DataError
from pullback.data.source import StrPath, read_bytes

DELIMITERS = (",", ";", "\t", "|")
_ZIP = b"PK\x03\x04"
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SAMPLE = 50_000  # characters that are looked at to find the delimiter


@dataclass(frozen=True)
class Records:
    """Rows of text under named columns. `lines` holds the line of the file on which each row begins."""

    source: str
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]


def read_records(
    path: StrPath, delimiter: str | None = None, encoding: str | None = None, header: bool = True
) -> Records:
    """The records of a CSV file (quotes as in RFC 4180; blank lines are skipped; spaces around fields are
    cut).

    Without `delimiter`, the one of comma, semicolon, tab and bar is taken that gives the first records equal
    numbers of fields. Without `encoding`, UTF-8, or UTF-16 where a byte order mark says so. Without a header
    the columns are called column_1, column_2 and so on; a first column without a name is called index.

    Raises DataError naming the file and the line for a quote that never ends, a row of another length, bytes
    that are not text in the encoding, and columns without a name or with the same one.

    Source: RFC 4180.
    """
    text = _decode(read_bytes(path), str(path), encoding)
    records = list(_parse(text, str(path), _delimiter(text, delimiter)))
    if not records:
        raise DataError(f"{path} is empty: not even a line with the names of the columns")
    line, first = records[0]
    if header:
        names = _check_names(first, f"{path}, line {line}")
        del records[0]
    else:
        names = tuple(f"column_{i + 1}" for i in range(len(first)))
    _check_lengths(records, len(names), str(path))
    return Records(str(path), names, [row for _, row in records], [line for line, _ in records])


def _decode(raw: bytes, source: str, encoding: str | None) -> str:
    if raw.startswith(_ZIP):
        raise DataError(f"{source} is a zip archive, as spreadsheets are; save the sheet as CSV")
    chosen = encoding or _BYTE_ORDER_MARKS.get(raw[:2], "utf-8-sig")
    try:
        text = raw.decode(chosen)
    except LookupError:
        raise ArgumentError(f"{chosen!r} is no encoding that Python knows") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source}, line {line}: byte {raw[error.start]:#04x} is not {chosen.removesuffix('-sig').upper()} text; "
            "if it is a text in another encoding, such as latin-1, save it as UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{source}, line {line}: a zero byte, which no text holds; this is another kind of file")
    return text


def _delimiter(text: str, asked: str | None) -> str:
    """The delimiter asked for, or the one that cuts the first records into the most equal fields."""
    if asked is not None:
        if len(asked) != 1 or asked in '"\r\n':
            raise ArgumentError(f"delimiter must be one character, not a quote or a line end; got {asked!r}")
        return asked
    return max(DELIMITERS, key=lambda each: _equal_fields(text, each))


def _equal_fields(text: str, delimiter: str) -> tuple[bool, int]:
    """Whether all sampled records have the same number of fields, and the first record's number."""
    reader = csv.reader(io.StringIO(text[:_SAMPLE], newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        lengths = [len(row) for row in reader if row]
    except csv.Error:
        return False, 0
    if len(text) > _SAMPLE and len(lengths) > 1:
        lengths.pop()  # the sample ends in the middle of it
    return len(set(lengths)) == 1 and lengths[0] > 1, lengths[0] if lengths else 0


def _parse(text: str, source: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, each with the line it begins on."""
    file = io.StringIO(text, newline="")
    reader = csv.reader(file, delimiter=delimiter, strict=True, skipinitialspace=True)
    begins = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{source}, line {begins}: {_csv_problem(str(error))}") from error
        fields = [field.strip() for field in row]
        if len(fields) > 1 or any(fields):
            yield begins, fields
        begins = reader.line_num + 1


def _csv_problem(message: str) -> str:
    if "unexpected end of data" in message:
        return "a quote is opened here and never closed"
    if "expected after" in message:
        return 'text follows a closing quote; write a quote within quotes twice ("")'
    return f"not CSV: {message}"


def _check_names(names: Sequence[str], place: str) -> tuple[str, ...]:
    if not names[0] and "index" not in names:
        names = ["index", *names[1:]]  # what data frames write in front of their columns
    for i, name in enumerate(names):
        if not name:
            raise DataError(f"{place}: column {i + 1} has no name; the first line must name every column")
        if name in names[:i]:
            columns = f"columns {names.index(name) + 1} and {i + 1}"
            raise DataError(f"{place}: {columns} are both called {name!r}; every column needs its own name")
    return tuple(names)


def _check_lengths(records: list[tuple[int, list[str]]], wanted: int, source: str) -> None:
    for line, row in records:
        if len(row) != wanted:
            raise DataError(
                f"{source}, line {line}: {len(row)} fields where the first line has {wanted}; "
                "put a field that contains the delimiter into quotes"
            )
