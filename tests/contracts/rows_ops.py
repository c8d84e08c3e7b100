"""One row per op of the registry: the shapes, dtypes and params on which it is checked, and PyTorch's name for it."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pullback.base.dtypes import DTYPES, DType
from pullback.grad.loops import through_time
from pullback.ir.node import OPS, Value
from pullback.ir.program import Program, record
from pullback.ir.types import Type
from pullback.ops import exp
from pullback.tensor.tensor import Tensor
from tests.contracts.calls import Array, Given, of, spread

SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (7,), (3, 5), (1, 1, 2), (2, 0, 3)]
FLOATS = "float64 float32 float16 bfloat16"
WIDE = "float64 float32 int64"  # what sums and matrix products are made in
INTS = "int64 int32 int16 int8 uint8"
INF, NAN = float("inf"), float("nan")
EDGES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0]
BESIDE = ([a for a in EDGES for _ in EDGES], [b for _ in EDGES for b in EDGES])
Params = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Inputs and params of one application."""

    inputs: tuple[Given, ...]
    params: Params = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The types and the params as a short text."""
        shapes = " ".join(f"{g.dtype}{list(g.array.shape)}" for g in self.inputs)
        return f"{shapes} {' '.join(f'{k}={v}' for k, v in self.params.items() if isinstance(v, (int, tuple, str)))}"

    def arrays(self) -> list[Array]:
        """The inputs as arrays."""
        return [g.array.astype(DTYPES[g.dtype].numpy) for g in self.inputs]

    def types(self) -> list[Type]:
        """The types of the inputs."""
        return [Type(g.array.shape, DTYPES[g.dtype]) for g in self.inputs]

    def in_dtype(self, dtype: str, places: tuple[int, ...]) -> "Case":
        """The case with the inputs at these places in another dtype."""
        changed = [_cast(g, dtype) if i in places else g for i, g in enumerate(self.inputs)]
        return replace(self, inputs=tuple(changed))


def _cast(given: Given, dtype: str) -> Given:
    numbers = given.array
    if dtype == "bool":
        numbers = numbers > 0
    elif "int" in dtype:
        numbers = np.ceil(np.abs(numbers) * 3 if dtype.startswith("u") else numbers * 3)
    return of(numbers, dtype)


@dataclass(frozen=True)
class OpRow:
    """An op.

    dtypes: those that the inputs at the places `data` may have. torch: what PyTorch calls it, given a library,
    tensors and params, for the edges: NaN, infinities and zeros. smooth: whether differences can be taken.
    """

    name: str
    cases: tuple[Case, ...]
    dtypes: str
    data: tuple[int, ...]
    torch: Callable[..., Any] | None = None
    edges: tuple[list[float], ...] = ()
    smooth: bool = True

    def every_case(self) -> list[Case]:
        """Each case in each dtype."""
        return [case.in_dtype(dtype, self.data) for dtype in self.dtypes.split() for case in self.cases]

    def run(self, lib: Any) -> dict[str, Any]:
        """The op at its edges, in each dtype of floats, and its gradients there."""
        answers = {}
        for dtype in self.dtypes.split():
            if "float" in dtype:
                answers |= {f"{dtype} {k}": v for k, v in self._at_edges(lib, dtype).items()}
        return answers

    def _at_edges(self, lib: Any, dtype: str) -> dict[str, Any]:
        assert self.torch is not None
        numbers = self.edges or (EDGES,)
        inputs = [of(n, dtype).tensor(lib) for n in numbers]
        if lib.__name__ == "torch":
            y = self.torch(lib, *inputs)
        else:
            y = Tensor(OPS[self.name](*[x.value for x in inputs], **self.cases[0].params))
        if not y.requires_grad:
            return {"y": y}
        return {"y": y} | {f"dx{i}": g for i, g in enumerate(lib.autograd.grad(y.sum(), inputs))}


def elementwise(name: str, count: int, dtypes: str, low: float, high: float, torch: Any, smooth: bool) -> OpRow:
    """The row of an op whose inputs all have the output's shape."""
    cases = [Case(tuple(spread(*shape, low=low, high=high, seed=3 * i + 1) for i in range(count))) for shape in SHAPES]
    edges = BESIDE if count == 2 else (EDGES,)
    return OpRow(name, tuple(cases), dtypes, tuple(range(count)), torch, edges, smooth)


