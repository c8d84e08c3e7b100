"""The command line: its verbs, and what becomes of errors."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import metadata
from typing import Annotated, Any

import typer

from pullback.base.errors import PullbackError
from pullback.cli.console import print_line
from pullback.cli.evaluate import evaluate_verb
from pullback.cli.exit_codes import FAILED, INTERRUPTED, WRONG_USE
from pullback.cli.generate import generate_verb
from pullback.cli.gradcheck import gradcheck_verb
from pullback.cli.info import info_verb
from pullback.cli.predict import predict_verb
from pullback.cli.source import source_verb
from pullback.cli.train import train_verb
from pullback.train.threads import one_thread

# Typer brings its own copy of click in some versions and needs the package in others: its base of all errors in how
# a command was written is found from the class that both export.
_CommandError: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]

_HELP = """Train neural networks on the computer you have, and look at every number of it.

**First steps**

- `pullback train digits` – a network learns to read handwritten digits, in about a minute

- `pullback source runs/digits-...` – its training step, forward and backward, as NumPy to read

- `pullback predict runs/digits-... seven.png` – use it

- `pullback generate runs/austen-gpt-... --prompt "It is a truth"` – after `pullback train austen-gpt`, have it write on

**Your own table, your own text**

- `pullback train --data flats.csv --target price` – a network is proposed, trained and tested

- `pullback predict runs/flats-... new.csv --out prices.csv` – use it

- `pullback train --data book.txt` – its characters are learnt, beside n-grams

`pullback VERB --help` says more, with examples.
"""

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _interruptible(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb, with a line for Ctrl-C, of which typer would make an exit code and no word."""

    @wraps(verb)
    def told(*arguments: Any, **options: Any) -> None:
        try:
            verb(*arguments, **options)
        except KeyboardInterrupt:
            raise typer.Exit(_complain("interrupted", INTERRUPTED)) from None

    return told


_VERBS = (train_verb, evaluate_verb, predict_verb, generate_verb, source_verb, gradcheck_verb, info_verb)
for _verb in _VERBS:
    app.command(_verb.__name__.removesuffix("_verb"))(_interruptible(_verb))


def _show_version(wanted: bool) -> None:
    if wanted:
        print_line(f"pullback {metadata.version('pullback')}")
        raise typer.Exit


@app.callback()
def _options_of_all_verbs(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """The options before the verb. `--debug` is read in `main`, wherever it stands: here it is for the help."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0, or one of those in `exit_codes`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        with one_thread():
            code = app([each for each in given if each != "--debug"], prog_name="pullback", standalone_mode=False)
        sys.stdout.flush()  # here, so that a reader who has gone away is met here
    except BrokenPipeError:
        code = _reader_gone()
    except KeyboardInterrupt:
        code = _complain("interrupted", INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        code = _tell(error)
    sys.exit(code)


def _tell(error: Exception) -> int:
    """Say in a line what is wrong; the exit code."""
    if isinstance(error, _CommandError):
        return _complain(error.format_message(), WRONG_USE)  # type: ignore[attr-defined]  # a method of all of them
    if isinstance(error, PullbackError):
        return _complain(str(error), WRONG_USE)
    if isinstance(error, OSError) and error.strerror:
        return _complain(f"{error.filename or 'the system says'}: {error.strerror}", WRONG_USE)
    what = f"{type(error).__name__}: {error}"
    return _complain(f"an error that is Pullback's own: {what}. Add --debug to see where", FAILED)


def _reader_gone() -> int:
    """Whoever read the output has had enough, as `head` has: nothing is wrong, and nothing more can be said."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
    return 0


def _complain(text: str, code: int) -> int:
    for line in text.splitlines():
        print(f"pullback: {line}", file=sys.stderr)
    return code
