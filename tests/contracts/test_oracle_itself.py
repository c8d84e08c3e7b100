"""The recorded answers are trustworthy: rows that change are noticed, and wrong answers of every kind are seen."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pullback as pb
from scripts import install_oracle
from tests.contracts import oracle
from tests.contracts.calls import calls, of, spread

FACTOR = 2.0


def helper(x: Any) -> Any:
    return x * FACTOR


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    function: Callable[[Any], Any]
    number: float = 1.0

    def run(self, lib: Any) -> Any:
        return self.function(lib)


def doubled(lib: Any) -> Any:
    return helper(lib.ones(2))


def test_digest_is_of_what_the_row_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row("a", doubled)
    before = oracle.digest(row)
    assert before == oracle.digest(Row("a", doubled))
    assert before != oracle.digest(dataclasses.replace(row, number=3.0))
    assert before != oracle.digest(dataclasses.replace(row, function=helper))
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    oracle._sources.cache_clear()
    assert before != oracle.digest(row), "a constant that a named function names"
    oracle._sources.cache_clear()


def test_digest_sees_the_numbers_of_a_call() -> None:
    first, other, line = calls("x + 1", x=of([1.0]))[0], calls("x + 1", x=of([1.5]))[0], calls("x+2", x=of([1.0]))[0]
    assert len({oracle.digest(first), oracle.digest(other), oracle.digest(line)}) == 3


def test_digest_refuses_what_differs_in_every_process() -> None:
    with pytest.raises(TypeError, match="functions, dataclasses, arrays and plain values"):
        oracle.digest(Row("a", object()))  # type: ignore[arg-type]


WRONG = {
    "number": {"y": pb.tensor([1.0, 2.1])},
    "shape": {"y": pb.tensor([[1.0, 2.0]])},
    "dtype": {"y": pb.tensor([1.0, 2.0], dtype=pb.float64)},
    "NaN": {"y": pb.tensor([1.0, float("nan")])},
    "infinity": {"y": pb.tensor([1.0, float("inf")])},
    "another leaf": {"z": pb.tensor([1.0, 2.0])},
    "more leaves": {"y": pb.tensor([1.0, 2.0]), "z": 1},
    "no tensor": {"y": 1.0},
    "none": {"y": None},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_answer_is_seen(wrong: Any) -> None:
    right = oracle.ask(Row("a", lambda lib: {"y": lib.tensor([1.0, 2.0])}), pb)
    oracle.compare(right, right)
    with pytest.raises(oracle.Disagreement):
        oracle.compare(oracle.ask(Row("a", lambda lib: wrong), pb), right)


@pytest.mark.parametrize(("ours", "theirs"), [(True, 1), (1, 1.0), ("a", "b"), (None, 0), (1.0, 1.1)])
def test_a_wrong_plain_value_is_seen(ours: Any, theirs: Any) -> None:
    with pytest.raises(oracle.Disagreement):
        oracle.compare({"": ours}, {"": theirs})


def test_tolerance_belongs_to_the_dtype() -> None:
    near = {"": ["float64", np.array([1.0 + 1e-9])]}
    exact = {"": ["float64", np.array([1.0])]}
    with pytest.raises(oracle.Disagreement):
        oracle.compare(near, exact)
    oracle.compare(near, exact, {"float64": (1e-8, 0.0)})
    with pytest.raises(oracle.Disagreement):
        oracle.compare({"": ["int64", np.array([1])]}, {"": ["int64", np.array([2])]}, {"int64": (1.0, 1.0)})


def answers(lib: Any) -> Any:
    half = lib.tensor([1.5, float("nan")]).to(lib.bfloat16)
    empty = lib.zeros(0, 3, dtype=lib.int32)
    return {
        "half": half,
        "empty": empty,
        "plain": [1, 2.5, "text", None, True, lib.float16, empty.shape],
        "0-d": lib.ones(()),
    }


def test_recorded_answers_come_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = Row("a", answers)
    monkeypatch.setattr(oracle, "rows_of", lambda family: [row])
    monkeypatch.setattr(oracle, "FIXTURES", tmp_path)
    content = oracle.record("some", pb, "2.0")
    assert content == oracle.record("some", pb, "2.0")
    (tmp_path / "some.npz").write_bytes(content)
    oracle.load.cache_clear()
    oracle.check("some", row, pb)
    assert oracle.load("some").torch == "2.0"
    with pytest.raises(oracle.Disagreement, match=r"'a' changed since.*make fixtures"):
        oracle.check("some", dataclasses.replace(row, number=2.0), pb)
    with pytest.raises(oracle.Disagreement, match=r"'b' was added after.*make fixtures"):
        oracle.check("some", dataclasses.replace(row, name="b"), pb)
    with pytest.raises(oracle.Disagreement, match="missing"):
        oracle.check("other", row, pb)
    oracle.load.cache_clear()


def test_fixture_names_the_version_and_holds_no_objects() -> None:
    for family in oracle.families():
        with np.load(io.BytesIO((oracle.FIXTURES / f"{family}.npz").read_bytes()), allow_pickle=False) as stored:
            index = json.loads(stored["index"].tobytes())
            kinds = {stored[name].dtype.kind for name in stored.files}
        assert index["torch"] == install_oracle.VERSION, "recorded with another PyTorch than the one installed"
        assert kinds <= set("biuf")


def test_fixtures_are_small() -> None:
    assert sum(path.stat().st_size for path in oracle.FIXTURES.glob("*.npz")) < 1_000_000


def test_spread_gives_distinct_numbers_within_bounds() -> None:
    numbers = spread(30, 40, low=-1.0, high=3.0).array
    assert len(np.unique(numbers)) == 1200
    assert -1.0 <= numbers.min() < -0.9
    assert 2.9 < numbers.max() <= 3.0
