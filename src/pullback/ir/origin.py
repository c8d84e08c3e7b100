"""Where a node came from: the user's line, the module, and the phase of training."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol

from pullback.ir.mode import mode

_PACKAGE = str(Path(__file__).parents[1])
# Lines in these rooms are worth showing to a user: they hold whole networks and the training loop.
_SHOWN = tuple(str(Path(_PACKAGE, room)) for room in ("models", "train"))
# Lines in these rooms are the same for every op.
_ENGINE = tuple(str(Path(_PACKAGE, room)) for room in ("ir", "ops"))
# Where the tracing of a compiled function starts: what called it is no part of it.
_START = str(Path(_PACKAGE, "backends"))


class Named(Protocol):
    """Anything that lists its parts by dotted path, as a module does."""

    def named_modules(self) -> Any:
        """Pairs of dotted path and module."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The place in the user's code that a node came from, its module, and its phase.

    `phase` is "forward", "backward" (then `of` is the forward node whose gradient this is) or "update"
    (then `detail` names the parameter). `frames` are, for nodes of a program, all lines that led here, Pullback's
    own included, innermost first: each a code and an instruction.
    """

    code: CodeType | None = None
    instruction: int = -1
    modules: tuple[Named, ...] = field(default=(), repr=False)
    phase: str = "forward"
    of: Any = field(default=None, repr=False)
    detail: str = ""
    frames: tuple[tuple[CodeType, int], ...] = field(default=(), repr=False)

    @property
    def file(self) -> str:
        """The path of the source file, or an empty string."""
        return self.code.co_filename if self.code else ""

    @property
    def span(self) -> tuple[int, int, int, int]:
        """First line, last line, first column and last column of the expression; zeros when unknown."""
        if self.code is None or self.instruction < 0:
            return (0, 0, 0, 0)
        for offset, position in enumerate(self.code.co_positions()):
            if 2 * offset == self.instruction:
                first, last, left, right = (n or 0 for n in position)
                return first, last, left, right
        return (0, 0, 0, 0)

    @property
    def line(self) -> int:
        """The line in the source file; 0 when unknown."""
        return self.span[0]

    @property
    def module_path(self) -> str:
        """The dotted path of the module that the node stands in, such as `blocks.3.attn.q`."""
        names = [_path_below(outer, inner) for outer, inner in zip(self.modules, self.modules[1:], strict=False)]
        return ".".join(name for name in names if name)

    def backward_of(self, node: Any) -> "Origin":
        """The origin of the gradient of `node`: its place, in the backward phase."""
        return replace(self, phase="backward", of=node)

    def __str__(self) -> str:
        place = f"{Path(self.file).name}:{self.line}" if self.code else "unknown place"
        return f"{self.module_path} ({place})" if self.module_path else place


def _path_below(outer: Named, inner: Named) -> str:
    for path, module in outer.named_modules():
        if module is inner:
            return str(path)
    return type(inner).__name__


def user_frame() -> FrameType | None:
    """The innermost frame that belongs to the user rather than to Pullback."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            return frame
        frame = frame.f_back
    return None


def is_users(file: str) -> bool:
    """Whether the lines of a file are worth showing to the user."""
    return not file.startswith(_PACKAGE) or file.startswith(_SHOWN)


def _frames() -> Iterator[tuple[CodeType, int]]:
    """Every frame from the op outwards, up to where the tracing started."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.startswith(_START):
        if not frame.f_code.co_filename.startswith(_ENGINE):
            yield frame.f_code, frame.f_lasti
        frame = frame.f_back


def capture() -> Origin:
    """The origin of what is being done now; the one set by `originating` when there is one."""
    if mode.origin is not None:
        return mode.origin
    frame = user_frame()
    if frame is None:
        return Origin(modules=mode.modules, phase=mode.phase, detail=mode.detail)
    frames = tuple(_frames()) if mode.recorder is not None else ()
    return Origin(frame.f_code, frame.f_lasti, mode.modules, mode.phase, None, mode.detail, frames)


def originating(origin: Origin | None) -> AbstractContextManager[None]:
    """Give this origin to every node made inside."""
    return mode.holding(origin=origin)


def phase(name: str, detail: str = "") -> AbstractContextManager[None]:
    """Mark every node made inside as belonging to this phase of training."""
    return mode.holding(phase=name, detail=detail)
