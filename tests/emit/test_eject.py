"""An ejected step trains on, bit for bit, in a process that cannot import Pullback."""

from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, TraceError
from pullback.emit.compiled import latest_call
from pullback.emit.step import Step
from tests.emit.isolated import run
from tests.emit.networks import NETWORKS

STEPS = 100


@pytest.mark.parametrize("name", list(NETWORKS))
def test_trains_on_as_a_script(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name](STEPS + 2)
    network.call(0)
    network.call(1)
    pb.eject(network.step, tmp_path / "ejected.py")
    titles = [a.title for a in Step(network.step.function, latest_call(network.step)).call.varying]
    batches = [b[2:] for b in network.batches] + [np.full(STEPS, x) for x in network.rest]
    np.savez(tmp_path / "batches.npz", **dict(zip(titles, batches, strict=True)))
    losses = [network.call(i).item() for i in range(2, STEPS + 2)]
    printed = run(
        "import runpy; sys.argv = ['ejected.py', 'batches.npz']; runpy.run_path('ejected.py', run_name='__main__')",
        folder=tmp_path,
    )
    assert [np.float32(row.split()[1]).item() for row in printed.splitlines()] == losses
    with np.load(tmp_path / "ejected.npz") as found:
        for key, array in Step(network.step.function, latest_call(network.step)).state_arrays().items():
            assert found[key].tobytes() == array.tobytes(), key


def test_the_program_of_the_next_call_must_be_known(tmp_path: Path) -> None:
    network = NETWORKS["line"](2)
    network.call(0)  # the gradients come to be in this call: the next one adds to them
    with pytest.raises(TraceError, match="Call it once more"):
        pb.eject(network.step, tmp_path / "ejected.py")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_ejected(tmp_path: Path) -> None:
    network = NETWORKS["line"](2)
    with pytest.raises(TraceError, match="has not been called yet"):
        pb.eject(network.step, tmp_path / "ejected.py")
    network.call(0)
    with pytest.raises(ArgumentError, match=r"does not end in \.py"):
        pb.eject(network.step, tmp_path / "ejected.txt")
    with pytest.raises(ArgumentError, match=r"compiled with pb\.compile"):
        pb.eject(network.call, tmp_path / "ejected.py")
    network.call(1)
    with pytest.raises(FileNotFoundError):
        pb.eject(network.step, tmp_path / "missing" / "ejected.py")
