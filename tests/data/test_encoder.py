"""Tables into features and targets: fitted on the training rows alone, and the same after JSON."""

import json

import numpy as np
import pytest

from pullback.base.errors import ArgumentError, DataError, PullbackError, ShapeError
from pullback.data import TableEncoder, infer_task, read_csv, table_from_rows

NAN = float("nan")


def _rows():
    sizes = [50.0, 70.0, None, 90.0, 1000.0]
    gardens = [True, False, True, None, False]
    towns = ["Rom", "Ulm", "Rom", None, "Bonn"]
    prices = [100.0, 200.0, 300.0, 400.0, 5000.0]
    kinds = ["flat", "house", "flat", "house", "flat"]
    return [
        {"id": i + 1, "size": s, "garden": g, "town": t, "price": p, "kind": k, "note": f"2024-01-0{i + 1}", "one": 1}
        for i, (s, g, t, p, k) in enumerate(zip(sizes, gardens, towns, prices, kinds, strict=True))
    ]


TABLE = table_from_rows(_rows())
TRAIN = [0, 1, 2, 3]


def test_features_by_hand():
    encoder = TableEncoder.fit(TABLE, "price", TRAIN)
    assert encoder.labels == [
        "size", "size is missing", "garden", "garden is missing",
        "town = Rom", "town = Ulm", "town is missing", "kind = flat", "kind = house",
    ]  # fmt: skip
    size = np.array([50, 70, NAN, 90])
    size = (size - np.nanmean(size)) / np.nanstd(size)
    garden = np.array([1, 0, 1, NAN])
    garden = (garden - np.nanmean(garden)) / np.nanstd(garden)
    wanted = [
        [size[0], 0, garden[0], 0, 1, 0, 0, 1, 0],
        [size[1], 0, garden[1], 0, 0, 1, 0, 0, 1],
        [0, 1, garden[2], 0, 1, 0, 0, 1, 0],
        [size[3], 0, 0, 1, 0, 0, 1, 0, 1],
    ]
    features = encoder.features(TABLE)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[:4], np.array(wanted, np.float32), rtol=1e-6)
    assert features[4].tolist()[4:] == [0, 0, 0, 1, 0], "a town not seen in training is none of those seen"
    assert encoder.ignored == {
        "id": "counts the rows", "note": "text", "one": "the same in all training rows"
    }  # fmt: skip


def test_a_number_is_standardised_and_found_again():
    encoder = TableEncoder.fit(TABLE, "price", TRAIN)
    targets = encoder.targets(TABLE)
    assert (targets.shape, targets.dtype) == ((5, 1), np.float32)
    np.testing.assert_allclose(targets[:4].mean(), 0, atol=1e-7)
    np.testing.assert_allclose(targets[:4].std(), 1, rtol=1e-6)
    np.testing.assert_allclose(encoder.target.decode(targets), TABLE["price"].values, rtol=1e-6)
    np.testing.assert_array_equal(encoder.target.decode(targets[:, 0]), encoder.target.decode(targets))
    assert (encoder.target.task, encoder.target.outputs) == ("regression", 1)


@pytest.mark.parametrize("name", ["price", "kind", "garden", "town"])
def test_rows_outside_the_training_part_change_nothing_measured(name):
    rows = _rows()
    rows[4] |= {"size": -1e6, "price": 1e9, "garden": True, "one": 7, "town": "Ulm"}
    changed = table_from_rows(rows)
    keep = ~TABLE[name].missing
    one, other = (table.take(keep) for table in (TABLE, changed))
    fitted = [TableEncoder.fit(table, name, np.arange(len(table)) < 3) for table in (one, other)]
    assert fitted[0].parts == fitted[1].parts
    assert fitted[0].ignored == fitted[1].ignored
    if name == "price":
        assert fitted[0].target == fitted[1].target


def test_classes_by_name():
    encoder = TableEncoder.fit(TABLE, "kind", TRAIN)
    assert (encoder.target.task, encoder.target.outputs) == ("classification", 2)
    assert encoder.target.classes == ("flat", "house")
    targets = encoder.targets(TABLE)
    assert (targets.tolist(), targets.dtype) == ([0, 1, 0, 1, 0], np.int64)
    assert encoder.target.decode([[0.1, 0.9], [2.0, -1.0]]) == ["house", "flat"]


