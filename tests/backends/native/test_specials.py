"""Kernels that are written by hand, against the meaning of their ops, bit for bit, however threads share them out."""

import ctypes
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.backends.native import kernel_writer, specials
from pullback.backends.native.compiler import compile_kernels, symbol
from pullback.base.dtypes import DTYPES, DType, from_numpy_dtype
from pullback.ir.node import OPS, Node, Value
from pullback.ir.origin import capture
from pullback.ir.types import Type
from tests.backends.native.comparing import assert_agree, recorded

Array = Any
_GUARD, _GUARD_BYTE = 256, 0xA5
_WAYS = (1, 2, 3, 8)
_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def compiled(text: str, build: Callable[[str], str]) -> Any:
    """The kernel that this text tells from others, as a function."""
    wanted = {text: lambda: build(symbol(text))}
    return _SIGNATURE(compile_kernels(wanted).addresses[text])


class Guarded:
    """Memory for so many bytes on a cache line, with bytes around it that nobody may touch."""

    def __init__(self, nbytes: int) -> None:
        self.whole = np.full(nbytes + 2 * _GUARD + 64, _GUARD_BYTE, np.uint8)
        self.start = _GUARD + -(self.whole.ctypes.data + _GUARD) % 64
        self.nbytes = nbytes

    @property
    def inside(self) -> Array:
        """The bytes that may be used."""
        return self.whole[self.start : self.start + self.nbytes]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was written outside."""
        outside = [self.whole[: self.start], self.whole[self.start + self.nbytes :]]
        return all((part == _GUARD_BYTE).all() for part in outside)


def node_of(name: str, arrays: Sequence[Array], **params: Any) -> tuple[Node, list[Value]]:
    """The op applied to values of these arrays' types, and its outputs, which must be held."""
    op = OPS[name]
    inputs = tuple(Value(Type(a.shape, from_numpy_dtype(a.dtype))) for a in arrays)
    outputs = [Value(t) for t in op.infer([x.type for x in inputs], params)]
    return Node(op, inputs, params, outputs, capture()), outputs


