"""What a network is to predict from a table: a class or a number, and the way there and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, DataError, ShapeError, suggest
from pullback.data.convert import as_array
from pullback.data.standardize import mean_and_scale
from pullback.data.table import Column, Table

Task = Literal["classification", "regression"]
TASKS = ("classification", "regression")
MAX_WHOLE_CLASSES = 20
ROWS_PER_CLASS = 5


def infer_task(column: Column) -> Task:
    """Whether predicting this column means choosing a class or finding a number.

    Categories and booleans are classes. Whole numbers are classes when at most 20 different ones occur, each
    five times or more on average; all other numbers are numbers.

    Raises DataError for a column of text.
    """
    if column.kind == "text":
        raise DataError(
            f"column {column.name!r} holds text, which is neither a number nor one of a few classes; "
            "choose another target, or name its type 'category'"
        )
    if column.kind in ("category", "boolean"):
        return "classification"
    present = column.values[~column.missing]
    different = np.unique(present)
    few = len(different) <= MAX_WHOLE_CLASSES and len(present) >= ROWS_PER_CLASS * len(different)
    return "classification" if few and np.all(different == np.floor(different)) else "regression"


@dataclass(frozen=True)
class ClassTarget:
    """A class to choose: `classes` are the names of the codes 0, 1, 2, ...

    >>> ClassTarget("pet", ("cat", "dog")).decode([[0.2, 1.5], [3.0, -1.0]])
    ['dog', 'cat']
    """

    name: str
    classes: tuple[str, ...]
    task: Task = "classification"

    @classmethod
    def fit(cls, table: Table, name: str) -> "ClassTarget":
        """The classes that occur in the column, numbers by size and names by the alphabet.

        Raises DataError when there are fewer than two.
        """
        column = table[name]
        present = np.flatnonzero(~column.missing)
        _, first = np.unique(column.values[present], return_index=True)
        classes = tuple(_class_names(column.take(present[first])))
        if len(classes) < 2:
            found = classes[0] if classes else "none"
            raise DataError(f"{table.source}: column {name!r} needs at least two classes; it has {found}")
        return cls(name, classes)

    @property
    def outputs(self) -> int:
        """How many numbers a network must give: one score for each class."""
        return len(self.classes)

    def encode(self, table: Table) -> Array:
        """The class of each row, (n,) int64.

        Raises DataError, naming the place, for a missing value or a class that is not known.
        """
        column = _complete(table, self.name)
        codes = {name: code for code, name in enumerate(self.classes)}
        encoded = np.array([codes.get(name, -1) for name in _class_names(column)], dtype=np.int64)
        if (encoded < 0).any():
            row = int(np.flatnonzero(encoded < 0)[0])
            name = _class_names(column.take([row]))[0]
            known = ", ".join(self.classes)
            near = suggest(name, self.classes)
            raise DataError(f"{table.place(row, self.name)}: {name!r} is no class.{near} Known are {known}")
        return encoded

    def decode(self, outputs: Any) -> list[str]:
        """The names of the classes with the highest scores, from scores (n, classes).

        Raises ShapeError for another shape.
        """
        scores = as_array(outputs)
        if scores.ndim != 2 or scores.shape[1] != len(self.classes):
            raise ShapeError(f"scores must have the shape (n, {len(self.classes)}); got {scores.shape}")
        return [self.classes[code] for code in scores.argmax(axis=1)]

    def to_dict(self) -> dict[str, Any]:
        """The target as plain values, ready for JSON."""
        return {"task": self.task, "name": self.name, "classes": list(self.classes)}


@dataclass(frozen=True)
class NumberTarget:
    """A number to find, standardised: z = (y - mean) / scale with the training rows' mean and deviation.

    >>> NumberTarget("price", mean=100.0, scale=20.0).decode([[-1.0], [0.5]]).tolist()
    [80.0, 110.0]
    """

    name: str
    mean: float
    scale: float
    task: Task = "regression"

    @classmethod
    def fit(cls, table: Table, name: str, rows: Array) -> "NumberTarget":
        """Mean and scale of the column over these rows.

        Raises DataError when the column holds no numbers, or the same in all rows.
        """
        kind = table[name].kind
        if kind not in ("integer", "number", "boolean"):
            raise DataError(f"{table.source}: column {name!r} holds {kind}, but regression needs numbers")
        values = _complete(table.take(rows), name).values.astype(np.float64)
        if values.min() == values.max():
            found = f"{values[0]:g} in all training rows"
            raise DataError(f"{table.source}: column {name!r} is {found}; there is nothing to learn")
        mean, scale = mean_and_scale(values)
        return cls(name, mean.item(), scale.item())

    @property
    def outputs(self) -> int:
        """How many numbers a network must give: one."""
        return 1

    def encode(self, table: Table) -> Array:
        """The standardised numbers, (n, 1) float32.

        Raises DataError, naming the place, for a missing value, and for a number so far from those of the training
        rows that it leaves float32's range.
        """
        values = _complete(table, self.name).values.astype(np.float64)
        with np.errstate(over="ignore"):  # told below, with the place
            encoded: Array = ((values - self.mean) / self.scale).astype(np.float32)
        lost = np.flatnonzero(~np.isfinite(encoded))
        if lost.size:
            place = table.place(int(lost[0]), self.name)
            raise DataError(f"{place}: this number is too far from those of the training rows")
        return encoded[:, None]

    def decode(self, outputs: Any) -> Array:
        """The numbers in the column's own unit, (n,) float64, from outputs (n, 1).

        Raises ShapeError for another shape.
        """
        given = as_array(outputs)
        if given.shape[1:] not in ((), (1,)) or given.ndim == 0:
            raise ShapeError(f"outputs must have the shape (n, 1); got {given.shape}")
        return given.astype(np.float64).reshape(len(given)) * self.scale + self.mean

    def to_dict(self) -> dict[str, Any]:
        """The target as plain values, ready for JSON."""
        return {"task": self.task, "name": self.name, "mean": self.mean, "scale": self.scale}


Target = ClassTarget | NumberTarget


def fit_target(table: Table, name: str, rows: Array, task: Task | None = None) -> Target:
    """The target for a column: of the task named, or of the one that its values suggest (see `infer_task`).

    Raises DataError for a column that cannot be a target, ArgumentError for an unknown task.
    """
    if task is not None and task not in TASKS:
        raise ArgumentError(f"task must be {' or '.join(TASKS)}; got {task!r}.{suggest(str(task), TASKS)}")
    _complete(table, name)
    chosen = task or infer_task(table[name])
    return ClassTarget.fit(table, name) if chosen == "classification" else NumberTarget.fit(table, name, rows)


def target_from_dict(data: Mapping[str, Any]) -> Target:
    """The target that `to_dict` described."""
    if data["task"] == "classification":
        return ClassTarget(data["name"], tuple(data["classes"]))
    return NumberTarget(data["name"], float(data["mean"]), float(data["scale"]))


def _complete(table: Table, name: str) -> Column:
    """The column, when no value is missing."""
    column = table[name]
    gone = np.flatnonzero(column.missing)
    if gone.size:
        place = table.place(int(gone[0]), name)
        raise DataError(
            f"{place}: the target is missing here and in {gone.size - 1} other rows; "
            f"take those rows out with drop_missing({name!r})"
        )
    return column


def _class_names(column: Column) -> list[str]:
    """The name of each row's class; 1.0 and 1 are the same class."""
    if column.kind == "number":
        return [f"{value:.15g}" for value in column.values]
    return [str(text) for text in column.texts()]
