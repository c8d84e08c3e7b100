"""What holds for the thread at this moment: is a program being recorded, are gradients wanted, where are we."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class Mode(threading.local):
    """The state of one thread. Each thread starts eager, with gradients, in the forward phase."""

    recorder: Any = None  # the Recorder that ops are written to; None when they run at once
    grad: bool = True  # whether values that depend on a differentiable one remember how they were made
    origin: Any = None  # the Origin that nodes get instead of the user's line
    modules: tuple[Any, ...] = ()  # the modules being called, outermost first
    phase: str = "forward"
    detail: str = ""

    @contextmanager
    def holding(self, **wanted: Any) -> Iterator[None]:
        """Inside the `with` block these attributes have other values."""
        before = {name: getattr(self, name) for name in wanted}
        vars(self).update(wanted)
        try:
            yield
        finally:
            vars(self).update(before)


mode = Mode()


@dataclass
class Edits:
    """How often any tensor was given another value, gradient or hook: who has looked once need not look again before
    the number changes."""

    count: int = 0


edits = Edits()
