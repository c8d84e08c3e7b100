"""Emitted steps, run for 100 steps where Pullback cannot be imported, give the reference's bits."""

from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback.base.trees import flatten
from pullback.emit.compiled import latest_call
from pullback.emit.step import Step
from tests.contracts.backends import Backend
from tests.emit.isolated import run_steps
from tests.emit.more_networks import MORE_NETWORKS
from tests.emit.networks import NETWORKS, Network

STEPS = 100


def assert_repeats(network: Network, folder: Path, steps: int = STEPS, first: int = 2) -> str:
    """After `first` calls the emitted step goes on as the compiled one does; its text."""
    for i in range(first):
        network.call(i)
    entry = latest_call(network.step)
    before = {k: np.array(v) for k, v in Step(network.step.function, entry).state_arrays().items()}
    text = pb.source(network.step)
    wanted = [network.call(i) for i in range(first, first + steps)]
    assert network.step.latest is entry, "the program changed on the way"
    batches = [batch[first : first + steps] for batch in network.batches]
    batches += [np.full(steps, x) for x in network.rest]
    state, results = run_steps(text, entry_name(text), before, batches, [{}] * steps, folder, network.arrange)
    tensors = [x.array() for y in wanted for x in flatten(y)[0] if isinstance(x, pb.Tensor)]
    assert [(x.shape, x.tobytes()) for x in results] == [(x.shape, x.tobytes()) for x in tensors]
    after = Step(network.step.function, entry).state_arrays()
    assert [k for k, v in after.items() if state[k].tobytes() != v.tobytes()] == []
    assert [k for k, v in before.items() if state[k].tobytes() != v.tobytes()] != [], "nothing was learnt"
    return text


def entry_name(text: str) -> str:
    """The name of the last function in a module."""
    return [line[4:].split("(")[0] for line in text.splitlines() if line.startswith("def ")][-1]


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_networks_of_the_golden_files(name: str, tmp_path: Path) -> None:
    assert_repeats(NETWORKS[name](STEPS + 2), tmp_path)


@pytest.mark.parametrize("name", list(MORE_NETWORKS))
def test_networks_that_use_much_of_what_there_is(name: str, tmp_path: Path) -> None:
    assert_repeats(MORE_NETWORKS[name](12), tmp_path, steps=10)


@pytest.mark.parametrize("name", [*NETWORKS, *MORE_NETWORKS])
def test_a_native_step_has_the_same_source_and_nearly_the_same_results(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    courses = []
    for backend in (Backend("reference"), Backend("native")):
        monkeypatch.setenv("PULLBACK_BACKEND", backend.name)
        pb.manual_seed(0)
        network = (NETWORKS | MORE_NETWORKS)[name](4)
        assert network.step.backend == backend.name
        courses.append([network.call(i) for i in range(4)])
        courses.append(pb.source(network.step))
    wanted, text, found, native_text = courses
    assert native_text == text
    backend.assert_agrees(found, wanted, scale=1.0)
