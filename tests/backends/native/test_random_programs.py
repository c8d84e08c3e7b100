"""Random training steps: eager ops, the reference and what is emitted agree in every bit, and natively all but so.

How far rounding may carry is measured: where results differ by more than usual, the reference runs on inputs that are
moved by a rounding error, and what it gives then tells how far results may lie apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings

import pullback as pb
from pullback.backends.native import executable
from pullback.emit.source import source
from tests.backends.native.comparing import cut_finely
from tests.backends.native.larger_programs import LEARNT, ONE, SHAPES, TWO, LargerProgram, larger_programs
from tests.backends.random_programs import RandomProgram, random_programs

# Usual differences, and how far inputs are moved, by the narrowest numbers that occur.
USUAL = {16: (3e-2, 1e-3), 32: (2e-4, 1e-6), 64: (1e-8, 1e-13)}
TRIALS, ROOM = 6, 30.0
Run = Callable[[str, float], Sequence[Any]]


def assert_alike(run: Run, bits: int, label: Any) -> None:
    """What `run(backend, nudge)` gives natively is what it gives by the reference."""
    wanted, found = run("reference", 0.0), run("native", 0.0)
    usual, nudge = USUAL[bits]
    far = [i for i, (a, b) in enumerate(zip(wanted, found, strict=True)) if not is_near(a, b, usual)]
    if not far:
        return
    moved = [run("reference", nudge * (k + 1) / TRIALS) for k in range(TRIALS)]
    for i in far:
        a, b, others = wanted[i], found[i], [m[i] for m in moved]
        with np.errstate(all="ignore"):
            spread = np.max([np.abs(wide(a) - wide(m)) for m in others], axis=0)
            fits = np.abs(wide(a) - wide(b)) <= ROOM * (spread.max(initial=0) + usual)
        # Once numbers are not finite, or were chosen by order, nothing more can be said.
        assert np.all(fits | ~np.isfinite(wide(a)) | ~np.isfinite(spread)), f"{label}: output {i}\n{a}\n{b}"


def wide(array: Any) -> Any:
    return np.asarray(array).astype(np.float64)


def is_near(a: Any, b: Any, usual: float) -> bool:
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    return np.allclose(wide(a), wide(b), usual, usual, equal_nan=True)


# Small ones, of every function there is
def precision(program: RandomProgram) -> int:
    names = [*program.dtypes, *(name for name, _, _ in program.steps)]
    return 16 if any("16" in n for n in names) else 32 if "float32" in names else 64


def run_small(program: RandomProgram, backend: str, nudge: float = 0.0) -> list[Any]:
    """Two calls: results, loss, gradients, and the state after them."""
    state = pb.tensor(0.5, dtype=pb.float64)
    step = pb.compile(lambda *xs: program.train(list(xs), state), backend=backend)
    pb.manual_seed(7)
    found: list[Any] = []
    for shift in range(2):
        inputs = [moved(x, nudge).requires_grad_(True) for x in program.tensors(shift)]
        results, loss, gradients = step(*inputs)
        tensors = [*results, loss, *(g for g in gradients if g is not None), state]
        found += [y.detach().array().copy() for y in tensors]
    return found


def moved(x: pb.Tensor, nudge: float) -> pb.Tensor:
    rng = np.random.default_rng(int(nudge * 1e18) % 997)
    return (x * (1 + nudge * pb.tensor(rng.uniform(-1, 1, x.shape)))).to(x.dtype).detach()


def check_small(program: RandomProgram) -> None:
    assert_alike(lambda backend, nudge: run_small(program, backend, nudge), precision(program), program)


@settings(max_examples=60, phases=[Phase.generate])
@given(random_programs())
def test_small_programs(program: RandomProgram) -> None:
    check_small(program)


@pytest.mark.slow
@settings(max_examples=2_000)
@given(random_programs())
def test_many_small_programs(program: RandomProgram) -> None:
    check_small(program)


# Larger ones
def check_larger(program: LargerProgram, steps: int = 3) -> None:
    bits = 64 if program.dtype == "float64" and all(name != "narrow" for name, _, _ in program.steps) else 32
    with pytest.MonkeyPatch.context() as patch:
        cut_finely(patch.setattr)
        patch.setattr(executable, "SMALL_WORK", 0)
        assert_alike(lambda backend, nudge: program.run(backend, steps, nudge), bits, program)


@pytest.mark.parametrize("shape", [SHAPES[0], pytest.param(SHAPES[1], marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("names", [[*ONE][:17], [*ONE][17:], [*TWO, *LEARNT]], ids=["one", "more", "two"])
def test_every_function_at_its_turn(names: list[str], shape: tuple[int, int]) -> None:
    """All in a row: one program of many kernels."""
    steps = tuple((name, 0, 1 + i % 3) for i, name in enumerate(names))
    check_larger(LargerProgram(steps, shape, "float64", "adam", clips=True), steps=2)


@settings(max_examples=25, phases=[Phase.generate])
@given(larger_programs())
def test_larger_programs(program: LargerProgram) -> None:
    check_larger(program)


@pytest.mark.slow
@settings(max_examples=150)
@given(larger_programs(most=14))
def test_many_larger_programs(program: LargerProgram) -> None:
    check_larger(program)


# All four
@settings(max_examples=20, phases=[Phase.generate])
@given(larger_programs())
def test_eager_reference_and_emitted_give_the_same_bits(program: LargerProgram) -> None:
    small = replace(program, shape=(5, 7) if program.shape[1] > 1 else (6, 1))
    eager, reference = small.run("eager"), small.run("reference")
    assert [a.tobytes() for a in eager] == [a.tobytes() for a in reference]
    parameters = small.parameters()
    x, y = (small.numbers(small.shape, 10 + i, 1.0, 0.0) for i in range(2))
    pb.manual_seed(11)
    forward = pb.compile(lambda a, b: small.loss(a, b, parameters)[1].detach(), backend="reference")
    wanted = forward(x, y)
    pb.manual_seed(11)
    entry = forward.latest
    assert entry is not None
    inputs = [v.detach().array() for v in (x, y, *entry.traced.state)]
    inputs += [np.asarray(read(), np.float64) for read in entry.traced.numbers]
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(source(entry.program), "emitted.py", "exec"), space)
    emitted = [np.asarray(a) for a in space["program"](*inputs)]
    assert wanted.array().tobytes() == emitted[0].tobytes()


@pytest.mark.parametrize("broken", ["native", "reference"])
def test_a_wrong_number_would_be_noticed(broken: str) -> None:
    program = LargerProgram((("softmax", 0, 0), ("linear", 0, 0)), (5, 7), "float64", "sgd", False)

    def run(backend: str, nudge: float) -> list[Any]:
        found = program.run("reference", 1, nudge)
        if backend == broken:
            found[-1] = found[-1] * (1 + 1e-5)
        return found

    with pytest.raises(AssertionError, match="output"):
        assert_alike(run, 64, "planted")
