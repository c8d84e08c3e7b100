"""Reports as tables in the terminal."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pullback.cli.console import console, print_line
from pullback.train.baseline import Baseline
from pullback.train.metrics import ClassificationReport
from pullback.train.predict import Predictions
from pullback.train.recipes import WORDS
from pullback.train.report import RegressionReport, Report, TextReport
from pullback.train.run import Run
from pullback.train.run_folder import CONFIG, METRICS, WEIGHTS
from pullback.train.session import Outcome
from pullback.train.studies import STUDIES

_SHARES = ("precision", "recall", "F1")
_MOST_CLASSES = 20  # of a confusion matrix that fits a terminal


def show_recipes() -> None:
    """The recipes and the studies, each with what it is."""
    table = plain_table("recipe", "what is trained")
    for name, words in WORDS.items():
        table.add_row(name, words)
    table.add_section()
    for name, study in STUDIES.items():
        table.add_row(name, plain(study.question))
    show_table("pullback train RECIPE", table)


def show_outcome(outcome: Outcome, pictures: Sequence[Path], quiet: bool) -> None:
    """How a run ended: the test report, or how to go on."""
    if outcome.report is None:
        _show_interruption(outcome)
        return
    if quiet:
        beside = (
            f", {outcome.baseline.best.order}-grams {outcome.baseline.best.test_bits:.4f}" if outcome.baseline else ""
        )
        print_line(f"{summary(outcome.report)}{beside}: {outcome.folder}")
        return
    console().print()
    show_report(outcome.report, f"Test: {len(outcome.run.problem.test):,} rows never seen before")
    if outcome.baseline is not None and isinstance(outcome.report, TextReport):
        console().print()
        show_baseline(outcome.run, outcome.report, outcome.baseline)
    console().print()
    print_line(f"{summary(outcome.report)} (with the weights of epoch {outcome.run.progress.best_epoch})")
    print_line(f"Run folder: {outcome.folder}")
    print_line(f"            {', '.join([WEIGHTS, CONFIG, METRICS, *(path.name for path in pictures)])}")


def _show_interruption(outcome: Outcome) -> None:
    progress = outcome.run.progress
    print_line(f"Interrupted in epoch {progress.epoch + 1}; what was learnt is saved in {outcome.folder}")
    print_line(f"Go on with: pullback train {outcome.folder} --resume")


def summary(report: Report) -> str:
    """The report in one line."""
    if isinstance(report, ClassificationReport):
        return f"Test accuracy {report.accuracy:.4f}, macro F1 {report.macro[2]:.4f}"
    if isinstance(report, TextReport):
        return f"Test {report.bits:.4f} bits per character"
    return f"Test R² {report.r2:.4f}, mean absolute error {report.mean_absolute_error:.4g}"


def show_report(report: Report, title: str) -> None:
    """Print the report: for classes a table of them and the confusion matrix, for numbers the errors."""
    if not isinstance(report, ClassificationReport):
        show_table(title, _text_table(report) if isinstance(report, TextReport) else _regression_table(report))
        return
    show_table(title, _class_table(report))
    if len(report.class_names) <= _MOST_CLASSES:
        console().print()
        show_table("Confusion: true classes down, predicted ones across", _confusion_table(report))


def plain_table(*columns: str, right: Sequence[str] = ()) -> Any:
    """An empty table without frames; the columns in `right` are set to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(plain(column), justify="right" if column in right else "left")
    return table


def plain(text: str) -> str:
    """Text that is shown as it is, whatever brackets it has."""
    from rich.markup import escape

    return escape(text)


def show_table(title: str, table: Any) -> None:
    """A table under its title."""
    console().print(f"[bold]{plain(title)}[/]", soft_wrap=True)
    console().print(table)


def _class_table(report: ClassificationReport) -> Any:
    table = plain_table("class", *_SHARES, "rows", right=(*_SHARES, "rows"))
    columns = (report.class_names, report.precision, report.recall, report.f1, report.support)
    for name, *shares, rows in zip(*columns, strict=True):
        table.add_row(plain(name), *(f"{share:.4f}" for share in shares), f"{rows:,}")
    table.add_section()
    total = f"{sum(report.support):,}"
    table.add_row("macro mean", *(f"{share:.4f}" for share in report.macro), total, style="bold")
    table.add_row("accuracy", "", "", f"{report.accuracy:.4f}", total, style="bold")
    return table


def _confusion_table(report: ClassificationReport) -> Any:
    table = plain_table("", *report.class_names, right=report.class_names)
    for i, row in enumerate(report.confusion):
        table.add_row(plain(report.class_names[i]), *(_cell(count, i == j) for j, count in enumerate(row)))
    return table


def _cell(count: int, right: bool) -> str:
    """A count of the confusion matrix: the right ones green, nothing dim, mistakes red."""
    style = "green" if right else "red" if count else "dim"
    return f"[{style}]{count or '·'}[/]"


def _regression_table(report: RegressionReport) -> Any:
    table = plain_table("measure", "value", right=("value",))
    table.add_row("mean absolute error", f"{report.mean_absolute_error:.6g}")
    table.add_row("root mean squared error", f"{report.root_mean_squared_error:.6g}")
    table.add_row("R² (1 is perfect, 0 is guessing the mean)", f"{report.r2:.4f}")
    return table


def _text_table(report: TextReport) -> Any:
    table = plain_table("measure", "value", right=("value",))
    table.add_row("bits per character", f"{report.bits:.4f}")
    table.add_row("perplexity: among so many characters it wavers", f"{math.exp(report.loss):.3f}")
    table.add_row("the likeliest was right", f"{100 * report.accuracy:.2f} %")
    table.add_row("characters", f"{report.characters:,}")
    return table


def show_baseline(run: Run, report: TextReport, baseline: Baseline) -> None:
    """The network beside n-grams of every order that was tried, in bits per character."""
    right = ("validation", "test", "seconds")
    table = plain_table("bits per character", *right, right=right)
    validation = run.progress.history[run.progress.best_epoch - 1]["validation_bits"]
    table.add_row("the network", f"{validation:.4f}", f"{report.bits:.4f}", f"{baseline.allowed:.1f}", style="bold")
    table.add_section()
    for found in baseline.tried:
        is_best = found is baseline.best
        row = (f"{found.validation_bits:.4f}", f"{found.test_bits:.4f}", f"{found.seconds:.1f}")
        table.add_row(f"{found.order}-gram{', the best' if is_best else ''}", *row, style="bold" if is_best else "")
    show_table("Beside it: interpolated Kneser-Ney n-grams of the same text, given the same time", table)


def predictions_table(found: Predictions, rows: int) -> Any:
    """The first rows of predictions."""
    table = plain_table(*found.header)
    for row in found.rows[:rows]:
        table.add_row(*map(plain, row))
    return table
