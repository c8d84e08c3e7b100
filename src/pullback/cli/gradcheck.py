"""`pullback gradcheck`: every gradient held against differences of the function's own values."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pullback.cli.console import print_line
from pullback.cli.gradient_points import POINTS, WITHOUT
from pullback.cli.tables import plain, plain_table, show_table
from pullback.ir.node import OPS
from pullback.lens.gradcheck import GradcheckError, gradcheck
from pullback.train.gradients import check_gradients
from pullback.train.run_folder import RunFolder
from pullback.train.session import open_run

# Tighter than gradcheck's own: every op must do much better than a user's function needs to.
_ATOL = _RTOL = 1e-6

Run = Annotated[
    Path | None, typer.Argument(help="The folder of a run; without it every op is checked.", show_default=False)
]


def gradcheck_verb(run: Run = None) -> None:
    """Check gradients: those of every op, first and second derivatives, or those of a run's network.

    A gradient is right when it agrees with central differences of the function's own values in float64.
    Exit code 1 when one is wrong.

    **Examples**

    - `pullback gradcheck` – every op that there is

    - `pullback gradcheck runs/digits-2025-06-01-1` – the loss of that run, at each of its parameters
    """
    problems = _check_ops() if run is None else _check_run(RunFolder.existing(run))
    for problem in problems:
        print_line(problem)
    raise typer.Exit(1 if problems else 0)


def _check_ops() -> list[str]:
    table = plain_table("op", "formula", "its gradient", "first", "second")
    problems = []
    for name in sorted(POINTS):
        found = [_problem_of(name, second_order) for second_order in (False, True)]
        problems += [f"{name}: {problem}" for problem in found if problem]
        gradient = ", ".join(part for part in OPS[name].backward if part) or "by its program"
        table.add_row(name, plain(OPS[name].formula), plain(gradient), *map(_verdict, found))
    show_table("The gradients of the ops, held against differences", table)
    wrong = f"{len(problems)} of their first and second derivatives are wrong" if problems else "all are right"
    print_line(f"{len(POINTS)} ops have a gradient; {wrong}.")
    print_line(f"{len(WITHOUT)} ops are declared to have none: {', '.join(WITHOUT)}")
    return problems


def _problem_of(name: str, second_order: bool) -> str:
    """What is wrong with an op's gradient; empty when nothing is."""
    point = POINTS[name]
    try:
        gradcheck(
            lambda *inputs: point.call(OPS[name], *inputs),
            point.inputs,
            atol=_ATOL,
            rtol=_RTOL,
            second_order=second_order,
        )
    except GradcheckError as error:
        return str(error)
    return ""


def _verdict(problem: str) -> Any:
    return "[red]wrong[/]" if problem else "[green]right[/]"


def _check_run(folder: RunFolder) -> list[str]:
    table = plain_table("parameter", "shape", "gradient")
    problems = []
    for checked in check_gradients(open_run(folder)):
        table.add_row(checked.name, "x".join(map(str, checked.shape)), _verdict(checked.problem))
        problems += [f"{checked.name}: {checked.problem}"] if checked.problem else []
    show_table(f"The gradient of the loss of {folder}", table)
    return problems
