"""`pullback predict`: what a trained network says about rows of yours."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pullback.base.atomic import atomic_write
from pullback.base.errors import ArgumentError, DataError
from pullback.cli.console import console, print_line
from pullback.cli.options import Run
from pullback.cli.tables import predictions_table
from pullback.data.table import Unknown
from pullback.train.predict import Predictions, predict_digits, predict_table
from pullback.train.run_folder import RunFolder

_SHOWN = 20  # rows on a terminal

Files = Annotated[
    list[Path], typer.Argument(help="A CSV file; or for digits pictures (.png), .npz, .npy.", show_default=False)
]
Out = Annotated[Path | None, typer.Option(help="Write the predictions here, as CSV.", show_default=False)]
UnknownAsMissing = Annotated[
    bool, typer.Option("--unknown-as-missing", help="Take categories that training did not know as missing.")
]


def predict_verb(run: Run, files: Files, out: Out = None, unknown_as_missing: UnknownAsMissing = False) -> None:
    """Predict with a trained network: CSV in, CSV out, with the probability of every class.

    **Examples**

    - `pullback predict runs/flats-2025-06-01-1 new.csv --out prices.csv`

    - `pullback predict runs/flats-2025-06-01-1 new.csv > prices.csv` – the same

    - `pullback predict runs/digits-2025-06-01-1 seven.png` – which digit is it?
    """
    folder = RunFolder.existing(run)
    if folder.about().task == "language":
        raise DataError(f"{folder} is a language model; pullback generate {folder} has it write on")
    encoder = folder.about().table_encoder()
    if encoder is None:
        found = predict_digits(folder.model(), files, folder.about().class_names)
    elif len(files) != 1:
        raise ArgumentError(f"a run on a table predicts one CSV file at a time; got {len(files)} files")
    else:
        unknown: Unknown = "missing" if unknown_as_missing else "error"
        found = predict_table(folder.model(), encoder, files[0], unknown)
    _give(found, out)


def _give(found: Predictions, out: Path | None) -> None:
    """To the file named; else as a table to a terminal, as CSV to whatever else reads it."""
    if out is not None:
        with atomic_write(out, "w") as file:
            file.write(found.to_csv())
        print_line(f"{len(found.rows):,} predictions in {out}")
    elif console().is_terminal:
        console().print(predictions_table(found, _SHOWN))
        if len(found.rows) > _SHOWN:
            print_line(f"{len(found.rows) - _SHOWN:,} more; --out FILE.csv keeps all")
    else:
        sys.stdout.write(found.to_csv())
