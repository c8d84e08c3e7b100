"""Results on disk: `results.json`, one record per workload, each with its own machine and date."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.measure import Entry
from bench.workload import Workload, load, modules


@dataclass(frozen=True)
class Result:
    """One workload, measured side by side in one run on one machine.

    product_rate: GFLOP/s, where it matters. others: the share of the processor that other programs took in the rounds.
    """

    name: str
    machine: dict[str, str]
    rounds: int
    seconds: float
    entries: dict[str, Entry]
    product_rate: float | None = None
    others: float | None = None

    @property
    def workload(self) -> Workload:
        """What was measured."""
        return load(self.name).WORKLOAD


def read(path: Path) -> dict[str, Result]:
    """The results that a file holds, by workload; none where there is no file."""
    if not path.exists():
        return {}
    records = json.loads(path.read_text(encoding="utf-8"))
    return {name: _result(record) for name, record in records.items()}


def _result(record: dict[str, Any]) -> Result:
    entries = {key: Entry(**entry) for key, entry in record["entries"].items()}
    return Result(**{**record, "entries": entries})


def in_order(results: dict[str, Result]) -> dict[str, Result]:
    """By workload, as these are ordered; results of workloads that are no more are left out."""
    return {name: results[name] for name in modules() if name in results}


def write(path: Path, results: dict[str, Result]) -> None:
    """Writes all of them, in the order of the workloads."""
    records = {name: asdict(result) for name, result in in_order(results).items()}
    path.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
