"""Places within arrays, as sums over loop variables, so that moving numbers costs nothing but other sums.

A value is looked at through an index: one number for its place in row-major order (`linear`), or one for each
dimension. Reshape, permute, broadcast, slice and flip only turn one index into another. Where a place must be split
into dimensions that do not line up with the loops, a quotient becomes a variable of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pullback.base.shapes import Shape, size_of
from pullback.ir.node import Node

# How deep in the loops a number is known: before all of them, once for each row, in each place of a row.
OUTSIDE, IN_ROW, IN_PLACE = 0, 1, 2


@dataclass(frozen=True, eq=False, slots=True)
class Var:
    """A whole number from 0 to below `size`: a loop's counter, a quotient or remainder, or one read from memory."""

    name: str
    size: int
    level: int
    made_of: Any = None  # (kind, Affine, number) of a quotient or remainder; a scalar in LLVM for one that was read


@dataclass(frozen=True)
class Affine:
    """number + Σ factor · variable, all factors and values that occur at least 0 after flips are worked in."""

    terms: tuple[tuple[Var, int], ...] = ()
    number: int = 0

    @cached_property
    def level(self) -> int:
        """The innermost loop that it depends on."""
        return max((var.level for var, _ in self.terms), default=OUTSIDE)

    @cached_property
    def most(self) -> int:
        """Its largest value."""
        return self.number + sum(factor * (var.size - 1) for var, factor in self.terms if factor > 0)

    def __add__(self, other: "Affine | int") -> "Affine":
        if isinstance(other, int):
            return Affine(self.terms, self.number + other)
        factors = dict(self.terms)
        for var, factor in other.terms:
            factors[var] = factors.get(var, 0) + factor
        return Affine(tuple((v, f) for v, f in factors.items() if f), self.number + other.number)

    def __mul__(self, factor: int) -> "Affine":
        return Affine(tuple((v, f * factor) for v, f in self.terms) if factor else (), self.number * factor)

    def factor_of(self, var: Var) -> int:
        """What the variable is multiplied with; 0 when it does not occur."""
        return next((f for v, f in self.terms if v is var), 0)


ZERO = Affine()


def variable(var: Var) -> Affine:
    """The variable itself; 0 for one that has no other value."""
    return Affine(((var, 1),)) if var.size != 1 else ZERO


