"""The errors of Pullback: each says what was required, what came and what to do."""

import difflib
from collections.abc import Iterable


class PullbackError(RuntimeError):
    """Any error that Pullback raises on purpose. A RuntimeError, as PyTorch's are."""


class ShapeError(PullbackError, ValueError):
    """Shapes that do not fit together, or an axis that does not exist."""


class DTypeError(PullbackError, TypeError):
    """A dtype that an operation cannot take."""


class IndexOutOfRange(PullbackError, IndexError):
    """An index outside the axis that it points into."""


class ArgumentError(PullbackError, ValueError):
    """An argument whose value is not among those allowed."""


class GradientError(PullbackError):
    """A gradient that was asked for and does not exist, or is no longer kept."""


class TraceError(PullbackError):
    """Something that a compiled function cannot do, such as a branch on a tensor's value."""


class DataError(PullbackError, ValueError):
    """A file or a column that does not hold what was promised."""


class StateError(PullbackError, KeyError):
    """A state dict whose keys or shapes do not fit the object that should load it."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence naming the nearest known name, or an empty string when none is near.

    >>> suggest("lss", ["loss", "step"])
    " Did you mean 'loss'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


class BackendUnavailable(PullbackError):
    """What a backend needs is not on this machine; the message says what is missing."""
