"""What is to be learnt: rows in three parts, and what is asked of a network for each."""

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, DataError
from pullback.data.datasets import Subset, TensorDataset
from pullback.data.embedded import AUSTEN, DIGITS, austen, digits
from pullback.data.encoder import TableEncoder
from pullback.data.partition import random_partition, stratified_partition
from pullback.data.readers import reader_for
from pullback.data.schema import MISSING, StrayCell, parse_number
from pullback.data.source import StrPath, existing_file
from pullback.data.table import Table, Unknown, read_csv
from pullback.data.targets import ClassTarget, Task, infer_task
from pullback.data.text import TextWindows, Vocabulary, split_by_position
from pullback.train.config import DataConfig

Kind = Literal["classification", "regression", "language"]
EMBEDDED = ("digits", "austen")  # sources of data that come with Pullback
TEXTS = (".txt", ".md")  # what a file is called that is read as text

_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows for training, validation and test, and what a network is to give for each.

    `inputs` numbers describe a row, `outputs` are asked for: a score for each of `class_names`, or for regression one
    number. Of text a row is a window of characters, and what follows each of them is asked for: the classes are its
    characters, and `texts` are the three parts as numbers. `encoder` made the rows from a table (None otherwise).
    `fingerprint` tells whether the data is the same. `notes` are sentences that a user should see.
    """

    task: Kind
    train: Any
    validation: Any
    test: Any
    inputs: int
    outputs: int
    class_names: tuple[str, ...]
    fingerprint: str
    encoder: TableEncoder | None = None
    notes: tuple[str, ...] = ()
    texts: tuple[Array, Array, Array] | None = None


def load_problem(config: DataConfig, seed: int) -> Problem:
    """The problem that the settings name; the split of a table is decided by the seed.

    Raises MissingFile and DataError when the file is not there or does not hold what is asked for.
    """
    if config.source == "digits":
        problem = _digits_problem(config)
    elif is_text(config.source):
        problem = _text_problem(config)
    else:
        problem = _table_problem(config, seed)
    return _limited(problem, config.limit)


def is_text(source: str) -> bool:
    """Whether a source of data is text: the embedded novels, or a file of which the name says so."""
    return source == "austen" or source.lower().endswith(TEXTS)


def _limited(problem: Problem, limit: int) -> Problem:
    if not limit or limit >= len(problem.train):
        return problem
    return replace(problem, train=Subset(problem.train, np.arange(limit)))


def _refuse_columns(config: DataConfig, what: str) -> None:
    if config.target or config.task or config.exclude or config.missing or config.categories:
        raise ArgumentError(
            f"{what} no columns: target, task, exclude, missing and categories belong to a table, --data FILE"
        )


def _digits_problem(config: DataConfig) -> Problem:
    _refuse_columns(config, "digits have")
    data = digits()
    return Problem(
        task="classification",
        train=data.train,
        validation=data.validation,
        test=data.test,
        inputs=28 * 28,
        outputs=10,
        class_names=data.class_names,
        fingerprint=fingerprint(DIGITS),
    )


def _text_problem(config: DataConfig) -> Problem:
    """Characters and what follows each; the parts lie one behind the other."""
    _refuse_columns(config, "text has")
    file = AUSTEN if config.source == "austen" else Path(config.source)
    text = austen() if config.source == "austen" else read_text(file)
    vocabulary = Vocabulary.of(text)
    texts = split_by_position(vocabulary.encode(text), config.validation, config.test)
    length = config.context
    half = (length + 1) // 2
    return Problem(
        task="language",
        train=TextWindows(texts[0], length, config.stride or length),
        validation=TextWindows(texts[1], length, 2 * half, half),  # every second piece, for it is told often
        test=_held_out(texts[2], length),
        inputs=length,
        outputs=len(vocabulary),
        class_names=tuple(vocabulary.characters),
        fingerprint=fingerprint(file),
        texts=texts,
    )


def text_windows(text: str, characters: Sequence[str], length: int) -> TextWindows:
    """A text that came later as windows to test a network on, which knows these characters.

    Raises DataError for a character that it does not know.
    """
    return _held_out(Vocabulary("".join(characters)).encode(text), length)


def _held_out(ids: Array, length: int) -> TextWindows:
    """Windows in which every character counts once, and is told from at least half a window before it."""
    half = (length + 1) // 2
    return TextWindows(ids, length, half, half)


def read_text(file: StrPath) -> str:
    """The text in a file.

    Raises MissingFile when it is not there, DataError when it is not text in UTF-8.
    """
    file = existing_file(file)
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no text in UTF-8: {error}") from error


def fingerprint(path: StrPath) -> str:
    """The SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _table_problem(config: DataConfig, seed: int) -> Problem:
    table, notes = _read_table(config)
    task: Task = config.task or infer_task(table[config.target])  # type: ignore[assignment]  # one of its choices
    parts = _split(table, config, task, seed)
    encoder = TableEncoder.fit(table, config.target, parts[0], task, config.exclude)
    train, validation, test = (encoded(encoder, table.take(rows)) for rows in parts)
    notes += [f"column {name!r} is not used: {why}" for name, why in encoder.ignored.items()]
    return Problem(
        task=encoder.target.task,
        train=train,
        validation=validation,
        test=test,
        inputs=len(encoder.labels),
        outputs=encoder.target.outputs,
        class_names=class_names(encoder),
        fingerprint=fingerprint(config.source),
        encoder=encoder,
        notes=tuple(notes),
    )


