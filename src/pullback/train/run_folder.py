"""A run on disk: its settings, its metrics, its weights, and the state from which it goes on."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from pullback.base.atomic import atomic_write
from pullback.base.errors import DataError, suggest
from pullback.data.encoder import TableEncoder
from pullback.data.source import StrPath
from pullback.files.weights import load, save
from pullback.nn.module import Module
from pullback.train.config import Config, read_toml
from pullback.train.json_text import json_text
from pullback.train.problem import Kind, Problem
from pullback.train.run import Run, make_model
from pullback.train.toml_text import settings_text

CONFIG, ABOUT, METRICS = "config.toml", "about.json", "metrics.jsonl"
WEIGHTS, LAST, CHECKPOINT, REPORT = "weights.safetensors", "last.safetensors", "checkpoint.safetensors", "test.json"
TIME, NGRAMS = "time.json", "ngrams.json"
_FORMAT = "pullback.run/1"


@dataclass(frozen=True)
class About:
    """What a run is about: all that is needed, beside settings and weights, to use its network.

    `encoder` is the table's encoder as `TableEncoder.to_dict` gives it, None for digits and text.
    """

    task: Kind
    inputs: int
    outputs: int
    class_names: tuple[str, ...]
    fingerprint: str
    encoder: dict[str, Any] | None
    version: str = ""
    format: str = _FORMAT

    @classmethod
    def of(cls, problem: Problem) -> "About":
        """What the run of a problem is about."""
        encoder = problem.encoder.to_dict() if problem.encoder else None
        names, version = problem.class_names, metadata.version("pullback")
        return cls(problem.task, problem.inputs, problem.outputs, names, problem.fingerprint, encoder, version)

    def table_encoder(self) -> TableEncoder | None:
        """The encoder that made the network's rows; None for digits."""
        return TableEncoder.from_dict(self.encoder) if self.encoder else None


class RunFolder:
    """The folder of a run.

    | file | holds |
    |---|---|
    | config.toml | the settings; `pullback train config.toml` trains the same again |
    | about.json | what the rows are, and how they were made from a table |
    | metrics.jsonl | a line for each epoch |
    | weights.safetensors | the weights that were best on the validation rows |
    | last.safetensors | the weights at the end |
    | checkpoint.safetensors | everything from which an interrupted run goes on |
    | test.json | what the best weights reach on the test rows; it is there when the run is over |
    | time.json | the seconds that it was trained |
    | ngrams.json | of text: what counting reaches in that time |

    Every file is written whole or not at all.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, parent: StrPath, name: str) -> "RunFolder":
        """A new folder `parent`/`name`-`date`-`n`, with the first n that is free."""
        stem = f"{_as_file_name(name)}-{date.today().isoformat()}"
        Path(parent).mkdir(parents=True, exist_ok=True)
        n = 1
        while True:
            folder = Path(parent) / f"{stem}-{n}"
            try:
                folder.mkdir()  # fails when another process was faster
                return cls(folder)
            except FileExistsError:
                n += 1

    @classmethod
    def existing(cls, path: StrPath) -> "RunFolder":
        """The folder of a run that is there.

        Raises DataError, with the nearest name, when there is none.
        """
        folder = Path(path)
        if not folder.is_dir():
            near = suggest(folder.name, [each.path.name for each in runs_in(folder.parent)])
            raise DataError(f"there is no run folder {folder}.{near}")
        if not (folder / CONFIG).exists() or not (folder / ABOUT).exists():
            raise DataError(f"{folder} is no run folder: it has no {CONFIG} and {ABOUT}")
        return cls(folder)

    # Writing
    def begin(self, run: Run) -> None:
        """Write what does not change: settings, and what the run is about."""
        head = "# The settings of this run. `pullback train config.toml` trains the same again.\n\n"
        self._write_text(CONFIG, head + settings_text(run.config))
        self.write_json(ABOUT, asdict(About.of(run.problem)))

    def save(self, run: Run) -> None:
        """Write what an interrupted run goes on from, its metrics, and its weights where they have got better."""
        progress = run.progress
        self._write_text(METRICS, "".join(json_text(record) + "\n" for record in progress.history))
        if progress.best_epoch == progress.epoch or not (self.path / WEIGHTS).exists():
            save(progress.best or run.model.state_dict(), self.path / WEIGHTS)
        save(run.state_dict(), self.path / CHECKPOINT)

    def save_last(self, run: Run) -> None:
        """Write the weights as they are when training ends."""
        save(run.model.state_dict(), self.path / LAST)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file that a person can read, too; numbers that are not finite become null."""
        self._write_text(name, json_text(content, indent=2) + "\n")

    def _write_text(self, name: str, text: str) -> None:
        with atomic_write(self.path / name, "w") as file:
            file.write(text)

    # Reading
    @property
    def is_over(self) -> bool:
        """Whether the run was trained to its end and tested."""
        return (self.path / REPORT).exists()

    def config(self) -> Config:
        """The settings of the run."""
        given, where = read_toml(self.path / CONFIG)
        return Config().changed(given, where)

    def about(self) -> About:
        """What the run is about.

        Raises DataError when the file is damaged or written by a later version.
        """
        content = self.read_json(ABOUT)
        if content.get("format") != _FORMAT:
            raise DataError(
                f"{self.path / ABOUT} has the format {content.get('format')!r}; this version reads {_FORMAT}"
            )
        content["class_names"] = tuple(content["class_names"])
        return About(**content)

    def read_json(self, name: str) -> dict[str, Any]:
        """The content of one of the run's JSON files.

        Raises DataError when it is missing or damaged.
        """
        path = self.path / name
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        return content

    def seconds(self) -> float:
        """The seconds that the run was trained until now."""
        return float(self.read_json(TIME)["training_seconds"]) if (self.path / TIME).exists() else 0.0

    def checkpoint(self) -> dict[str, Any]:
        """The state from which the run goes on.

        Raises MissingFile when nothing was saved yet, DataError when the file is damaged.
        """
        found: dict[str, Any] = load(self.path / CHECKPOINT)
        return found

    def model(self) -> Module:
        """The run's network with its best weights, in evaluation mode."""
        about = self.about()
        model = make_model(self.config(), about.inputs, about.outputs)
        model.load_state_dict(load(self.path / WEIGHTS))
        return model.eval()

    def __str__(self) -> str:
        return os.path.relpath(self.path) if self.path.is_relative_to(Path.cwd()) else str(self.path)


def _as_file_name(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.")
    return kept or "run"


def runs_in(parent: StrPath) -> Iterator[RunFolder]:
    """The run folders in a folder, the newest first."""
    if not Path(parent).is_dir():
        return
    found = [each.parent for each in Path(parent).glob(f"*/{CONFIG}") if (each.parent / ABOUT).exists()]
    yield from (RunFolder(path) for path in sorted(found, key=lambda path: -(path / ABOUT).stat().st_mtime_ns))
