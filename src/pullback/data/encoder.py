"""From the columns of a table to the numbers that a network takes, fitted on the training rows alone."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import DataError
from pullback.data.schema import Schema
from pullback.data.standardize import mean_and_scale
from pullback.data.table import Column, Table
from pullback.data.targets import Target, Task, fit_target, target_from_dict

_FORMAT = "pullback.table_encoder/1"
_ROW_NUMBERS = ("id", "index", "row", "no", "nr", "number", "rownames")


@dataclass(frozen=True)
class NumberFeature:
    """A column of integers, numbers or booleans: standardised, 0 (the mean) where missing.

    With `indicator`, for columns in which training rows were missing, one more feature says where.
    """

    name: str
    mean: float
    scale: float
    indicator: bool

    @classmethod
    def fit(cls, column: Column) -> "NumberFeature":
        """Mean and scale of the values that are there."""
        values = np.where(column.missing, np.nan, column.values.astype(np.float64))
        mean, scale = mean_and_scale(values)
        return cls(column.name, mean.item(), scale.item(), bool(column.missing.any()))

    @property
    def labels(self) -> list[str]:
        """The names of the features."""
        return [self.name, f"{self.name} is missing"] if self.indicator else [self.name]

    def encode(self, column: Column) -> Array:
        """The features, (n, 1) or (n, 2) float32."""
        scaled = (column.values.astype(np.float64) - self.mean) / self.scale
        filled = np.where(column.missing, 0.0, scaled)
        columns = [filled, column.missing] if self.indicator else [filled]
        return np.stack(columns, axis=1).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """The feature as plain values, ready for JSON."""
        return {"kind": "number", **asdict(self)}


@dataclass(frozen=True)
class CategoryFeature:
    """A column of categories: one feature for each that occurs in the training rows, 1 where the row has it.

    A row of another category has 0 in all. With `indicator`, for columns in which training rows were
    missing, one more feature says where.
    """

    name: str
    categories: tuple[str, ...]
    indicator: bool

    @classmethod
    def fit(cls, column: Column) -> "CategoryFeature":
        """The categories that occur."""
        codes = np.unique(column.values[~column.missing])
        names = tuple(column.type.categories[code] for code in codes)
        return cls(column.name, names, bool(column.missing.any()))

    @property
    def labels(self) -> list[str]:
        """The names of the features."""
        named = [f"{self.name} = {category}" for category in self.categories]
        return [*named, f"{self.name} is missing"] if self.indicator else named

    def encode(self, column: Column) -> Array:
        """The features, (n, categories) float32, and one column more with the indicator."""
        place = {category: i for i, category in enumerate(self.categories)}
        # Where each of the column's codes goes. Code -1, a missing value, finds the last entry: nowhere.
        places = np.array([*(place.get(category, -1) for category in column.type.categories), -1])
        encoded: Array = places[column.values][:, None] == np.arange(len(self.categories))
        if self.indicator:
            encoded = np.concatenate([encoded, column.missing[:, None]], axis=1)
        return encoded.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """The feature as plain values, ready for JSON."""
        return {"kind": "category", **asdict(self), "categories": list(self.categories)}


Feature = NumberFeature | CategoryFeature


@dataclass(frozen=True)
class TableEncoder:
    """Features and target of a table's rows, with all that was measured on the training rows.

    Made by `TableEncoder.fit`, saved as JSON through `to_dict`. Rows that come later are read with
    `read_csv(path, schema=encoder.schema, optional=[encoder.target.name])` and encoded the same way.

    `ignored` says of every column that is not used why it is not.

    >>> from pullback.data.table import table_from_rows
    >>> rows = [{"size": 50, "garden": "no", "price": 99.5}, {"size": 70, "garden": "yes", "price": 120.0}]
    >>> table = table_from_rows(rows)
    >>> encoder = TableEncoder.fit(table, target="price")
    >>> encoder.labels, encoder.features(table).tolist()
    (['size', 'garden'], [[-1.0, -1.0], [1.0, 1.0]])
    >>> encoder.target.decode(encoder.targets(table)).tolist()
    [99.5, 120.0]
    """

    schema: Schema
    target: Target
    parts: tuple[Feature, ...]
    ignored: Mapping[str, str]

    @classmethod
    def fit(
        cls, table: Table, target: str, rows: Any = None, task: Task | None = None, exclude: Sequence[str] = ()
    ) -> "TableEncoder":
        """The encoder for a table and the column to predict, measured on the rows named (all when None).

        Numbers and booleans are standardised, categories become one feature each (see `NumberFeature` and
        `CategoryFeature`). Left out are columns of text, columns that are the same in all training rows,
        columns that only count the rows (called id, index or the like, and rising from row to row),
        and those in `exclude`. Classification or regression is told from the target's column
        (see `infer_task`) unless `task` says it. Classes are taken from all rows: they are what may be
        answered.

        Raises DataError for a column that does not exist, a missing target, no rows, and no features.
        """
        everything = np.arange(len(table))
        chosen = everything if rows is None else everything[rows]
        training = table.take(chosen)
        if not len(training):
            raise DataError(f"{table.source}: no rows to fit on")
        fitted = fit_target(table, target, chosen, task)
        excluded = {table[name].name for name in exclude}
        ignored = {name: _why_not(training[name], table, excluded) for name in table.names if name != target}
        used = [training[name] for name, reason in ignored.items() if not reason]
        ignored = {name: reason for name, reason in ignored.items() if reason}
        if not used:
            told = "; ".join(f"{name}: {why}" for name, why in ignored.items()) or "it is the only one"
            raise DataError(f"{table.source}: no column is left to predict {target!r} from ({told})")
        return cls(table.schema, fitted, tuple(map(_fit_feature, used)), ignored)

    @property
    def labels(self) -> list[str]:
        """The name of each feature, in order."""
        return [label for part in self.parts for label in part.labels]

    def features(self, table: Table) -> Array:
        """The features of each row, (n, features) float32.

        Raises DataError when a column is not there, is of another kind, or holds a number so far from those
        of the training rows that it leaves float32's range.
        """
        with np.errstate(over="ignore"):  # told below, with the place
            features = np.concatenate([part.encode(_fitting(table, part)) for part in self.parts], axis=1)
        lost = np.argwhere(~np.isfinite(features))
        if lost.size:
            place = table.place(int(lost[0, 0]), self.labels[lost[0, 1]])
            raise DataError(f"{place}: this number is too far from those of the training rows")
        return features

    def targets(self, table: Table) -> Array:
        """The target of each row: classes (n,) int64, or standardised numbers (n, 1) float32.

        Raises DataError, naming the place, for a missing value or an unknown class.
        """
        return self.target.encode(table)

    def to_dict(self) -> dict[str, Any]:
        """The encoder as plain dicts and lists, ready for JSON."""
        return {
            "format": _FORMAT,
            "schema": self.schema.to_dict(),
            "target": self.target.to_dict(),
            "features": [part.to_dict() for part in self.parts],
            "ignored": dict(self.ignored),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TableEncoder":
        """The encoder that `to_dict` described.

        Raises DataError when the dict is something else.
        """
        if data.get("format") != _FORMAT:
            raise DataError(f"a table encoder has the format {_FORMAT!r}; got {data.get('format')!r}")
        parts = tuple(_feature_from_dict(part) for part in data["features"])
        schema, target = Schema.from_dict(data["schema"]), target_from_dict(data["target"])
        return cls(schema, target, parts, dict(data["ignored"]))


def _fit_feature(column: Column) -> Feature:
    return CategoryFeature.fit(column) if column.kind == "category" else NumberFeature.fit(column)


def _feature_from_dict(data: Mapping[str, Any]) -> Feature:
    if data["kind"] == "category":
        return CategoryFeature(data["name"], tuple(data["categories"]), bool(data["indicator"]))
    return NumberFeature(data["name"], float(data["mean"]), float(data["scale"]), bool(data["indicator"]))


def _fitting(table: Table, part: Feature) -> Column:
    """The column that the feature was made from, when it is still of that kind."""
    column = table[part.name]
    numeric = column.kind in ("integer", "number", "boolean")
    if column.kind == "text" or numeric != isinstance(part, NumberFeature):
        wanted = "numbers" if isinstance(part, NumberFeature) else "categories"
        raise DataError(
            f"{table.source}: column {part.name!r} held {wanted} in training and holds {column.kind} here; "
            "read the rows with the encoder's schema"
        )
    return column


def _why_not(column: Column, table: Table, excluded: Set[str]) -> str:
    """Why a column of the training rows does not serve as a feature; empty when it does."""
    if column.name in excluded:
        return "excluded"
    if column.kind == "text":
        return "text"
    present = column.values[~column.missing]
    if not present.size:
        return "missing in all training rows"
    if len(np.unique(present)) == 1 and not column.missing.any():
        return "the same in all training rows"
    return "counts the rows" if _counts_rows(table[column.name]) else ""


def _counts_rows(column: Column) -> bool:
    """Whether a column is named like a row number, and rises from row to row as one does; rows may be left out."""
    name = column.name.lower()
    if column.kind != "integer" or not (name in _ROW_NUMBERS or name.endswith(("_id", " id"))):
        return False
    return bool((np.diff(column.values) > 0).all())
