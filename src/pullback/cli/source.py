"""`pullback source`: a run's training step as NumPy that a person can read."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pullback.base.atomic import atomic_write
from pullback.cli.console import console, print_line
from pullback.cli.options import Run
from pullback.train.run_folder import RunFolder
from pullback.train.session import open_run
from pullback.train.written_out import step_source

Out = Annotated[Path | None, typer.Option(help="Write it to this file.", show_default=False)]


def source_verb(run: Run, out: Out = None) -> None:
    """Print a run's training step, forward, backward and update, as a module of plain NumPy.

    Each line of the backward pass stands under the line that it is the gradient of, with its formula.

    **Examples**

    - `pullback source runs/digits-2025-06-01-1 | less`

    - `pullback source runs/digits-2025-06-01-1 --out step.py`
    """
    text = step_source(open_run(RunFolder.existing(run)))
    if out is not None:
        with atomic_write(out, "w") as file:
            file.write(text)
        print_line(f"{text.count(chr(10)):,} lines in {out}")
    elif console().is_terminal:
        from rich.syntax import Syntax

        console().print(Syntax(text, "python", background_color="default"))
    else:
        sys.stdout.write(text)
