"""The command line: its verbs, and what becomes of errors."""

import sys
from collections.abc import Sequence

import typer

from pullback.base.errors import PullbackError
from pullback.cli.evaluate import evaluate_verb
from pullback.cli.exit_codes import FAILED, INTERRUPTED, WRONG_USE
from pullback.cli.gradcheck import gradcheck_verb
from pullback.cli.info import info_verb
from pullback.cli.predict import predict_verb
from pullback.cli.source import source_verb
from pullback.cli.train import train_verb

# Typer brings its own copy of click in some versions and needs the package in others: its base of all errors in how
# a command was written is found from the class that both export.
_CommandError: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]

_HELP = """Train neural networks on the computer you have, and look at every number of it.

Begin with `pullback train digits`: a network learns to read handwritten digits in about a minute.
"""

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train_verb)
app.command("evaluate")(evaluate_verb)
app.command("predict")(predict_verb)
app.command("gradcheck")(gradcheck_verb)
app.command("source")(source_verb)
app.command("info")(info_verb)


@app.callback()
def _options_of_all_verbs(debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error.")) -> None:
    """Read in `main`, before typer sees it: here it stands for the help."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0: done. 2: something that the user gave was wrong: one line says what. 1: an error of ours. 130: Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        code = app([each for each in given if each != "--debug"], prog_name="pullback", standalone_mode=False)
    except Exception as error:
        if debug:
            raise
        code = _tell(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _tell(error: Exception) -> int:
    """Say in a line what is wrong; the exit code."""
    if isinstance(error, _CommandError):
        _complain(error.format_message())  # type: ignore[attr-defined]  # a method of all of them
        return WRONG_USE
    if isinstance(error, PullbackError):
        for line in str(error).splitlines():
            _complain(line)
        return WRONG_USE
    if isinstance(error, OSError) and error.filename is not None:
        _complain(f"{error.filename}: {error.strerror}")
        return WRONG_USE
    _complain(f"an error that is Pullback's own: {type(error).__name__}: {error}. Add --debug to see where")
    return FAILED


def _complain(line: str) -> None:
    print(f"pullback: {line}", file=sys.stderr)