def _read_table(config: DataConfig) -> tuple[Table, list[str]]:
    """The rows whose target is known, and a sentence about those left out."""
    reader = reader_for(config.source)
    if reader.name != "csv":
        raise DataError(f"{config.source} is {reader.name}; a table to train on is a CSV file")
    table = _with_rows(_typed_table(config))
    _refuse_decimal_commas(table, config)
    if not config.target:
        columns = ", ".join(table.names)
        raise DataError(f"{config.source}: name the column to predict with --target; there are {columns}")
    if table[config.target].kind == "text":
        raise DataError(
            f"{config.source}: column {config.target!r} holds text, neither a number nor one of a few classes; "
            f"choose another target, or make its texts classes: --categories {shlex.quote(config.target)}"
        )
    known = table.drop_missing(config.target)
    left_out = len(table) - len(known)
    notes = [f"{left_out:,} of {len(table):,} rows are left out: they have no {config.target!r}"] if left_out else []
    return known, notes


def _typed_table(config: DataConfig) -> Table:
    """The table, with columns that are not used read as text, whatever they hold.

    Raises DataError with the settings that help for a cell that is no number among numbers.
    """
    types = dict.fromkeys(config.categories, "category") | dict.fromkeys(config.exclude, "text")
    try:
        return read_csv(config.source, types=types, missing=(*MISSING, *config.missing))
    except StrayCell as stray:
        raise DataError(
            f"{stray.finding}; if it means that the value is missing, --missing {shlex.quote(stray.cell)}; if the "
            f"column names categories, --categories {shlex.quote(stray.column)}; "
            f"to leave the column out, --exclude {shlex.quote(stray.column)}"
        ) from None


def _with_rows(table: Table) -> Table:
    """The table, when it has a row."""
    if not len(table):
        raise DataError(f"{table.source} has no rows: it holds the names of the columns and nothing below them")
    return table


def _refuse_decimal_commas(table: Table, config: DataConfig) -> None:
    """Raise DataError for a column of numbers with commas, which would be taken for text or categories."""
    for name in table.names:
        cells = [] if name in (*config.exclude, *config.categories) else _texts(table, name)
        commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
        if commas and all(parse_number(cell.replace(",", ".", 1)) is not None for cell in cells):
            raise DataError(
                f"{table.source}, column {name!r}: {commas[0]!r} is written with a comma; write numbers with a decimal "
                f"point, such as {commas[0].replace(',', '.')}; if these are names of categories, --categories "
                f"{shlex.quote(name)}; to leave the column out, --exclude {shlex.quote(name)}"
            )


def _texts(table: Table, name: str) -> list[str]:
    """The cells of a column that was not taken for numbers."""
    column = table[name]
    return [cell for cell in column.texts() if cell is not None] if column.kind in ("text", "category") else []


def _split(table: Table, config: DataConfig, task: Task, seed: int) -> list[Array]:
    """The row numbers for training, validation and test; classes in equal shares."""
    if config.validation + config.test >= 1:
        raise DataError(
            f"the shares for validation ({config.validation:g}) and test ({config.test:g}) leave no rows to train on"
        )
    held_out = [round(len(table) * share) for share in (config.validation, config.test)]
    sizes = [len(table) - sum(held_out), *held_out]
    if min(sizes) < 2:
        raise DataError(
            f"{table.source} has {len(table)} rows with a target, too few for training, validation and test"
        )
    if task == "classification":
        return stratified_partition(table[config.target].texts(), sizes, seed)
    return random_partition(len(table), sizes, seed)


def read_rows(encoder: TableEncoder, path: StrPath, unknown: Unknown = "error", with_target: bool = True) -> Table:
    """The rows of a CSV file that came after the encoder: read as its own were, without the columns it does not use.

    Without the target that column is not used either, whatever it holds.

    Raises MissingFile and DataError when the file does not fit.
    """
    left_out = {*encoder.ignored} if with_target else {*encoder.ignored, encoder.target.name}
    used = tuple(column for column in encoder.schema.columns if column.name not in left_out)
    return _with_rows(read_csv(path, schema=replace(encoder.schema, columns=used), unknown=unknown))


def encoded(encoder: TableEncoder, table: Table) -> TensorDataset:
    """Features and targets of the rows of a table."""
    return TensorDataset(encoder.features(table), encoder.targets(table))


def class_names(encoder: TableEncoder) -> tuple[str, ...]:
    """The names of the classes that the encoder's target has; none for a number."""
    return encoder.target.classes if isinstance(encoder.target, ClassTarget) else ()
