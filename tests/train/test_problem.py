"""Tables as problems: how they are split, told apart and encoded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pullback.base.errors import DataError
from pullback.train.config import DataConfig
from pullback.train.problem import load_problem, read_rows
from pullback.train.recipes import propose
from tests.cli.conftest import write_flats


@pytest.fixture
def flats(tmp_path: Path) -> str:
    write_flats(tmp_path / "flats.csv", 200)
    return str(tmp_path / "flats.csv")


TASKS = [("price", "regression", 1), ("sold", "classification", 2), ("rooms", "classification", 5)]


@pytest.mark.parametrize(("target", "task", "outputs"), TASKS)
def test_task_is_told_from_the_column(target: str, task: str, outputs: int, flats: str) -> None:
    problem = load_problem(DataConfig(source=flats, target=target), 0)
    assert (problem.task, problem.outputs) == (task, outputs)
    assert len(problem.class_names) == (outputs if task == "classification" else 0)
    assert load_problem(DataConfig(source=flats, target="rooms", task="regression"), 0).outputs == 1


def parts(problem: Any) -> list[np.ndarray]:
    return [part.arrays[0] for part in (problem.train, problem.validation, problem.test)]


def test_parts_are_as_large_as_asked_and_share_no_row(flats: str) -> None:
    problem = load_problem(DataConfig(source=flats, target="price", validation=0.1, test=0.25), 3)
    assert [len(part) for part in parts(problem)] == [130, 20, 50]
    prices = np.concatenate([part.arrays[1] for part in (problem.train, problem.validation, problem.test)])
    assert len(np.unique(prices)) == len({line.split(",")[-2] for line in Path(flats).read_text().splitlines()[1:]})


def test_split_depends_on_the_seed_alone(flats: str) -> None:
    first, again, other = (parts(load_problem(DataConfig(source=flats, target="price"), seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[2], other[2])


def test_classes_are_shared_out_evenly(flats: str) -> None:
    problem = load_problem(DataConfig(source=flats, target="sold"), 0)
    shares = [part.arrays[1].mean() for part in (problem.train, problem.validation, problem.test)]
    assert max(shares) - min(shares) < 0.03


def test_training_rows_alone_decide_the_scaling(flats: str) -> None:
    problem = load_problem(DataConfig(source=flats, target="price"), 0)
    assert problem.encoder is not None
    size = problem.encoder.labels.index("size")
    train, validation, _ = parts(problem)
    there = train[:, problem.encoder.labels.index("size is missing")] == 0
    assert abs(train[there, size].mean()) < 1e-6
    assert abs(validation[:, size].mean()) > 1e-3


def test_limit_takes_the_first_rows(flats: str) -> None:
    config = DataConfig(source=flats, target="price")
    whole = load_problem(config, 0)
    part = load_problem(DataConfig(source=flats, target="price", limit=10), 0)
    assert len(part.train) == 10
    assert np.array_equal(part.train[3][0].numpy(), whole.train[3][0].numpy())
    assert len(part.test) == len(whole.test)
    assert len(load_problem(DataConfig(limit=99_999), 0).train) == 8000


def test_later_rows_need_only_the_columns_in_use(flats: str, tmp_path: Path) -> None:
    problem = load_problem(DataConfig(source=flats, target="price", exclude=("sold",)), 0)
    assert problem.encoder is not None
    lines = Path(flats).read_text().splitlines()
    kept = [line.split(",")[1:5] for line in lines[:20]]
    (tmp_path / "new.csv").write_text("\n".join(",".join(cells) for cells in kept))
    table = read_rows(problem.encoder, tmp_path / "new.csv", with_target=False)
    assert problem.encoder.features(table).shape == (19, len(problem.encoder.labels))


def test_shares_that_leave_nothing(flats: str) -> None:
    with pytest.raises(DataError, match=r"validation \(0.5\) and test \(0.5\) leave no rows to train on"):
        load_problem(DataConfig(source=flats, target="price", validation=0.5, test=0.5), 0)


@pytest.mark.parametrize("rows", [30, 200, 3000])
def test_proposals_take_enough_steps_and_not_too_many(rows: int, tmp_path: Path) -> None:
    write_flats(tmp_path / "flats.csv", rows)
    config = DataConfig(source=str(tmp_path / "flats.csv"), target="price")
    proposed = propose(load_problem(config, 0), config, "flats")
    steps = proposed.training.epochs * rows * 0.7 / proposed.training.batch_size
    assert proposed.data == config
    assert 250 < steps < 4000
