"""`pullback train`: a recipe, a settings file, or a table."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from pullback.base.errors import ArgumentError, suggest
from pullback.cli import options as o
from pullback.cli.console import console, print_line
from pullback.cli.display import open_display
from pullback.cli.exit_codes import INTERRUPTED
from pullback.cli.study import is_study, train_study
from pullback.cli.tables import show_outcome, show_recipes
from pullback.train.config import Config, DataConfig, read_toml
from pullback.train.pictures import can_draw, draw_pictures
from pullback.train.problem import EMBEDDED, is_text, load_problem
from pullback.train.recipes import FOR_TEXT, RECIPES, propose
from pullback.train.run import Run
from pullback.train.run_folder import RunFolder, runs_in
from pullback.train.session import Outcome, begin, carry_through, leave, take_up
from pullback.train.settings import Where
from pullback.train.studies import STUDIES

_NOT_SETTINGS = ("what", "out", "set_", "resume", "quiet", "no_pictures", "list_")


def train_verb(
    what: o.What = "",
    data: o.Data = "",
    target: o.Target = "",
    task: o.Task = "",
    exclude: o.Exclude = "",
    missing: o.Missing = "",
    categories: o.Categories = "",
    hidden: o.Hidden = "",
    activation: o.Activation = "",
    dropout: o.Dropout = None,
    epochs: o.Epochs = None,
    batch_size: o.BatchSize = None,
    lr: o.LearningRate = None,
    optimizer: o.Optimizer = "",
    weight_decay: o.WeightDecay = None,
    schedule: o.Schedule = "",
    clip_norm: o.ClipNorm = None,
    patience: o.Patience = None,
    limit: o.Limit = None,
    seed: o.Seed = None,
    name: o.Name = "",
    out: o.Out = Path("runs"),
    set_: o.Set = None,
    resume: o.Resume = False,
    quiet: o.Quiet = False,
    no_pictures: o.NoPictures = False,
    list_: o.List = False,
) -> None:
    """Train a network. A run folder keeps its settings, metrics, weights and pictures.

    **Examples**

    - `pullback train --list` – the recipes

    - `pullback train digits` – handwritten digits, in about a minute

    - `pullback train digits --epochs 5 --hidden 128` – the same, smaller

    - `pullback train digits --resume` – go on after Ctrl-C, exactly where it stopped

    - `pullback train --data flats.csv --target price` – a table of your own

    - `pullback train --data book.txt` – a text of your own, whose characters are learnt

    - `pullback train my.toml` – settings from a file; every run folder holds one, config.toml

    What a settings file leaves out is as in the recipe digits, or proposed for the table.
    """
    given = o.given_settings({k: v for k, v in locals().items() if k not in _NOT_SETTINGS}, set_ or [])
    if list_:
        show_recipes()
        return
    if is_study(what):
        train_study(what, out, given, resume, quiet, not no_pictures)
        return
    run, folder = _resumed(what, out, given) if resume else _begun(what, out, given)
    try:
        outcome = _carried_through(run, folder, quiet, no_pictures)
    except KeyboardInterrupt:  # before the first step, after the last one, or a second time while saving
        print_line(leave(folder))
        raise typer.Exit(INTERRUPTED) from None
    if outcome.why == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _carried_through(run: Run, folder: RunFolder, quiet: bool, no_pictures: bool) -> Outcome:
    """Train and test the run, draw its pictures, and show what it reached."""
    with open_display(run, folder, quiet) as tell:
        outcome = carry_through(run, folder, tell)
    pictures = [] if no_pictures or outcome.report is None else _pictures(outcome, quiet)
    show_outcome(outcome, pictures, quiet)
    return outcome


def _pictures(outcome: Outcome, quiet: bool) -> list[Path]:
    """The pictures of the run; where they cannot be drawn, a line that says how they could."""
    if can_draw():
        return draw_pictures(outcome)
    if not quiet:
        console().print("No pictures: they are drawn by matplotlib; pip install 'pullback[plots]'", markup=False)
    return []


def _begun(what: str, out: Path, given: Mapping[str, Any]) -> tuple[Run, RunFolder]:
    """A new run of a recipe, of a settings file or of a table, and its folder."""
    source = given.get("data", {}).get("source", "")
    base, in_file, where = _named_settings(what, source)
    _check_suits(what, source)
    data = base.changed(_only_data(in_file), where).changed(_only_data(given), o.option_of)
    problem = load_problem(data.data, data.seed)
    if problem.encoder is not None:
        base = propose(problem, data.data, Path(data.data.source).name.split(".")[0])
    config = base.changed(in_file, where).changed(given, o.option_of)
    return begin(replace(config, data=_found_from_anywhere(config.data)), problem, out)


def _check_suits(what: str, source: str) -> None:
    """Raise ArgumentError where a recipe is given data of another kind."""
    if what not in RECIPES or not source or (is_text(RECIPES[what].data.source) and is_text(source)):
        return
    kind = "text: --data FILE.txt" if is_text(RECIPES[what].data.source) else "digits"
    raise ArgumentError(f"{what} is a recipe for {kind}; for a table leave it out: --data FILE --target COLUMN")


def _found_from_anywhere(data: DataConfig) -> DataConfig:
    """The data by its full path: the run is used from other folders, too."""
    return data if data.source in EMBEDDED else replace(data, source=str(Path(data.source).resolve()))


def _only_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings on which the rows and their split depend."""
    return {key: given[key] for key in ("data", "seed") if key in given}