def strides_of(shape: Shape) -> tuple[int, ...]:
    """How far apart neighbours along each dimension lie in row-major order."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


class Divisions:
    """Quotients and remainders that had to become variables; each is made once."""

    def __init__(self) -> None:
        self._known: dict[Any, Var] = {}

    @property
    def deepest(self) -> int:
        """The innermost loop in which something is divided."""
        return max((var.level for var in self._known.values()), default=OUTSIDE)

    def _var(self, kind: str, what: Affine, number: int, size: int) -> Affine:
        key = (kind, what, number)
        if key not in self._known:
            self._known[key] = Var(f"{kind}{len(self._known)}", size, what.level, key)
        return variable(self._known[key])

    def split(self, what: Affine, number: int) -> tuple[Affine, Affine]:
        """Quotient and remainder of a division by a positive number."""
        if number == 1:
            return what, ZERO
        if any(f < 0 for _, f in what.terms):
            return self._opaque(what, number)
        whole = Affine(tuple((v, f // number) for v, f in what.terms if f % number == 0), what.number // number)
        rest = Affine(tuple((v, f) for v, f in what.terms if f % number), what.number % number)
        if rest.most < number:
            return whole, rest
        # The part that is finer than some factor never carries over it: divide the coarse part alone.
        for factor in sorted({f for _, f in rest.terms if number % f == 0 and f > 1}, reverse=True):
            fine = Affine(tuple((v, f) for v, f in rest.terms if f % factor), rest.number % factor)
            if fine.most < factor:
                coarse = Affine(
                    tuple((v, f // factor) for v, f in rest.terms if f % factor == 0), rest.number // factor
                )
                quotient, remainder = self._opaque(coarse, number // factor)
                return whole + quotient, remainder * factor + fine
        quotient, remainder = self._opaque(rest, number)
        return whole + quotient, remainder

    def _opaque(self, what: Affine, number: int) -> tuple[Affine, Affine]:
        return (
            self._var("quotient", what, number, what.most // number + 1),
            self._var("remainder", what, number, min(number, what.most + 1)),
        )


@dataclass(frozen=True)
class Index:
    """A place in an array of this shape, by dimension or in row-major order; the other form is made when asked for."""

    shape: Shape
    dims: tuple[Affine, ...] | None = None
    linear: Affine | None = None

    def place(self) -> Affine:
        """The place in row-major order."""
        if self.linear is not None:
            return self.linear
        assert self.dims is not None
        return total(d * s for d, s in zip(self.dims, strides_of(self.shape), strict=True))

    def coordinates(self, divisions: Divisions) -> tuple[Affine, ...]:
        """The place along each dimension."""
        if self.dims is not None:
            return self.dims
        assert self.linear is not None
        rest, found = self.linear, []
        for n, stride in zip(self.shape, strides_of(self.shape), strict=True):
            if n == 1:
                found.append(ZERO)
                continue
            place, rest = divisions.split(rest, stride)
            found.append(place)
        return tuple(found)

    def in_shape(self, shape: Shape) -> "Index":
        """The same place in row-major order in an array of another shape and equal size."""
        if shape == self.shape:
            return self
        kept = tuple(n for n in self.shape if n != 1)
        if self.dims is not None and kept == tuple(n for n in shape if n != 1):
            real = iter([d for d, n in zip(self.dims, self.shape, strict=True) if n != 1])
            return Index(shape, tuple(ZERO if n == 1 else next(real) for n in shape))
        return Index(shape, None, self.place())


def total(parts: Iterable[Affine]) -> Affine:
    """The sum."""
    result = ZERO
    for part in parts:
        result = result + part
    return result


def source_index(op: str, params: dict[str, Any], source: Shape, index: Index, divisions: Divisions) -> Index | None:
    """Where a movement op finds the number that it puts at `index`; None for an op that does more than move."""
    if op in ("reshape", "detach"):
        return index.in_shape(source)
    if op == "broadcast":
        return _before_broadcast(source, index, divisions)
    if op not in ("permute", "slice", "flip", "windows"):
        return None
    dims = index.coordinates(divisions)
    if op == "permute":
        found: list[Affine] = [ZERO] * len(dims)
        for axis, d in zip(params["axes"], dims, strict=True):
            found[axis] = d
    elif op == "windows":
        rank = len(params["size"])
        within, which = dims[-2 * rank : -rank], dims[-rank:]
        steps = zip(within, which, params["stride"], params["dilation"], strict=True)
        found = [*dims[: -2 * rank], *(o * s + k * d for k, o, s, d in steps)]
    elif op == "slice":
        found = [d * s + a for d, s, a in zip(dims, params["step"], params["start"], strict=True)]
    else:
        axes = params["axes"]
        found = [d * -1 + (n - 1) if i in axes else d for i, (d, n) in enumerate(zip(dims, source, strict=True))]
    return Index(source, tuple(found))


def unrolled_index(node: Node, index: Index, divisions: Divisions, place: Sequence[int] = ()) -> Index:
    """Where a reduction that is written out reads its input, at this place along the reduced axes (their first)."""
    (x,), params = node.inputs, node.params
    axes = params.get("axes", (params.get("axis"),))
    kept = index.coordinates(divisions)
    if params["keepdims"]:
        kept = tuple(d for i, d in enumerate(kept) if i not in axes)
    at, behind = dict(zip(axes, place or (0,) * len(axes), strict=True)), iter(kept)
    return Index(x.shape, tuple(Affine((), at[i]) if i in at else next(behind) for i in range(len(x.shape))))


def _before_broadcast(source: Shape, index: Index, divisions: Divisions) -> Index:
    size = size_of(source)
    if size == size_of(index.shape):
        return index.in_shape(source)
    if size == 1:
        return Index(source, (ZERO,) * len(source))
    padded = (1,) * (len(index.shape) - len(source)) + source
    if index.dims is not None:
        found = [ZERO if n == 1 else d for d, n in zip(index.dims, padded, strict=True)]
        return Index(source, tuple(found[len(padded) - len(source) :]))
    # Neighbours that are all repeated, or all not, stay together: what need not be split is not.
    runs: list[tuple[bool, int]] = []
    for n, m in zip(padded, index.shape, strict=True):
        if m == 1:
            continue
        if runs and runs[-1][0] == (n == 1):
            runs[-1] = (n == 1, runs[-1][1] * m)
        else:
            runs.append((n == 1, m))
    places = index.in_shape(tuple(n for _, n in runs)).coordinates(divisions)
    kept = tuple(n for is_repeated, n in runs if not is_repeated)
    dims = tuple(d for d, (is_repeated, _) in zip(places, runs, strict=True) if not is_repeated)
    return Index(kept, dims).in_shape(source)


@dataclass(frozen=True)
class View:
    """How a value lies in a buffer: element (i, j, …) stands at offset + i · strides[0] + j · strides[1] + …"""

    offset: int
    strides: tuple[int, ...]


def view_of(shape: Shape, path: Sequence[tuple[str, dict[str, Any], Shape]]) -> View | None:
    """How a value of this shape, reached by a path of movement ops from a stored one, lies in that one's buffer.

    `path` begins with the op nearest to the value; each step has the op's name, params and the shape it moves.
    None where the places do not grow evenly.
    """
    divisions = Divisions()
    loops = tuple(Var(f"i{axis}", n, IN_PLACE) for axis, n in enumerate(shape))
    index = Index(shape, tuple(variable(v) for v in loops))
    for op, params, source in path:
        found = source_index(op, params, source, index, divisions)
        if found is None:
            return None
        index = found
    place = index.place()
    if any(v not in loops for v, _ in place.terms):
        return None
    return View(place.number, tuple(place.factor_of(v) for v in loops))