class Kernel:
    """A node's kernel, ready to run on arrays."""

    def __init__(self, node: Node) -> None:
        assert specials.is_native(node)
        self.special, self.type = specials.plan_special(node), node.types[0]
        self.run = compiled(self.special.text, self.special.build)

    def __call__(self, arrays: Sequence[Array], ways: int = 1) -> tuple[Array, int]:
        """The result when the chunks are shared out in so many ways, last share first, and the flag."""
        target, scratch = Guarded(self.type.nbytes), Guarded(self.special.scratch)
        operands = [np.ascontiguousarray(a).reshape(a.shape) for a in arrays]
        flag = np.zeros(1, np.int64)
        pointers = [a.ctypes.data for a in operands] + [target.inside.ctypes.data]
        pointers += [flag.ctypes.data] if self.special.can_fail else []
        pointers += [scratch.inside.ctypes.data] if self.special.scratch else []
        words = np.array(pointers, np.int64)
        bounds = [self.special.chunks * i // ways for i in range(ways + 1)]
        for lo, hi in reversed(list(pairwise(bounds))):
            self.run(words.ctypes.data, lo, hi)
        assert target.is_whole
        assert scratch.is_whole
        return target.inside.view(self.type.dtype.numpy).reshape(self.type.shape), int(flag[0])


def bits(array: Array) -> Array:
    """The numbers as whole numbers of the same bits, all NaN alike."""
    array = np.array(array)
    if array.dtype.kind not in "biu":
        array[np.isnan(array)] = np.nan
    return array.view(f"u{array.dtype.itemsize}")


def meaning(name: str, arrays: Sequence[Array], params: dict[str, Any]) -> tuple[Array, ...]:
    """What the op makes of the arrays. NumPy's sort knows no order of NaN in bfloat16; float32 has the same order."""
    if name == "argsort" and from_numpy_dtype(arrays[0].dtype) is pb.bfloat16:
        arrays = [arrays[0].astype(np.float32)]
    with np.errstate(all="ignore"):
        return OPS[name].run(arrays, params)


def check(name: str, arrays: Sequence[Array], **params: Any) -> Kernel:
    """Hold the kernel to the op's meaning."""
    node, outputs = node_of(name, arrays, **params)
    kernel = Kernel(node)
    (wanted,) = meaning(name, arrays, params)
    assert outputs[0].shape == wanted.shape
    for ways in _WAYS:
        found, flag = kernel(arrays, ways)
        np.testing.assert_array_equal(bits(found), bits(wanted), err_msg=f"{ways} ways, {kernel.special.text}")
        assert flag == 0
    return kernel


@pytest.fixture(autouse=True)
def many_chunks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Small arrays are cut, too, unless a test wants them as they are."""
    if "as_it_is" not in request.fixturenames:
        monkeypatch.setattr(kernel_writer, "CHUNK_BYTES", 64)


@pytest.fixture
def as_it_is() -> None:
    """Chunks as they are cut in earnest."""


def numbers(dtype: DType, shape: Sequence[int], seed: int = 0) -> Array:
    """Numbers of all sizes, some of them equal; of floats some ±0, NaN and infinities, too."""
    rng = np.random.default_rng(seed)
    if dtype is pb.bool:
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind == "int":
        info = np.iinfo(dtype.numpy)
        wide = rng.integers(info.min, info.max, shape, dtype.numpy, endpoint=True)
        return np.where(rng.random(shape) < 0.5, wide, (wide % 5).astype(dtype.numpy))
    x = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, shape)
    rare = np.array([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1.5, -1.5])
    return np.where(rng.random(shape) < 0.3, rng.choice(rare, shape), x).astype(dtype.numpy)


def calm(dtype: DType, shape: Sequence[int], seed: int = 0) -> Array:
    """Numbers without NaN and infinity."""
    x = numbers(dtype, shape, seed)
    return np.where(np.isfinite(x), x, 0).astype(dtype.numpy) if dtype.kind == "float" else x


# Copies
@pytest.mark.usefixtures("as_it_is")
@pytest.mark.parametrize("nbytes", [1, 24, 4096, 100_001])
def test_copy(nbytes: int) -> None:
    run = compiled(f"copy {nbytes}", lambda symbol: specials.build_copy(nbytes, symbol))
    source, target = np.random.default_rng(0).integers(0, 256, nbytes, np.uint8), Guarded(nbytes)
    words = np.array([source.ctypes.data, target.inside.ctypes.data], np.int64)
    run(words.ctypes.data, 0, 0)
    assert (target.inside == _GUARD_BYTE).all()
    run(words.ctypes.data, 0, 1)
    np.testing.assert_array_equal(target.inside, source)
    assert target.is_whole


# Writing at places: the shape of x, that of the index, the axis
SCATTERS = [
    ((7,), (5,), 0), ((7,), (), 0), ((100,), (3,), 0), ((3, 5), (9,), 1), ((3, 5), (2, 3), 0), ((1, 1), (1,), 0),
    ((50, 33), (4,), 0), ((50, 33), (200,), 0), ((6, 4, 40), (5, 2), 1), ((17, 3), (2,), 1), ((1000, 1), (3,), 0),
    ((4, 129), (3,), 0), ((2, 3, 4, 5), (7,), 2), ((11, 64), (1,), 0),
    ((2, 5000), (3,), 0), ((9, 2050), (2,), 0), ((33, 300), (90,), 0),
]  # fmt: skip


def scattered(dtype: DType, shape: Sequence[int], index_shape: Sequence[int], axis: int) -> list[Array]:
    """x, an index with places from both ends and, where it is long enough, named twice, and updates."""
    n = shape[axis]
    index = np.asarray(np.random.default_rng(3).integers(-n, n, index_shape))
    updates = calm(dtype, (*shape[:axis], *index_shape, *shape[axis + 1 :]), 4)
    return [calm(dtype, shape, 5), index, updates]


@pytest.mark.parametrize("name", ["scatter", "scatter_add"])
@pytest.mark.parametrize(("shape", "index_shape", "axis"), SCATTERS)
def test_scatter(name: str, shape: tuple[int, ...], index_shape: tuple[int, ...], axis: int) -> None:
    check(name, scattered(pb.float32, shape, index_shape, axis), axis=axis)


@pytest.mark.parametrize("name", ["scatter", "scatter_add"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_scatter_of_every_dtype(name: str, dtype: str) -> None:
    check(name, scattered(DTYPES[dtype], (6, 40), (30,), 0), axis=0)
    check(name, scattered(DTYPES[dtype], (30, 6), (50,), 1), axis=1)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool"])
@pytest.mark.parametrize("value", [0, 1, -0.0, 0.1, 2**53 + 1])
def test_scatter_into_one_number_does_not_read_it(dtype: str, value: float) -> None:
    x, index, updates = scattered(DTYPES[dtype], (20, 30), (9,), 0)
    x = np.full_like(x, value)
    node, _outputs = node_of("scatter_add", [x, index, updates], axis=0)
    full, outputs = node_of("full", [], value=value, shape=x.shape, dtype=DTYPES[dtype])
    assert full.output is outputs[0]
    known = Node(node.op, (outputs[0], *node.inputs[1:]), node.params, _outputs, capture())
    kernel = Kernel(known)
    assert kernel.special.unread == (0,)
    assert kernel.special.text != specials.plan_special(node_of("scatter_add", [x, index, updates], axis=0)[0]).text
    (wanted,) = OPS["scatter_add"].run([x, index, updates], {"axis": 0})
    for ways in _WAYS:
        found, _ = kernel([np.empty(0), index, updates], ways)
        np.testing.assert_array_equal(bits(found), bits(wanted))


@pytest.mark.parametrize("name", ["scatter", "scatter_add"])
@pytest.mark.parametrize("bad", [7, -8, 1000, 2**62, -(2**63)])
@pytest.mark.parametrize("index_length", [1, 40])
def test_an_index_out_of_range_sets_the_flag_and_writes_nowhere(name: str, bad: int, index_length: int) -> None:
    x, index, updates = scattered(pb.float32, (7, 33), (index_length,), 0)
    middle = index_length // 2
    good = [x, np.delete(index, middle), np.delete(updates, middle, 0)]
    index[middle] = bad
    kernel = Kernel(node_of(name, [x, index, updates], axis=0)[0])
    (wanted,) = OPS[name].run(good, {"axis": 0})
    for ways in _WAYS:
        found, flag = kernel([x, index, updates], ways)
        assert flag == 1
        np.testing.assert_array_equal(bits(found), bits(wanted))


def test_scatter_is_cut_along_every_axis() -> None:
    cuts = [specials.plan_special(node_of("scatter", scattered(pb.float32, *row), axis=row[2])[0]) for row in SCATTERS]
    found = [eval(special.text.split("cut ")[1]) for special in cuts]
    assert all(max(cut[i] for cut in found) > 1 for i in range(3)), found


# Joining: the shapes, the axis
CONCATS = [
    ([(3,), (4,)], 0), ([(1,)], 0), ([(2, 3), (2, 1), (2, 5)], 1), ([(2, 3), (4, 3)], 0), ([(100, 3), (100, 4)], 1),
    ([(2, 3, 200), (2, 1, 200)], 1), ([(1, 5000), (1, 3)], 1), ([(17, 2, 1)] * 9, 2),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "bool"])
@pytest.mark.parametrize(("shapes", "axis"), CONCATS)
def test_concat(dtype: str, shapes: list[tuple[int, ...]], axis: int) -> None:
    arrays = [numbers(DTYPES[dtype], shape, i) for i, shape in enumerate(shapes)]
    joined = recorded(lambda *xs: list(OPS["concat"].apply(xs, {"axis": axis})), arrays)
    assert assert_agree(joined, arrays, str(shapes), exact=True).schedule.is_native
    # Each part turned round on the way, so that it is copied from where it lies otherwise.
    turned = [np.ascontiguousarray(a.T) for a in arrays]
    order = tuple(reversed(range(len(shapes[0]))))
    joined = recorded(
        lambda *xs: list(OPS["concat"].apply([OPS["permute"](x, axes=order) for x in xs], {"axis": axis})), turned
    )
    assert assert_agree(joined, turned, f"{shapes}, turned", exact=True).schedule.is_native


# Running sums: shape, axis
CUMSUMS = [
    ((1,), 0), ((9,), 0), ((7, 13), 1), ((7, 13), 0), ((4, 1), 1), ((3, 50, 1), 1), ((2, 9, 3), 1), ((2, 9, 8), 1),
    ((5, 6, 70), 1), ((130, 129), 0), ((100, 3), 0), ((33, 17), 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("shape", "axis"), CUMSUMS)
def test_cumsum(dtype: str, shape: tuple[int, ...], axis: int) -> None:
    check("cumsum", [numbers(DTYPES[dtype], shape)], axis=axis)
    check("cumsum", [calm(DTYPES[dtype], shape)], axis=axis)
    check("cumsum", [-np.zeros(shape, dtype)], axis=axis)


# Sorting: shape, axis
SORTS = [
    ((1,), 0), ((2,), 0), ((5, 1), 1), ((32,), 0), ((33,), 0), ((65,), 0), ((80,), 0), ((97,), 0),
    ((3, 7, 5), 1), ((31, 11), 0), ((2, 101), 1), ((101, 3), 0), ((1, 2003), 1), ((4, 70, 2), 1),
]  # fmt: skip


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SORTS)
def test_argsort(dtype: str, shape: tuple[int, ...], axis: int, descending: bool) -> None:
    check("argsort", [numbers(DTYPES[dtype], shape)], axis=axis, descending=descending)


@pytest.mark.parametrize("n", [40, 400])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int64", "uint32"])
def test_argsort_of_what_is_in_order(dtype: str, n: int) -> None:
    rising = np.arange(n).astype(dtype)
    last_differs = np.where(rising == n - 1, 0, 1).astype(dtype)
    for x in (rising, rising[::-1].copy(), np.ones(n, dtype), rising // 7, last_differs):
        check("argsort", [x], axis=0, descending=False)
        check("argsort", [x], axis=0, descending=True)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int64"])
def test_chunks_share_no_scratch_memory(dtype: str) -> None:
    x = numbers(DTYPES[dtype], (6, 200))
    kernel = Kernel(node_of("argsort", [x], axis=1, descending=False)[0])
    touched = np.zeros(kernel.special.scratch, int)
    for chunk in range(kernel.special.chunks):
        target, scratch = Guarded(kernel.type.nbytes), Guarded(kernel.special.scratch)
        words = np.array([x.ctypes.data, target.inside.ctypes.data, scratch.inside.ctypes.data], np.int64)
        kernel.run(words.ctypes.data, chunk, chunk + 1)
        touched += scratch.inside != _GUARD_BYTE
    assert kernel.special.chunks == 6
    assert touched.max() == 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_argsort_tells_subnormal_numbers_apart(dtype: str) -> None:
    tiny = np.finfo(dtype).smallest_subnormal
    check("argsort", [np.array([3 * tiny, tiny, -tiny, 0, 2 * tiny, -0.0], dtype)], axis=0, descending=False)


# Random bits
@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,), (5,), (64,), (3, 7), (1031,), (16, 16, 17)])
@pytest.mark.parametrize(
    "state", [(0, 0, 0), (1, 2, 3), (-1, -2, -3), (2**63 - 1, 2**40 + 5, 2**33 + 1), (0xDEADBEEF << 20, 7, 2**62)]
)
def test_random_bits(shape: tuple[int, ...], state: tuple[int, int, int]) -> None:
    check("random_bits", [np.array(state, np.int64)], shape=shape)


# In earnest
@pytest.mark.usefixtures("as_it_is")
def test_large_work_is_cut_by_its_shape_and_small_work_is_not() -> None:
    small = check("random_bits", [np.arange(3)], shape=(100,))
    large = check("random_bits", [np.arange(3)], shape=(1000, 333))
    assert small.special.chunks == 1
    assert large.special.chunks > 8
    wide = check("scatter_add", scattered(pb.float32, (300, 512), (700,), 0), axis=0)
    tall = check("scatter_add", scattered(pb.float32, (100_003,), (64,), 0), axis=0)
    assert min(wide.special.chunks, tall.special.chunks) > 4


def test_equal_texts_are_equal_kernels() -> None:
    for name, rows in [("argsort", [{"descending": False}, {"descending": True}]), ("cumsum", [{}])]:
        for params in rows:
            first, second = (
                specials.plan_special(node_of(name, [numbers(pb.float32, (20, 30))], axis=1, **params)[0]) for _ in "ab"
            )
            assert first.text == second.text
            assert first.build("kernel") == second.build("kernel")


@pytest.mark.parametrize(
    ("name", "arrays", "params"),
    [
        ("concat", [np.zeros(0), np.zeros(3)], {"axis": 0}),
        ("cumsum", [np.zeros((3, 0))], {"axis": 1}),
        ("argsort", [np.zeros((0, 3))], {"axis": 1, "descending": False}),
        ("scatter", [np.zeros(3), np.zeros(0, np.int64), np.zeros(0)], {"axis": 0}),
        ("random_bits", [np.arange(3)], {"shape": (0,)}),
        ("neg", [np.zeros(3)], {}),
    ],
)
def test_what_has_no_elements_is_left_to_numpy(name: str, arrays: list[Array], params: dict[str, Any]) -> None:
    node, _outputs = node_of(name, arrays, **params)
    assert not specials.is_native(node)


# Planted faults: what the checks above must notice
def test_a_chunk_left_out_is_noticed() -> None:
    x = [calm(pb.float32, (20, 30))]
    kernel = Kernel(node_of("cumsum", x, axis=1)[0])
    kernel.special = specials.Special(kernel.special.chunks - 1, "", kernel.special.build)
    (wanted,) = OPS["cumsum"].run(x, {"axis": 1})
    assert (bits(kernel(x)[0]) != bits(wanted)).any()


def test_a_byte_written_outside_is_noticed() -> None:
    memory = Guarded(10)
    assert memory.is_whole
    memory.whole[memory.start + 10] = 0
    assert not memory.is_whole
