"""`pullback evaluate`: what a trained network reaches, on its own test rows or on others."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pullback.base.errors import DataError
from pullback.cli.console import print_line
from pullback.cli.options import Run
from pullback.cli.tables import show_report, summary
from pullback.data.datasets import TensorDataset
from pullback.train.json_text import json_text
from pullback.train.predict import read_digits
from pullback.train.problem import encoded, load_problem, read_rows, read_text, text_windows
from pullback.train.report import Report, make_report
from pullback.train.run_folder import RunFolder
from pullback.train.validate import outputs_of, tell_text

Data = Annotated[
    Path | None,
    typer.Option(help="Other rows: a CSV file; for digits .npz or a folder; for text a file.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def evaluate_verb(run: Run, data: Data = None, as_json: AsJson = False) -> None:
    """Test a trained network: accuracy, precision, recall and F1, or the errors of its numbers.

    **Examples**

    - `pullback evaluate runs/digits-2025-06-01-1` – its own test rows once more

    - `pullback evaluate runs/flats-2025-06-01-1 --data july.csv` – rows that came later
    """
    folder = RunFolder.existing(run)
    rows, title = _own_test(folder) if data is None else _others(folder, data)
    about = folder.about()
    report: Report
    if about.task == "language":
        report = tell_text(folder.model(), rows)
    else:
        report = make_report(*outputs_of(folder.model(), rows), about.class_names, about.table_encoder())
    if as_json:
        print(json_text(report.to_dict(), indent=2))
        return
    show_report(report, title)
    print_line(summary(report))


def _own_test(folder: RunFolder) -> tuple[Any, str]:
    config = folder.config()
    problem = load_problem(config.data, config.seed)
    if problem.fingerprint != folder.about().fingerprint:
        raise DataError(
            f"{config.data.source} has changed since {folder} was trained, so its test rows are not the same any more; "
            "name rows with --data"
        )
    return problem.test, f"The run's own test: {len(problem.test):,} rows"


def _others(folder: RunFolder, data: Path) -> tuple[Any, str]:
    about, encoder = folder.about(), folder.about().table_encoder()
    if about.task == "language":
        windows = text_windows(read_text(data), about.class_names, about.inputs)
        return windows, f"{data}: {len(windows):,} windows of {about.inputs} characters"
    if encoder is not None:
        table = read_rows(encoder, data)
        known = table.drop_missing(encoder.target.name)
        if not len(known):
            raise DataError(f"{data} has no row with a {encoder.target.name!r} to compare with")
        without = len(table) - len(known)
        left_out = f", {without:,} more without a {encoder.target.name!r}" if without else ""
        return encoded(encoder, known), f"{data}: {len(known):,} rows{left_out}"
    digits, labels = read_digits(data)
    if labels is None:
        raise DataError(f"{data} does not say which digits these are: an .npz file with 'images' and 'labels' does")
    return TensorDataset(digits, labels), f"{data}: {len(digits):,} digits"