CLASSES = [
    ([10, 9, 10, 2] * 5, None, ("2", "9", "10")),
    ([1.0, 0.0, 1.0, 0.0] * 5, None, ("0", "1")),
    ([True, False, None, True], None, ("False", "True")),
    (["b", "a", "b", "c"], None, ("a", "b", "c")),
    ([0.5, 1.5, 0.5, 2.5], "classification", ("0.5", "1.5", "2.5")),
    (list(range(30)), "classification", tuple(map(str, range(30)))),
]


@pytest.mark.parametrize(("values", "task", "classes"), CLASSES)
def test_classes_of_every_kind(values, task, classes):
    rows = [{"x": i * 0.5, "y": value} for i, value in enumerate(values)]
    table = table_from_rows(rows).drop_missing("y")
    encoder = TableEncoder.fit(table, "y", task=task)
    assert encoder.target.classes == classes
    codes = encoder.targets(table)
    scores = np.eye(len(classes))[codes]
    assert encoder.target.decode(scores) == [classes[code] for code in codes]


TASKS = [
    ("classification", ["a", "b"] * 3),
    ("classification", [True, False]),
    ("classification", [0, 1] * 5),
    ("regression", [0, 1] * 4),  # four rows for each are too few to call them classes
    ("classification", [0.0, 1.0] * 5),
    ("regression", [0.5, 1.0] * 50),
    ("classification", list(range(20)) * 5),
    ("regression", list(range(21)) * 5),
    ("regression", list(range(100))),
    ("classification", [0, 1, None] * 5),
]


@pytest.mark.parametrize(("task", "values"), TASKS)
def test_the_task_is_told_from_the_column(task, values):
    assert infer_task(table_from_rows([{"y": value} for value in values])["y"]) == task


def test_the_task_can_be_named():
    rows = [{"x": i * 0.5, "y": i % 2} for i in range(20)]
    encoder = TableEncoder.fit(table_from_rows(rows), "y", task="regression")
    assert encoder.targets(table_from_rows(rows)).tolist()[:2] == [[-1.0], [1.0]]


@pytest.mark.parametrize("target", ["price", "kind"])
def test_json_gives_the_same_encoder(target):
    encoder = TableEncoder.fit(TABLE, target, TRAIN)
    loaded = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert loaded == encoder
    np.testing.assert_array_equal(loaded.features(TABLE), encoder.features(TABLE))


def test_from_a_file_to_a_prediction_and_back(tmp_path):
    (tmp_path / "train.csv").write_text("town,size,price\nRom,50,1\nUlm,70,2\nRom,60,4\n")
    (tmp_path / "new.csv").write_text("size,town\n65,Ulm\n,Rom\n")
    table = read_csv(tmp_path / "train.csv")
    encoder = TableEncoder.from_dict(json.loads(json.dumps(TableEncoder.fit(table, "price").to_dict())))
    new = read_csv(tmp_path / "new.csv", schema=encoder.schema, optional=[encoder.target.name])
    assert encoder.labels == ["town = Rom", "town = Ulm", "size"]
    np.testing.assert_allclose(encoder.features(new), [[0, 1, 5 / np.sqrt(200 / 3)], [1, 0, 0]], rtol=1e-6)
    (tmp_path / "bad.csv").write_text("size,town\n65,Ulm\n70,Rome\n")
    with pytest.raises(DataError, match=r"bad.csv, line 3, column 'town': 'Rome' is none .* Did you mean 'Rom'"):
        read_csv(tmp_path / "bad.csv", schema=encoder.schema, optional=["price"])
    strange = read_csv(tmp_path / "bad.csv", schema=encoder.schema, optional=["price"], unknown="missing")
    assert encoder.features(strange)[1, :2].tolist() == [0, 0]


COUNTERS = [
    ("id", [1, 2, 3, 4], True),
    ("Index", [0, 1, 2, 3], True),
    ("customer_id", [1, 2, 3, 4], True),
    ("x", [1, 2, 3, 4], False),  # a ramp may be all that there is to learn from
    ("id", [1, 2, 4, 3], False),
    ("id", [2, 3, 4, 5], True),
    ("id", [1, 3, 4, 9], True),  # rows between were left out
]


