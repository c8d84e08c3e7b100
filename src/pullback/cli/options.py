"""The options of `pullback train`, and which setting each of them changes."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pullback.models.mlp import ACTIVATIONS
from pullback.train.optimizers import OPTIMIZERS, SCHEDULES
from pullback.train.recipes import RECIPES
from pullback.train.settings import Path as SettingPath
from pullback.train.settings import SettingsError
from pullback.train.studies import STUDIES

_TABLE, _NETWORK, _LEARNING, _RUN = "A table of your own", "The network", "Learning", "The run"


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names)


def _option(panel: str, text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False)


What = Annotated[
    str,
    typer.Argument(
        help=f"A recipe ({_listed({**RECIPES, **STUDIES})}), a settings file (.toml), or with --resume a run folder.",
        show_default=False,
    ),
]
Run = Annotated[Path, typer.Argument(help="The folder of a run.", show_default=False)]
Data = Annotated[str, _option(_TABLE, "Train on this CSV file.")]
Target = Annotated[str, _option(_TABLE, "The column to predict.")]
Task = Annotated[str, _option(_TABLE, "classification or regression; else told from the column.")]
Exclude = Annotated[str, _option(_TABLE, "Columns that are not to be used: id,notes")]
Missing = Annotated[str, _option(_TABLE, "Further texts that mean that a value is missing: unknown,-")]
Categories = Annotated[str, _option(_TABLE, "Columns whose numbers are names of categories: zip,floor")]
Hidden = Annotated[str, _option(_NETWORK, "Sizes of the hidden layers: 512,256 (none: 0).")]
Activation = Annotated[str, _option(_NETWORK, f"After each hidden layer: {_listed(ACTIVATIONS)}.")]
Dropout = Annotated[float | None, _option(_NETWORK, "Share of the hidden values dropped in training.")]
Epochs = Annotated[int | None, _option(_LEARNING, "Passes over the training rows.")]
BatchSize = Annotated[int | None, _option(_LEARNING, "Rows of one step.")]
LearningRate = Annotated[float | None, _option(_LEARNING, "Learning rate.", "--lr")]
Optimizer = Annotated[str, _option(_LEARNING, f"{_listed(OPTIMIZERS)}.")]
WeightDecay = Annotated[float | None, _option(_LEARNING, "The optimizer's weight decay.")]
Schedule = Annotated[str, _option(_LEARNING, f"{_listed(SCHEDULES)}.")]
ClipNorm = Annotated[float | None, _option(_LEARNING, "Largest norm of the gradient.")]
Patience = Annotated[int | None, _option(_LEARNING, "Stop after so many epochs that got no better.")]
Limit = Annotated[int | None, _option(_LEARNING, "Train on so many rows at most.")]
Seed = Annotated[int | None, _option(_RUN, "Another seed, another run.")]
Name = Annotated[str, _option(_RUN, "The run's name; its folder begins with it.")]
Out = Annotated[Path, typer.Option(help="Where run folders are made.", rich_help_panel=_RUN)]
Set = Annotated[
    list[str] | None, _option(_RUN, "Any setting of a settings file: --set optimizer.momentum=0.9", "--set")
]
Resume = Annotated[
    bool, _option(_RUN, "Go on with a run that was interrupted: that folder, or the last of that recipe.", "--resume")
]
Quiet = Annotated[bool, _option(_RUN, "Say nothing but one line at the end.", "--quiet", "-q")]
List = Annotated[bool, _option(_RUN, "List the recipes, and train nothing.", "--list")]
NoPictures = Annotated[bool, _option(_RUN, "Draw no pictures.", "--no-pictures")]

SETTINGS: dict[str, SettingPath] = {
    "data": ("data", "source"),
    "target": ("data", "target"),
    "task": ("data", "task"),
    "exclude": ("data", "exclude"),
    "missing": ("data", "missing"),
    "categories": ("data", "categories"),
    "limit": ("data", "limit"),
    "hidden": ("model", "hidden"),
    "activation": ("model", "activation"),
    "dropout": ("model", "dropout"),
    "epochs": ("training", "epochs"),
    "batch_size": ("training", "batch_size"),
    "clip_norm": ("training", "clip_norm"),
    "patience": ("training", "patience"),
    "optimizer": ("optimizer", "name"),
    "lr": ("optimizer", "lr"),
    "weight_decay": ("optimizer", "weight_decay"),
    "schedule": ("schedule", "name"),
    "seed": ("seed",),
    "name": ("name",),
}


def option_of(path: SettingPath) -> str:
    """The option that gives the setting at a path, as a user writes it."""
    for name, setting in SETTINGS.items():
        if setting == path:
            return f"--{name.replace('_', '-')}"
    return f"--set {'.'.join(path)}"


def given_settings(options: Mapping[str, Any], assignments: list[str]) -> dict[str, Any]:
    """The settings that options name, nested as in a settings file; options that were not given are None or empty.

    `assignments` are those of --set, such as "optimizer.momentum=0.9".

    Raises SettingsError for a list of sizes that is none, and for what is no assignment.

    >>> given_settings({"epochs": 3, "hidden": "64,32", "lr": None}, ["seed=1"])
    {'training': {'epochs': 3}, 'model': {'hidden': [64, 32]}, 'seed': 1}
    """
    found: dict[str, Any] = {}
    for name, value in options.items():
        if value is not None and value != "":
            _put(found, SETTINGS[name], _LISTS[name](value) if name in _LISTS else value)
    for assignment in assignments:
        path, value = _assignment(assignment)
        _put(found, path, value)
    return found


def _put(tree: dict[str, Any], path: SettingPath, value: Any) -> None:
    for key in path[:-1]:
        inner = tree.setdefault(key, {})
        if not isinstance(inner, dict):
            raise SettingsError([f"--set {'.'.join(path)}: {key} is one setting and has none inside"])
        tree = inner
    tree[path[-1]] = value


def _sizes(text: str) -> list[int]:
    if text.strip() in ("0", "none"):
        return []
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError([f"--hidden: sizes are whole numbers with commas, such as 512,256; got {text!r}"]) from None


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


_LISTS: dict[str, Callable[[str], Any]] = {"hidden": _sizes, "exclude": _parts, "missing": _parts, "categories": _parts}


def _assignment(text: str) -> tuple[SettingPath, Any]:
    """Path and value of `path=value`, the value written as in TOML; a bare word is taken as text."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise SettingsError([f"--set takes setting=value, such as optimizer.momentum=0.9; got {text!r}"])
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return tuple(part.strip() for part in path.split(".")), parsed
