"""The one console that all verbs print to."""

import functools
from typing import Any


@functools.cache
def console() -> Any:
    """Standard output as a rich Console: colours on a terminal, plain text elsewhere."""
    from rich.console import Console

    return Console(highlight=False)


def print_line(text: str) -> None:
    """A line as it is: unwrapped, so that paths can be copied, and without markup."""
    console().print(text, soft_wrap=True, markup=False)