@pytest.mark.parametrize(("name", "values", "counts"), COUNTERS)
def test_columns_that_count_the_rows_are_left_out(name, values, counts):
    rows = [{name: value, "z": value**2, "y": value / 3} for value in values]
    encoder = TableEncoder.fit(table_from_rows(rows), "y", rows=[3, 0, 2])
    assert (name in encoder.ignored) == counts
    assert (name in encoder.labels) != counts


def test_columns_can_be_excluded():
    encoder = TableEncoder.fit(TABLE, "price", exclude=["town", "garden", "price"])
    assert encoder.ignored["town"] == encoder.ignored["garden"] == "excluded"
    assert encoder.labels == ["size", "size is missing", "kind = flat", "kind = house"]


def test_the_same_value_or_none_is_something_to_learn_from():
    rows = [{"x": 5 if i % 2 else None, "c": "a" if i % 3 else None, "y": i / 7} for i in range(6)]
    encoder = TableEncoder.fit(table_from_rows(rows), "y")
    assert encoder.features(table_from_rows(rows)).tolist()[:2] == [[0, 1, 0, 1], [0, 0, 1, 0]]


def _changed(row, **cells):
    return table_from_rows([{**_rows()[row], **cells}], schema=TABLE.schema)


FITTED = TableEncoder.fit(TABLE, "kind", TRAIN)
ONE = table_from_rows([{"x": 1.5, "y": 2.5}] * 3)
BAD_CALLS = [
    (lambda: TableEncoder.fit(TABLE, "prize"), DataError, "no column 'prize'. Did you mean 'price'"),
    (lambda: TableEncoder.fit(TABLE, "note"), DataError, "holds text"),
    (lambda: TableEncoder.fit(TABLE, "town"), DataError, "line 4, column 'town': the target is missing here and in 0"),
    (lambda: TableEncoder.fit(TABLE, "price", exclude=["twon"]), DataError, "Did you mean 'town'"),
    (lambda: TableEncoder.fit(TABLE, "price", rows=[]), DataError, "no rows to fit on"),
    (lambda: TableEncoder.fit(TABLE, "price", task="regresion"), ArgumentError, "Did you mean 'regression'"),
    (lambda: TableEncoder.fit(TABLE, "town", task="regression", rows=[0]), DataError, "target is missing"),
    (lambda: TableEncoder.fit(TABLE, "kind", task="regression"), DataError, "holds category, but regression needs"),
    (lambda: TableEncoder.fit(TABLE, "one", task="classification"), DataError, "at least two classes; it has 1"),
    (lambda: TableEncoder.fit(ONE, "y"), DataError, "column 'y' is 2.5 in all training rows"),
    (lambda: TableEncoder.fit(ONE, "y", task="classification"), DataError, "at least two classes; it has 2.5"),
    (lambda: TableEncoder.fit(table_from_rows([{"y": 1.5}, {"y": 2}]), "y"), DataError, r"\(it is the only one\)"),
    (
        lambda: TableEncoder.fit(table_from_rows([{"x": 1, "y": 1.5}, {"x": 1, "y": 2}]), "y"),
        DataError,
        r"no column is left to predict 'y' from \(x: the same in all training rows\)",
    ),
    (lambda: FITTED.features(table_from_rows([{"size": "big"}])), DataError, "held numbers in training and holds cat"),
    (lambda: FITTED.features(table_from_rows([{"size": 1.5}])), DataError, "no column 'garden'"),
    (lambda: FITTED.features(_changed(0, size=1e300)), DataError, "column 'size': this number is too far"),
    (lambda: FITTED.targets(_changed(0, kind=None)), DataError, "line 1, column 'kind': the target is missing"),
    (lambda: FITTED.targets(table_from_rows([{"kind": "hous"}])), DataError, "'hous' is no class. Did you mean 'hou"),
    (lambda: FITTED.target.decode([[1.0, 2.0, 3.0]]), ShapeError, r"\(n, 2\); got \(1, 3\)"),
    (lambda: TableEncoder.fit(TABLE, "price").target.decode(np.ones((3, 2))), ShapeError, r"\(n, 1\); got \(3, 2\)"),
    (lambda: TableEncoder.from_dict({"format": "x"}), DataError, "got 'x'"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD_CALLS)
def test_wrong_calls_are_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, PullbackError)