def unary(names: str, dtypes: str, low: float = -2.0, high: float = 2.0, smooth: bool = True) -> list[OpRow]:
    """Rows of ops with one input, which PyTorch knows under the same names."""
    return [elementwise(n, 1, dtypes, low, high, _named(n), smooth) for n in names.split()]


def binary(names: str, dtypes: str, low: float = -2.0, high: float = 2.0, smooth: bool = True) -> list[OpRow]:
    """Rows of ops with two inputs, which PyTorch knows under the same names."""
    return [elementwise(n, 2, dtypes, low, high, _named(n), smooth) for n in names.split()]


def _named(name: str) -> Callable[..., Any]:
    return lambda lib, *xs: getattr(lib, name)(*xs)


ELEMENTWISE = [
    *unary("neg abs sign", f"{FLOATS} int64 int32 int16 int8", low=0.1),
    *unary("exp expm1 sin cos atan tanh sigmoid erf", FLOATS),
    *unary("log sqrt rsqrt", FLOATS, low=0.3),
    *unary("log1p", FLOATS, low=-0.5),
    *unary("floor ceil round", FLOATS, smooth=False),
    *unary("bitwise_not", f"{INTS} bool"),
    elementwise("detach", 1, f"{FLOATS} {INTS} bool", -2, 2, lambda lib, x: x.detach(), False),
    *binary("add sub mul", f"{FLOATS} {INTS}"),
    *binary("div", FLOATS, low=0.5),
    *binary("pow", FLOATS, low=0.3),
    *binary("maximum minimum", f"{FLOATS} {INTS} bool"),
    *binary("eq ne lt le", f"{FLOATS} {INTS} bool"),
    *binary("bitwise_and bitwise_or bitwise_xor", f"{INTS} bool"),
    elementwise("shift_left", 2, INTS, 0.1, 1.5, None, False),
    elementwise("shift_right", 2, INTS, 0.1, 1.5, None, False),
    elementwise("floor_divide", 2, f"{FLOATS} {INTS}", 0.5, 2, None, False),
    elementwise("remainder", 2, f"{FLOATS} {INTS}", 0.5, 2, None, False),
]


def cases(*inputs_and_params: tuple[Any, ...]) -> tuple[Case, ...]:
    """Cases from tuples of inputs that may end with their params."""
    found = []
    for given in inputs_and_params:
        params = given[-1] if isinstance(given[-1], dict) else {}
        found.append(Case(tuple(x for x in given if isinstance(x, Given)), params))
    return tuple(found)


def boxes(names: Iterable[str], *values: tuple[Any, ...]) -> list[Params]:
    """Params by name, one dict for each tuple of values."""
    return [dict(zip(names, v, strict=True)) for v in values]


CUBE = spread(2, 3, 5)
REDUCED = [
    (spread(7), {"axes": (0,), "keepdims": False}),
    (spread(1), {"axes": (0,), "keepdims": True}),
    (spread(), {"axes": (), "keepdims": False}),
    *[
        (CUBE, {"axes": axes, "keepdims": k})
        for axes, k in itertools.product([(0,), (1,), (2,), (0, 2), (0, 1, 2)], [0, 1])
    ],
    (spread(2, 0, 3), {"axes": (0,), "keepdims": False}),
]
EMPTY_SUMS = [(spread(2, 0, 3), {"axes": (1,), "keepdims": True}), (spread(0), {"axes": (0,), "keepdims": False})]
PLACES = [
    (spread(7), {"axis": 0, "keepdims": False}),
    (CUBE, {"axis": 1, "keepdims": True}),
    (CUBE, {"axis": 2, "keepdims": False}),
    (spread(1), {"axis": 0, "keepdims": False}),
    (spread(0, 3), {"axis": 1, "keepdims": False}),
]
ORDERED = [
    (x, {"axis": x.array.ndim - 1, "descending": d})
    for x in (spread(7), CUBE, spread(1), spread(0))
    for d in (False, True)
]
ALONG = [
    (spread(7), {"axis": 0}),
    (CUBE, {"axis": 1}),
    (CUBE, {"axis": 2}),
    (spread(0, 3), {"axis": 0}),
    (spread(1), {"axis": 0}),
]

