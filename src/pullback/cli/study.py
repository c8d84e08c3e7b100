"""`pullback train` of a study: its runs one after another, then one table and one picture."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from pullback.base.errors import ArgumentError
from pullback.cli import options as o
from pullback.cli.console import console, print_line
from pullback.cli.exit_codes import INTERRUPTED
from pullback.cli.tables import plain_table, show_table
from pullback.train.pictures import can_draw, gradients_by_layer, keep
from pullback.train.studies import STUDIES
from pullback.train.study import STUDY, Measured, StudyFolder, carry_study

PICTURE = "gradients.png"


def is_study(what: str) -> bool:
    """Whether a name means a study, or a folder is one's."""
    return what in STUDIES or (bool(what) and (Path(what) / STUDY).exists())


def train_study(what: str, out: Path, given: Mapping[str, Any], resume: bool, quiet: bool, pictures: bool) -> None:
    """Carry a study through, from its beginning or from where it was interrupted, and show what came out."""
    folder = _resumed(what, out, given) if resume else _begun(what, out, given)
    study = STUDIES[folder.name]
    if not quiet:
        print_line(study.question)
        print_line(
            f"{len(study.variants)} runs of {study.base.changed(folder.given, o.option_of).training.epochs} epochs"
        )
        print_line(f"Study folder  {folder}\n")
    results = carry_study(study, folder, o.option_of, lambda event: None, lambda found: None if quiet else _tell(found))
    if results is None:
        print_line(f"Interrupted; go on with: pullback train {folder} --resume")
        raise typer.Exit(INTERRUPTED)
    drawn = pictures and can_draw()
    if drawn:
        keep(gradients_by_layer(results, study.question), folder.path / PICTURE)
    if not quiet:
        console().print()
        show_table(
            "What was learnt, and the norm of the gradient ∇ at the weights of some layers", study_table(results)
        )
        print_line(
            "∇ before the first step, ∇' after the last; loss in training and accuracy in validation, at the end"
        )
    best = max(results, key=lambda found: -1 if math.isnan(found.validation_accuracy) else found.validation_accuracy)
    print_line(f"Best: {best.title}, validation accuracy {best.validation_accuracy:.4f}: {folder}")
    if drawn and not quiet:
        print_line(f"Picture: {folder.path / PICTURE}")


def _begun(what: str, out: Path, given: Mapping[str, Any]) -> StudyFolder:
    if what not in STUDIES:
        raise ArgumentError(f"{what} is the folder of a study; to go on with it add --resume")
    STUDIES[what].base.changed(given, o.option_of)  # what cannot be is told before there is a folder
    return StudyFolder.create(out, what, given)


def _resumed(what: str, out: Path, given: Mapping[str, Any]) -> StudyFolder:
    if given:
        raise ArgumentError("a resumed study keeps all of its settings: give nothing but the study beside --resume")
    folder = StudyFolder(what) if (Path(what) / STUDY).exists() else StudyFolder.last_open(out, what)
    if folder is None:
        raise ArgumentError(f"no study {what!r} in {out} was interrupted; name its folder, or leave --resume out")
    return folder


def _tell(found: Measured) -> None:
    accuracy = (
        "diverged" if found.ended == "diverged" else f"validation accuracy {100 * found.validation_accuracy:.1f} %"
    )
    print_line(f"{found.title:<28} loss {found.train_loss:.4f}, {accuracy}")


def study_table(results: Sequence[Measured]) -> Any:
    """A row for each run: what it learnt, and the gradient's norm in its first and its middle layer."""
    last = len(results[0].layers)
    layers = (1, (last + 1) // 2)
    columns = [f"{when}{layer}" for when in ("∇", "∇'") for layer in layers]
    table = plain_table("run", "loss", "accuracy", *columns, right=("loss", "accuracy", *columns))
    for found in results:
        norms = [f"{each[layer - 1]:.0e}" for each in (found.start, found.end) for layer in layers]
        table.add_row(found.title, f"{found.train_loss:.2f}", f"{100 * found.validation_accuracy:.1f} %", *norms)
    return table
