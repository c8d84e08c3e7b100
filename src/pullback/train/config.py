"""What a run is: its data, its network, its optimizer and schedule, and how long it trains."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, Self

from pullback.base.errors import PullbackError, suggest
from pullback.data.source import StrPath, existing_file
from pullback.train.networks import ModelConfig, Network
from pullback.train.optimizers import OPTIMIZERS, SCHEDULES, Choice, try_optimizer, try_schedule
from pullback.train.settings import Path, SettingsError, Where, change, checked_value, setting, unknown_key
from pullback.train.toml_text import line_of


@dataclass(frozen=True)
class DataConfig:
    """Where the rows come from and how they are split."""

    source: str = setting("digits", '"digits" or "austen", which come with Pullback, or the path of a CSV or text file')
    target: str = setting("", "the column to predict")
    task: str = setting("", "empty: told from the column", choices=("", "classification", "regression"))
    exclude: tuple[str, ...] = setting((), "columns that are not to be used")
    missing: tuple[str, ...] = setting((), "further texts that mean that a value is missing")
    categories: tuple[str, ...] = setting((), "columns whose numbers are names of categories")
    validation: float = setting(0.15, "share of the rows that choose the best weights", above=0, below=1)
    test: float = setting(0.15, "share of the rows that are seen once, at the end", above=0, below=1)
    limit: int = setting(0, "train on this many rows at most; 0: on all", low=0)
    context: int = setting(64, "of text: characters of a window, which is a row", low=1)
    stride: int = setting(0, "of text: from one window to the next; 0: as long as a window", low=0)


@dataclass(frozen=True)
class TrainingConfig:
    """How long, in what portions, and when to stop."""

    epochs: int = setting(20, "passes over the training rows", low=1)
    epoch_rows: int = setting(0, "an epoch takes so many of the rows, others each time; 0: all", low=0)
    batch_size: int = setting(64, "rows of one step", low=1)
    label_smoothing: float = setting(0.0, "for classes: share of the target spread over all", low=0, below=1)
    clip_norm: float = setting(0.0, "largest norm of the gradient; 0: any", low=0)
    patience: int = setting(0, "stop after so many epochs without a better one; 0: never", low=0)


@dataclass(frozen=True)
class Named:
    """Something chosen by name, with the further settings that it takes."""

    name: str
    options: Mapping[str, Any]

    def _further(
        self, choice: Choice, given: Mapping[str, Any], own: tuple[str, ...], where: Where, path: Path
    ) -> tuple[dict[str, Any], list[str]]:
        """The further settings, checked against those that the choice takes."""
        options, problems = {}, []
        for key, value in given.items():
            if key not in choice.options:
                problems.append(f"{where((*path, key))}: {unknown_key(key, path, [*own, *choice.options])}")
                continue
            options[key], problem = checked_value(key, value, choice.options[key], {})
            problems += [f"{where((*path, key))}: {problem}"] if problem else []
        return options, problems


@dataclass(frozen=True)
class OptimizerConfig(Named):
    """The optimizer, its learning rate, and its further arguments under PyTorch's names."""

    name: str = setting("adamw", f"one of {', '.join(OPTIMIZERS)}")
    lr: float = setting(1e-3, "learning rate; with one-cycle its highest value", above=0)
    options: Mapping[str, Any] = field(default_factory=dict)

    def checked(self, given: Mapping[str, Any], where: Where, path: Path) -> tuple[Self, list[str]]:
        """Other arguments of this optimizer, or where one is named, that one with nothing but what is given; and a
        line for each that cannot be."""
        rest, fresh = dict(given), "name" in given
        name, problem = _known_name(rest.pop("name", self.name), OPTIMIZERS, "optimizer")
        if problem:
            return self, [f"{where((*path, 'name'))}: {problem}"]
        default = OPTIMIZERS[name].lr if fresh else self.lr
        lr, problem = checked_value("lr", rest.pop("lr", default), float, {"above": 0})
        options, problems = self._further(OPTIMIZERS[name], rest, ("name", "lr"), where, path)
        problems += [f"{where((*path, 'lr'))}: {problem}"] if problem else []
        chosen = replace(self, name=name, lr=lr, options=options if fresh else {**self.options, **options})
        return chosen, problems or _tried(lambda: try_optimizer(name, lr, chosen.options), where, path)


@dataclass(frozen=True)
class ScheduleConfig(Named):
    """How the learning rate changes from step to step."""

    name: str = setting("one-cycle", f"one of {', '.join(SCHEDULES)}")
    options: Mapping[str, Any] = field(default_factory=dict)

    def checked(self, given: Mapping[str, Any], where: Where, path: Path) -> tuple[Self, list[str]]:
        """Other arguments of this schedule, or where one is named, that one with nothing but what is given; and a line
        for each that cannot be."""
        rest, fresh = dict(given), "name" in given
        name, problem = _known_name(rest.pop("name", self.name), SCHEDULES, "schedule")
        if problem:
            return self, [f"{where((*path, 'name'))}: {problem}"]
        options, problems = self._further(SCHEDULES[name], rest, ("name",), where, path)
        chosen = replace(self, name=name, options=options if fresh else {**self.options, **options})
        return chosen, problems or _tried(lambda: try_schedule(name, chosen.options), where, path)


def _known_name(name: Any, known: Mapping[str, Any], what: str) -> tuple[str, str]:
    """The name as it is known (any case will do), and what is wrong with it."""
    if not isinstance(name, str):
        return "", checked_value("name", name, str, {})[1]
    if name.lower() in known:
        return name.lower(), ""
    return name, f"there is no {what} {name!r}.{suggest(name.lower(), known)} Known are {', '.join(known)}"


def _tried(make: Callable[[], Any], where: Where, path: Path) -> list[str]:
    try:
        make()
    except PullbackError as error:
        return [f"{where(path)}: {error}"]
    return []


@dataclass(frozen=True)
class Config:
    """All settings of a run. What it does not say, no run depends on.

    >>> config = Config().changed({"training": {"epochs": 3}}, lambda path: "here")
    >>> config.training.epochs
    3
    """

    name: str = setting("digits", "the run's name: its folder begins with it")
    seed: int = setting(0, "decides the first weights, the order of the rows, and what is dropped", low=0)
    data: DataConfig = DataConfig()
    model: Network = ModelConfig()  # noqa: RUF009  # frozen, so that no two share what one of them changes
    training: TrainingConfig = TrainingConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()

    def changed(self, given: Mapping[str, Any], where: Where) -> "Config":
        """These settings with others, nested as in TOML, in their place.

        Raises SettingsError with a line for each that cannot be; `where` says where it was given.
        """
        config, problems = change(self, given, where)
        if problems:
            raise SettingsError(problems)
        return config


def read_toml(path: StrPath) -> tuple[dict[str, Any], Where]:
    """The settings in a TOML file, and what says on which line each of them stands.

    Raises MissingFile when there is no such file, SettingsError when it is not TOML.
    """
    file = existing_file(path)
    try:
        text = file.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{file} is not TOML: {error}"]) from error
    return found, _where(file, text)


def _where(file: FilePath, text: str) -> Where:
    def where(path: Path) -> str:
        line = line_of(text, path)
        return f"{file}, line {line}" if line else str(file)

    return where