REDUCTIONS = [
    OpRow("sum", cases(*REDUCED, *EMPTY_SUMS), WIDE, (0,)),
    OpRow("amax", cases(*REDUCED), f"{FLOATS} {INTS} bool", (0,)),
    OpRow("amin", cases(*REDUCED), f"{FLOATS} {INTS} bool", (0,)),
    OpRow("argmax", cases(*PLACES), f"{FLOATS} {INTS} bool", (0,), smooth=False),
    OpRow("argmin", cases(*PLACES), f"{FLOATS} {INTS} bool", (0,), smooth=False),
    OpRow("cumsum", cases(*ALONG), WIDE, (0,)),
    OpRow("argsort", cases(*ORDERED), f"{FLOATS} {INTS} bool", (0,), smooth=False),
    OpRow(
        "matmul",
        cases(
            (spread(2, 3), spread(3, 5, seed=2)),
            (spread(1, 1), spread(1, 1, seed=2)),
            (spread(2, 3, 4), spread(2, 4, 1, seed=2)),
            (spread(2, 0), spread(0, 3)),
            (spread(0, 2), spread(2, 3)),
            (spread(2, 1, 7, 3), spread(2, 1, 3, 2, seed=2)),
        ),
        WIDE,
        (0, 1),
    ),
]