def _named_settings(what: str, source: str) -> tuple[Config, dict[str, Any], Where]:
    """The recipe that a name means, or the settings in a file, with the data at `source` unless that is empty."""
    if not what and source:
        return _of_text(source) or Config(), {}, o.option_of
    if what in RECIPES:
        return RECIPES[what], {}, o.option_of
    if what.endswith(".toml"):
        in_file, where = read_toml(what)
        in_file = _relative_to(Path(what).parent, in_file)
        return _of_text(source or _source_in(in_file)) or RECIPES["digits"], in_file, where
    raise ArgumentError(_what_else(what))


def _of_text(source: str) -> Config | None:
    """Settings for text; None for other data."""
    return replace(RECIPES[FOR_TEXT], name=Path(source).name.split(".")[0]) if is_text(source) else None


def _source_in(in_file: Mapping[str, Any]) -> str:
    """The data that a settings file names; empty where it names none."""
    data = in_file.get("data")
    source = data.get("source") if isinstance(data, Mapping) else None
    return source if isinstance(source, str) else ""


def _relative_to(folder: Path, in_file: dict[str, Any]) -> dict[str, Any]:
    """The settings with the path of the data as seen from here; a settings file names it as seen from itself."""
    source = _source_in(in_file)
    if not source or source in EMBEDDED:
        return in_file
    return {**in_file, "data": {**in_file["data"], "source": str(folder / source)}}


def _what_else(what: str) -> str:
    """What to write instead of a name that is none."""
    recipes = ", ".join([*RECIPES, *STUDIES])
    if not what:
        return f"say what to train: a recipe ({recipes}), a settings file (.toml), or --data FILE --target COLUMN"
    if what.lower().endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz")):
        return f"a table is given as --data {what} --target COLUMN"
    if is_text(what):
        return f"a text is given as --data {what}"
    if Path(what).is_dir():
        return f"{what} is a folder; to go on with an interrupted run add --resume"
    near = suggest(what, [*RECIPES, *STUDIES])
    return f"there is no recipe {what!r}.{near} Known are {recipes}; settings files end in .toml"


def _resumed(what: str, out: Path, given: Mapping[str, Any]) -> tuple[Run, RunFolder]:
    """The run to go on with, as it was when it stopped."""
    if given:
        raise ArgumentError("a resumed run keeps all of its settings: give nothing but the run beside --resume")
    folder = RunFolder.existing(what) if Path(what).is_dir() and what else _last_interrupted(what, out)
    return take_up(folder), folder


def _last_interrupted(what: str, out: Path) -> RunFolder:
    name = read_toml(what)[0].get("name", what) if what.endswith(".toml") else what
    for folder in runs_in(out):
        if not folder.is_over and (not name or folder.config().name == name):
            return folder
    of_name = f" of {what!r}" if what else ""
    raise ArgumentError(f"no run{of_name} in {out} was interrupted; name a run folder, or leave --resume out")
