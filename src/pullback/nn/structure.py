"""What a compiled function that calls a module depends on besides numbers: its parts, its hooks and its constants."""

from collections.abc import Callable, Hashable
from typing import Any


class Edits:
    """Counts the changes to the structure of modules, so that asking whether one changed is a look at one number."""

    count = 0


def note_edit() -> None:
    """A part, a hook or a constant of some module was changed."""
    Edits.count += 1


def fingerprint(root: Any) -> Hashable:
    """What the course of a module's forward pass depends on, for this module and all below."""
    return tuple(
        (
            id(module),
            *(id(part) for kind in ("_parameters", "_buffers", "_modules") for part in module.__dict__[kind].values()),
            *(number for hooks in module.__dict__["_hooks"].values() for number in hooks),
            *(repr(getattr(module, name)) for name in module.__constants__),
        )
        for module in root.modules()
    )


def structure_reader(root: Any) -> Callable[[], Hashable]:
    """A function that gives the fingerprint, worked out anew only when some module was edited in the meantime."""
    seen = -1
    answer: Hashable = None

    def read() -> Hashable:
        nonlocal seen, answer
        if seen != Edits.count:
            seen, answer = Edits.count, fingerprint(root)
        return answer

    return read