INDEX = of([1, 0, 4], "int64")
TABLE = of([[1, 0], [4, 4]], "int64")
MOVEMENT = [
    OpRow(
        "reshape",
        cases(
            *[(CUBE, p) for p in boxes(["shape"], ((30,),), ((5, 6),), ((2, 1, 15),), ((2, 3, 5),))],
            (spread(), {"shape": (1, 1)}),
            (spread(1), {"shape": ()}),
            (spread(0, 3), {"shape": (7, 0)}),
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow(
        "permute",
        cases(
            *[(CUBE, {"axes": a}) for a in itertools.permutations(range(3))],
            (spread(), {"axes": ()}),
            (spread(0, 3), {"axes": (1, 0)}),
            (spread(2, 3, 1, 2), {"axes": (2, 0, 3, 1)}),
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow(
        "pad",
        cases(
            *[
                (CUBE, p)
                for p in boxes(
                    ["low", "high", "inner", "value"],
                    ((0, 1, 2), (2, 0, 1), (0, 0, 0), 0),
                    ((1, 0, 0), (0, 0, 0), (1, 2, 0), 1),
                    ((0, 0, 0), (0, 0, 0), (0, 0, 0), 0),
                )
            ],
            (spread(), {"low": (), "high": (), "inner": (), "value": 0}),
            (spread(0), {"low": (2,), "high": (1,), "inner": (3,), "value": 1}),
            (spread(1), {"low": (1,), "high": (1,), "inner": (4,), "value": 0}),
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow(
        "slice",
        cases(
            *[
                (CUBE, p)
                for p in boxes(
                    ["start", "stop", "step"],
                    ((0, 0, 0), (2, 3, 5), (1, 1, 1)),
                    ((1, 0, 1), (2, 3, 5), (1, 2, 3)),
                    ((0, 1, 4), (2, 1, 5), (2, 1, 1)),
                    ((0, 2, 0), (1, 3, 4), (1, 1, 2)),
                )
            ],
            (spread(), {"start": (), "stop": (), "step": ()}),
            (spread(0), {"start": (0,), "stop": (0,), "step": (2,)}),
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow(
        "flip",
        cases(
            *[(CUBE, {"axes": a}) for a in ((), (0,), (1, 2), (0, 1, 2))],
            (spread(), {"axes": ()}),
            (spread(0), {"axes": (0,)}),
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow(
        "concat",
        cases(
            (spread(3), {"axis": 0}),
            (spread(3), spread(2, seed=2), {"axis": 0}),
            (spread(2, 0), spread(2, 3), {"axis": 1}),
            (CUBE, spread(2, 1, 5, seed=2), CUBE, {"axis": 1}),
            (spread(1, 2), spread(4, 2), spread(0, 2), {"axis": 0}),
        ),
        f"{FLOATS} {INTS} bool",
        (0, 1, 2),
    ),
    OpRow(
        "broadcast",
        cases(
            (spread(), {"shape": ()}),
            (spread(), {"shape": (2, 3)}),
            (spread(3), {"shape": (2, 3)}),
            (spread(2, 1, 5), {"shape": (2, 3, 5)}),
            (spread(1), {"shape": (0,)}),
            (spread(1, 3), {"shape": (4, 2, 3)}),
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow(
        "gather",
        cases(
            (spread(5), INDEX, {"axis": 0}),
            (CUBE, INDEX, {"axis": 2}),
            (spread(2, 5, 3), TABLE, {"axis": 1}),
            (spread(5), of(3, "int64"), {"axis": 0}),
            (spread(5, 2), of([], "int64"), {"axis": 0}),
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow(
        "scatter_add",
        cases(
            (spread(5), INDEX, spread(3, seed=2), {"axis": 0}),
            (CUBE, INDEX, spread(2, 3, 3, seed=2), {"axis": 2}),
            (spread(2, 5, 3), TABLE, spread(2, 2, 2, 3, seed=2), {"axis": 1}),
            (spread(5), of(3, "int64"), spread(seed=2), {"axis": 0}),
            (spread(5, 2), of([], "int64"), spread(0, 2), {"axis": 0}),
        ),
        f"{FLOATS} {INTS}",
        (0, 2),
    ),
    # Of entries named twice the last counts, yet the gradient goes to all of them, as in PyTorch: each is named once.
    OpRow(
        "scatter",
        cases(
            (spread(5), INDEX, spread(3, seed=2), {"axis": 0}),
            (CUBE, INDEX, spread(2, 3, 3, seed=2), {"axis": 2}),
            (spread(5), of(3, "int64"), spread(seed=2), {"axis": 0}),
            (spread(5, 2), of([], "int64"), spread(0, 2), {"axis": 0}),
        ),
        f"{FLOATS} {INTS} bool",
        (0, 2),
    ),
    OpRow(
        "windows",
        cases(
            (spread(7), {"size": (3,), "stride": (1,), "dilation": (1,)}),
            (spread(2, 8), {"size": (3,), "stride": (2,), "dilation": (2,)}),
            (spread(2, 5, 6), {"size": (3, 2), "stride": (1, 1), "dilation": (1, 1)}),
            (spread(2, 6, 4), {"size": (2, 2), "stride": (2, 2), "dilation": (1, 1)}),
            (spread(5, 6), {"size": (2, 3), "stride": (3, 1), "dilation": (1, 2)}),
            (spread(2, 4, 3, 3), {"size": (2, 1, 2), "stride": (2, 2, 1), "dilation": (1, 1, 2)}),
            (spread(2, 0, 4), {"size": (2,), "stride": (1,), "dilation": (1,)}),
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow(
        "overlap_add",
        cases(
            (spread(3, 5), {"length": (7,), "stride": (1,), "dilation": (1,)}),
            (spread(2, 3, 2), {"length": (8,), "stride": (2,), "dilation": (2,)}),
            (spread(2, 3, 2, 3, 5), {"length": (5, 6), "stride": (1, 1), "dilation": (1, 1)}),
            (spread(2, 2, 2, 3, 2), {"length": (6, 5), "stride": (2, 2), "dilation": (1, 1)}),
            (spread(2, 3, 2, 4), {"length": (6, 8), "stride": (3, 1), "dilation": (1, 2)}),
            (spread(1, 2, 1, 2, 2, 2, 1), {"length": (4, 3, 3), "stride": (2, 2, 1), "dilation": (1, 1, 2)}),
            (spread(0, 2, 3), {"length": (4,), "stride": (1,), "dilation": (1,)}),
        ),
        WIDE,
        (0,),
    ),
    OpRow(
        "where",
        tuple(Case((of(np.indices(s).sum(0) % 2 if s else 1, "bool"), spread(*s), spread(*s, seed=2))) for s in SHAPES),
        f"{FLOATS} {INTS} bool",
        (1, 2),
        lambda lib, c, x, y: lib.where(c > 0, x, y),
    ),
]


def dtype(name: str) -> DType:
    """The dtype of this name."""
    return DTYPES[name]


def _exponential() -> Any:
    return record(lambda x: [exp(x * x)], [Type((3,), DTYPES["float64"])], differentiable=True)


def _pulled(gs: Any, outputs: Any, inputs: Any, program: Any) -> list[Value]:
    ((g,), (y,), (x,)) = gs, outputs, inputs
    return [g * y * x * 2.0]


def _step(saved: int) -> Program:
    """A step that carries one value on; with what its gradient needs among the results where that is kept."""
    types = [Type((2,), DTYPES["float64"])] * 3
    made = record(lambda c, x, w: [exp(c * x) * w, c * w], types)
    return Program(made.inputs, made.nodes, (*made.outputs, *made.inputs[:saved]))


def _looped(length: int, reverse: bool) -> Case:
    params = {"program": _step(1), "carries": 1, "sequences": 1, "length": length, "reverse": reverse, "saved": 1}
    inputs = (spread(2), spread(length, 2, seed=2), spread(2, seed=3))
    return Case(inputs, params | {"rule": through_time})


def _by_hand(gs: Any, outputs: Any, values: Any) -> list[Value]:
    return [gs[0] * 1.0]


CREATION = [
    OpRow(
        "full",
        tuple(
            Case((), {"value": v, "shape": s, "dtype": dtype(d)})
            for v, s, d in [
                (2.5, (2, 3), "float64"),
                (0, (), "bool"),
                (3, (0,), "int64"),
                (1, (7,), "bfloat16"),
                (True, (1,), "bool"),
            ]
        ),
        "",
        (),
    ),
    OpRow("constant", (Case((), {"array": np.arange(6.0).reshape(2, 3)}), Case((), {"array": np.array(True)})), "", ()),
    OpRow(
        "iota",
        tuple(Case((), {"size": n, "dtype": dtype(d)}) for n in (0, 1, 7) for d in ("int64", "float32", "uint8")),
        "",
        (),
    ),
    OpRow(
        "random_bits",
        tuple(Case((of([3, 1, 2], "int64"),), {"shape": s}) for s in ((), (0,), (1,), (7,), (3, 5))),
        "",
        (),
    ),
    OpRow(
        "cast",
        tuple(
            Case((spread(*s, low=0.0),), {"dtype": dtype(d)}) for s in SHAPES for d in f"{FLOATS} int32 bool".split()
        ),
        f"{FLOATS} {INTS} bool",
        (0,),
    ),
    OpRow("call", (Case((spread(3),), {"program": _exponential(), "rule": _pulled}),), "float64", (0,)),
    OpRow("scan", (_looped(3, False), _looped(2, True), _looped(1, False)), "float64", (0, 1, 2)),
    OpRow(
        "attach_gradient",
        (Case((spread(3), spread(3, seed=2)), {"inputs": 1, "rule": _by_hand}),),
        "float64",
        (0, 1),
        smooth=False,
    ),
]

ROWS = {row.name: row for row in (*ELEMENTWISE, *REDUCTIONS, *MOVEMENT, *CREATION)}
ORACLE_ROWS = [row for row in ELEMENTWISE if row.torch is not None and "float" in row.dtypes]
