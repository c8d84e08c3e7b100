"""Rows for the dtype that two operands make, for every pair of dtypes, with tensors, 0-d tensors and Python numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
NUMBERS: dict[str, Any] = {"True": True, "3": 3, "2.5": 2.5}
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "lt": lambda a, b: a < b,
    "eq": lambda a, b: a == b,
}


def made(lib: Any, dtype: str, rank: int) -> Any:
    """A tensor of ones without dims, or with one."""
    return lib.ones((2,) * rank, dtype=getattr(lib, dtype))


def pairs(lib: Any) -> list[tuple[str, Any, Any]]:
    """Two tensors of every pair of dtypes, with and without dims, and a tensor beside each Python number."""
    ranks = [(1, 1), (1, 0), (0, 1), (0, 0)]
    tensors = [
        (f"{a}[{i}] {b}[{j}]", made(lib, a, i), made(lib, b, j)) for a in DTYPES for b in DTYPES for i, j in ranks
    ]
    left = [(f"{a}[{i}] {n}", made(lib, a, i), x) for a in DTYPES for i in (0, 1) for n, x in NUMBERS.items()]
    right = [(f"{n} {a}[{i}]", x, made(lib, a, i)) for a in DTYPES for i in (0, 1) for n, x in NUMBERS.items()]
    return [*tensors, *left, *right]


@dataclass(frozen=True)
class Promotion:
    """The dtypes of an operation's result, for all pairs; and its first number."""

    name: str

    def run(self, lib: Any) -> dict[str, str]:
        """A text for each pair: the dtype and the number, or that it is refused."""
        return {name: outcome(lambda a=a, b=b: OPERATIONS[self.name](a, b)) for name, a, b in self.operands(lib)}

    def operands(self, lib: Any) -> list[tuple[str, Any, Any]]:
        """The pairs; without two bools for what PyTorch refuses to do with bools."""
        found = pairs(lib)
        return [
            p
            for p in found
            if not (self.name == "sub" and ("bool" in p[0] or "True" in p[0])) and not is_two_bools(p[0], self.name)
        ]


def is_two_bools(name: str, operation: str) -> bool:
    """Whether both operands are bools, which PyTorch does not divide, raise or take the remainder of."""
    return all(part.startswith(("bool", "True")) for part in name.split()) and operation in ("floordiv", "mod", "pow")


def outcome(function: Callable[[], Any]) -> str:
    """The dtype and the first number of a result as text, or that it is refused."""
    try:
        result = function()
    except (RuntimeError, TypeError, ValueError):
        return "refused"
    return f"{str(result.dtype).rpartition('.')[2]} {float(result.reshape(-1)[0])}"


@dataclass(frozen=True)
class ResultType:
    """What `result_type` says of all pairs."""

    name: str = "result_type"

    def run(self, lib: Any) -> dict[str, Any]:
        """The dtype for each pair."""
        return {name: lib.result_type(a, b) for name, a, b in pairs(lib)}


@dataclass(frozen=True)
class Joined:
    """The dtypes that `cat`, `stack` and `where` make of two."""

    name: str

    def run(self, lib: Any) -> dict[str, str]:
        """A text for each pair of dtypes."""
        names = {f"{a} {b}": (made(lib, a, 1), made(lib, b, 1)) for a in DTYPES for b in DTYPES}
        return {name: outcome(lambda a=a, b=b: self.join(lib, a, b)) for name, (a, b) in names.items()}

    def join(self, lib: Any, a: Any, b: Any) -> Any:
        """Both tensors in one."""
        if self.name == "where":
            return lib.where(lib.tensor([True, False]), a, b)
        return getattr(lib, self.name)([a, b])


@dataclass(frozen=True)
class Casts:
    """Numbers at the edges of each dtype, cast to every other."""

    name: str = "casts"

    def run(self, lib: Any) -> dict[str, Any]:
        """A tensor for each pair."""
        given = {
            d: lib.tensor([0.0, 1.0, 2.5, 3.5, 100.0, 127.0] + [-1.0, -2.5, -100.0] * (d != "uint8" and d != "bool"))
            for d in DTYPES
        }
        sources = {d: x.to(getattr(lib, d)) for d, x in given.items()}
        small = {d: x[:6] for d, x in sources.items()}  # what is below 0 does not go into uint8
        return {f"{a} {b}": (small if b == "uint8" else sources)[a].to(getattr(lib, b)) for a in DTYPES for b in DTYPES}


@dataclass(frozen=True)
class Rounding:
    """Halfway cases of casts from float32 and float64 to 16-bit floats, infinities and NaN."""

    name: str = "rounding"

    def run(self, lib: Any) -> dict[str, Any]:
        """A tensor for each pair."""
        hard = [1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 65519.0, 65520.0, 1e-8, 6e-8, 1e39]
        whole = [float("inf"), float("-inf"), float("nan"), -0.0, 3.4e38]
        wide = lib.tensor(hard + whole, dtype=lib.float64)
        return {f"{a} {b}": wide.to(getattr(lib, a)).to(getattr(lib, b)) for a in DTYPES[:2] for b in DTYPES[1:4]}


ORACLE_ROWS = [*map(Promotion, OPERATIONS), ResultType(), *map(Joined, ("cat", "stack", "where")), Casts(), Rounding()]
