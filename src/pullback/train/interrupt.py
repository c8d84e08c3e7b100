"""Ctrl-C as a wish: the step that is running ends, what was learnt is saved, then training stops."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether someone asked to stop."""

    def __init__(self) -> None:
        self.wished = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Note the wish; a second one does not wait."""
        if self.wished:
            raise KeyboardInterrupt
        self.wished = True


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Inside, Ctrl-C (and the signal that ends a process) sets `wished`; a second one stops at once.

    Only Python's main thread gets signals: in another nothing is caught, and `wished` may be set by hand.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before: dict[int, Any] = {number: signal.signal(number, interruption.ask) for number in _SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
