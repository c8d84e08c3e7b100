"""Studies: the same problem trained several times, with a few settings changed, and measured the same way."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pullback.data.source import StrPath
from pullback.files.weights import load
from pullback.train.config import Config
from pullback.train.events import Listener
from pullback.train.gradients import gradient_norms
from pullback.train.loop import Diverged
from pullback.train.problem import Problem, load_problem
from pullback.train.run import Run
from pullback.train.run_folder import CHECKPOINT, LAST, RunFolder
from pullback.train.session import carry_through, take_up
from pullback.train.settings import Where

STUDY, GRADIENTS = "study.json", "gradients.json"


@dataclass(frozen=True)
class Variant:
    """A run of a study: what it is called, and the settings that it changes, nested as in a settings file."""

    title: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """What is asked, the settings that all runs have, and the runs by the names of their folders."""

    question: str
    base: Config
    variants: Mapping[str, Variant]


@dataclass(frozen=True)
class Measured:
    """What a run of a study showed.

    layers: the names of the weights, from the inputs to the outputs; start and end: the norm of the loss's gradient at
    each, before the first step and after the last. ended: as the loop says it, or "diverged"; then the losses are NaN.
    """

    name: str
    title: str
    ended: str
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    layers: tuple[str, ...]
    start: tuple[float, ...]
    end: tuple[float, ...]


class StudyFolder:
    """The folder of a study: study.json says which it is and what was given, each run has a folder inside, and
    gradients.json, which is written when all are over, what they showed."""

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, parent: StrPath, name: str, given: Mapping[str, Any]) -> "StudyFolder":
        """A new folder in `parent`."""
        folder = RunFolder.create(parent, name)
        folder.write_json(STUDY, {"study": name, "given": given})
        return cls(folder.path)

    @classmethod
    def last_open(cls, parent: StrPath, name: str) -> "StudyFolder | None":
        """The newest folder of this study in `parent` that is not over; None when there is none."""
        found = [cls(path.parent) for path in Path(parent).glob(f"*/{STUDY}")]
        still_open = [folder for folder in found if folder.name == name and not (folder.path / GRADIENTS).exists()]
        return max(still_open, key=lambda folder: (folder.path / STUDY).stat().st_mtime_ns, default=None)

    @property
    def name(self) -> str:
        """Which study it is."""
        return str(RunFolder(self.path).read_json(STUDY)["study"])

    @property
    def given(self) -> dict[str, Any]:
        """The settings that were given beside the study's own."""
        found: dict[str, Any] = RunFolder(self.path).read_json(STUDY)["given"]
        return found

    def keep(self, results: Sequence[Measured]) -> None:
        """Write what all runs showed: the study is over."""
        RunFolder(self.path).write_json(GRADIENTS, {"runs": [asdict(result) for result in results]})

    def __str__(self) -> str:
        return str(RunFolder(self.path))


def carry_study(
    study: Study, folder: StudyFolder, where: Where, tell: Listener, told: Callable[[Measured], None]
) -> list[Measured] | None:
    """Train and measure every run of a study that is not over yet; None when that was interrupted.

    `tell` hears the events of each run, `told` what each showed.
    """
    base = study.base.changed(folder.given, where)
    problem, results = load_problem(base.data, base.seed), []
    for name, variant in study.variants.items():
        config = replace(base.changed(variant.changes, where), name=name)
        result = _carried(config, variant.title, problem, RunFolder(folder.path / name), tell)
        if result is None:
            return None
        told(result)
        results.append(result)
    folder.keep(results)
    return results


def _carried(config: Config, title: str, problem: Problem, folder: RunFolder, tell: Listener) -> Measured | None:
    """What one run of a study shows, which may be known already; None when it was interrupted."""
    if (folder.path / GRADIENTS).exists():
        return _read(folder)
    start = gradient_norms(Run(config, problem))
    run = _opened(config, problem, folder)
    try:
        ended = carry_through(run, folder, tell).why
        run.model.load_state_dict(load(folder.path / LAST))
    except Diverged:
        ended = "diverged"  # a result like any other
    if ended == "interrupted":
        return None
    record = run.progress.history[-1] if ended != "diverged" else {}
    result = Measured(
        config.name,
        title,
        ended,
        train_loss=record.get("train_loss", math.nan),
        validation_loss=record.get("validation_loss", math.nan),
        validation_accuracy=record.get("validation_accuracy", math.nan),
        layers=tuple(start),
        start=tuple(start.values()),
        end=tuple(gradient_norms(run).values()),
    )
    folder.write_json(GRADIENTS, asdict(result))
    return result


def _opened(config: Config, problem: Problem, folder: RunFolder) -> Run:
    """The run of a folder to go on with, or a new one."""
    if (folder.path / CHECKPOINT).exists() and not folder.is_over:
        return take_up(folder)
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir()
    run = Run(config, problem)
    folder.begin(run)
    return run


def _read(folder: RunFolder) -> Measured:
    """What a run showed; JSON has null for what is no number."""
    found = folder.read_json(GRADIENTS)
    for key, value in found.items():
        if isinstance(value, list):
            found[key] = tuple(math.nan if each is None else each for each in value)
        elif value is None:
            found[key] = math.nan
    return Measured(**found)
