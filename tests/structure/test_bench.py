"""The harness of `make bench`: its workloads are the same work, its judgement is right, its section is rewritten."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pullback as pb
from bench import quiet, report, results
from bench.__main__ import chosen, chosen_contenders, parse
from bench.contender import called
from bench.field import PEERS, all_contenders, title
from bench.judge import counting, set_apart, verdicts
from bench.measure import Entry, Measurement, Settings
from bench.process import REMOVED, Failed, Process, environment
from bench.workload import Bars, load, modules

NAMES = list(modules())
LARGE = ("W8", "BERT")  # half a gigabyte of weights each
BY_HAND = [name for name in NAMES if hasattr(load(name), "in_numpy")]


def entry(seconds: float, loss: float = 1.0) -> Entry:
    return Entry(losses=[loss] * 100, seconds=[seconds * 0.9, seconds, seconds * 3], threads="2", version="1")


def field_of(**others: Entry) -> dict[str, Entry]:
    return {
        "pullback/call": entry(10e-6), "pullback/epoch": entry(4e-6), "torch/eager": entry(200e-6),
        "jax/scan": entry(8e-6), **others,
    }  # fmt: skip


def test_all_are_there_in_their_order() -> None:
    assert [*(f"W{i}" for i in range(9)), "BERT", "RESNET18"] == NAMES


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in NAMES])
def test_workload_is_whole(name: str) -> None:
    module = load(name)
    work = module.WORKLOAD
    assert work.name == name
    assert all(array.dtype in (np.float32, np.int64) for array in work.data())
    assert all(array.dtype == np.float32 for array in work.weights().values())
    assert len(work.batches()) == (work.steps if work.batch else 1)
    if work.batch:
        assert work.order().shape == (work.steps, work.batch)
        assert len(np.unique(work.order())) == work.order().size
    assert set(work.contenders) <= set(all_contenders())
    assert {peer.written for peer in PEERS.values()} >= {n for n in vars(module) if n.startswith("in_")}


def losses(torch: Any, name: str) -> list[float]:
    """Those of three steps that PyTorch or Pullback takes."""
    module = load(name)
    loss_of, optimizer = module.in_torch(torch, module.WORKLOAD.weights())
    found = []
    for _, batch in zip(range(3), module.WORKLOAD.batches() * 3, strict=False):
        optimizer.zero_grad()
        loss = loss_of(*map(torch.from_numpy, batch))
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand_and_by_pullback_are_the_same_work(name: str) -> None:
    module = load(name)
    by_hand = module.in_numpy(module.WORKLOAD.weights())
    batches = (module.WORKLOAD.batches() * 3)[:3]
    assert [float(by_hand(*batch)) for batch in batches] == pytest.approx(losses(pb, name), rel=1e-4)


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "layer"), [("W5", "MaxPool2d"), ("W6", "LSTM"), ("W7", "LayerNorm")])
def test_by_pytorch_and_by_pullback_are_the_same_work(name: str, layer: str) -> None:
    if not hasattr(pb.nn, layer):
        pytest.skip(f"Pullback has no nn.{layer} yet")
    import torch

    assert losses(torch, name) == pytest.approx(losses(pb, name), rel=1e-4)


def test_products_of_w4_are_counted() -> None:
    forward = 256 * (784 * 1024 + 1024 * 1024 + 1024 * 10)
    backward = 2 * forward - 256 * 784 * 1024  # the pixels need no gradient
    assert load("W4").WORKLOAD.product_flops == 2 * (forward + backward)


def test_options() -> None:
    assert chosen("W3, W1", NAMES) == ["W1", "W3"]
    assert chosen("", NAMES) == NAMES
    with pytest.raises(SystemExit, match="there is no W99"):
        chosen("W99", NAMES)
    options = parse(["--rounds", "5", "--seconds", "0.5", "--peers", "pullback,torch", "--quick"])
    assert (options.rounds, options.seconds, options.quick, options.peers) == (5, 0.5, True, "pullback,torch")


def test_peers_and_their_modes_can_be_chosen() -> None:
    assert chosen_contenders("") == all_contenders()
    assert list(map(title, chosen_contenders("jax,torch/eager"))) == [
        "PyTorch eager", "JAX jit per call", "JAX scan over an epoch"
    ]  # fmt: skip


def test_losses_are_fetched_as_a_person_would() -> None:
    waited = []
    contender = called(lambda x: x, [(1.0,), (2.0,), (3.0,)], wait=lambda: waited.append(True))
    assert contender.run(3, 1) == [1.0, 2.0, 3.0]
    assert contender.run(4, 3) == [3.0, 1.0]
    assert len(waited) == 2


def test_bars() -> None:
    call, epoch, best = verdicts(field_of(), Bars(call=10, epoch=60, best=2))
    assert (call.ratio, call.reached) == (pytest.approx(20), True)
    assert (epoch.ratio, epoch.reached) == (pytest.approx(50), False)
    assert (best.what, best.against, best.ratio, best.reached) == ("pullback/epoch", "jax/scan", pytest.approx(2), True)


def test_a_contender_that_does_other_work_does_not_count() -> None:
    entries = field_of(**{"mlx/compile": entry(1e-6, loss=1.002)})
    set_apart(entries)
    assert "does other work" in entries["mlx/compile"].problem
    assert set(counting(entries)) == set(field_of())
    assert verdicts(entries, Bars(1, 1, 1))[2].against == "jax/scan"


def test_products_in_bfloat16_may_differ_more_and_have_a_bar_of_their_own() -> None:
    entries = field_of(**{"torch/autocast": entry(14e-6, loss=1.002)})
    set_apart(entries)
    *_, last = verdicts(entries, Bars(call=1, epoch=None, best=1, bfloat16=1.5))
    assert (last.against, last.ratio, last.reached) == ("torch/autocast", pytest.approx(1.4), False)


def test_memory_has_a_bar() -> None:
    work = replace(load("W0").WORKLOAD, bars=Bars(call=1, epoch=None, best=1, gigabytes=2.6))
    lines = list(report.lines_below(work, field_of(**{"pullback/call": entry(1e-5)}), None))
    assert "✗ peak memory: –, bar 2.6 GB" in lines
    measured = field_of(**{"pullback/call": replace(entry(1e-5), peak=2_540_000_000)})
    lines = list(report.lines_below(work, measured, None))
    assert "✓ peak memory: Pullback per call 2.54 GB, bar 2.6 GB" in lines
    assert len([line for line in lines if "×, bar" in line]) == 2  # an epoch has none


def test_a_workload_may_name_its_contenders(tmp_path: Path) -> None:
    settings = Settings(all_contenders(), 1, 0.1, tmp_path)
    assert list(Measurement("W8", settings, tmp_path, print).entries) == list(load("W8").WORKLOAD.contenders)
    assert "torch/autocast" not in Measurement("W7", settings, tmp_path, print).entries


def test_a_loss_that_is_no_number_does_not_count() -> None:
    entries = field_of(**{"mlx/compile": entry(1e-6, loss=math.nan)})
    set_apart(entries)
    assert set(counting(entries)) == set(field_of())


def test_a_bar_without_figures_is_not_reached() -> None:
    entries = {"pullback/call": entry(1e-6), "torch/eager": Entry(problem="it cannot be installed")}
    assert [verdict.reached for verdict in verdicts(entries, Bars(1, 1, 1))] == [False, False, False]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.34e-6, "12.3 µs"), (0.99996, "1.00 s"), (2.5e-3, "2.50 ms"), (123.4, "123 s"), (0, "0.00 ns")],
)
def test_durations(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_spread_has_its_unit_once() -> None:
    assert report.spread([12e-6, 14e-6]) == "12.0–14.0 µs"
    assert report.spread([900e-6, 1.1e-3]) == "900 µs–1.10 ms"


def result(**entries: Entry) -> results.Result:
    machine = {"cpu": "a processor", "cores": "2", "system": "Linux", "python": "3.11", "date": "2026-01-01"}
    return results.Result("W4", machine, 5, 0.5, field_of(**entries), product_rate=400.0, others=0.5)


def test_the_section_tells_all() -> None:
    text = report.section({"W4": result(**{"mlx/compile": Entry(problem="no library")})})
    for wanted in ("✓ 20.0×", "| Pullback in an epoch |", "not counted: no library", "2.448 GFLOP", "say little"):
        assert wanted in text


def test_the_section_is_rewritten_in_place() -> None:
    section = f"{report.BEGIN}\nnew\n{report.END}"
    once = report.rewrite("# Results\n", section)
    assert once == f"# Results\n\n{section}\n"
    between = f"# Results\n\n{report.BEGIN}\nold\n{report.END}\n\n## After\n"
    assert report.rewrite(between, section) == between.replace("old", "new")


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert results.read(path) == {}
    results.write(path, {"W4": result()})
    assert results.read(path) == {"W4": result()}


def test_workers_choose_for_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REMOVED:
        monkeypatch.setenv(name, "1")
    variables = environment(tmp_path)
    assert not set(REMOVED) & set(variables)
    assert Path(variables["PULLBACK_CACHE"]).is_relative_to(tmp_path)


def test_a_worker_answers(tmp_path: Path) -> None:
    with Process("W0", "numpy", "call", tmp_path, tmp_path) as process:
        assert process.ask("import")["version"] == np.__version__
        assert len(process.ask("start", steps=5)["losses"]) == 5
        told = process.ask("measure", seconds=0.001)
        assert told["steps"] >= 1
        assert told["peak"] is None or told["peak"] > 1e7
        with pytest.raises(Failed, match="no such request: dance"):
            process.ask("dance")


def test_a_peer_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="does not start"):
        Process("W0", "torch", "eager", tmp_path, tmp_path / "nowhere")


def test_a_worker_that_ends_is_noticed(tmp_path: Path) -> None:
    with Process("W0", "numpy", "call", tmp_path, tmp_path) as process:
        process.process.kill()
        with pytest.raises(Failed, match="the process ended: it said nothing"):
            process.ask("import")


def test_what_others_took_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, its = iter([(0, 0), (150, 200)]), iter([0, 100])
    monkeypatch.setattr(quiet, "_ALL", Path(__file__))
    monkeypatch.setattr(quiet, "machine_ticks", lambda: next(machine))
    monkeypatch.setattr(quiet, "ticks_of", lambda pid: next(its))
    watch = quiet.Watch()
    assert watch.share_of_others() is None
    with watch.on(1):
        pass
    assert watch.share_of_others() == 0.25
