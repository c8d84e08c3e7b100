"""Standardisation against scikit-learn, and where plain formulas break."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler as Reference

import pullback as pb
from pullback.base.errors import DataError, PullbackError, ShapeError, StateError
from pullback.data import StandardScaler


def _column(*values):
    return np.array(values, dtype=np.float64)[:, None]


TINY = np.finfo(np.float64).tiny
TABLES = {
    "ordinary": np.random.default_rng(0).normal(5, 3, (40, 4)),
    "far from zero": 1e9 + np.random.default_rng(1).normal(size=(40, 2)),
    "constant": np.full((7, 2), 0.1),
    "one row": np.array([[3.0, -2.0]]),
    "missing": np.array([[1.0, np.nan], [np.nan, 4.0], [3.0, 5.0]]),
    "constant but for missing": np.array([[4.0], [np.nan], [4.0]]),
    "negative": _column(-3, -1, -1),
    "integers": np.array([[1, 200], [3, 100]]),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_as_scikit_learn(table):
    ours, theirs = StandardScaler().fit(table), Reference().fit(table.astype(np.float64))
    np.testing.assert_allclose(ours.mean[0], theirs.mean_, rtol=1e-14)
    np.testing.assert_allclose(ours.scale[0], theirs.scale_, rtol=1e-12)
    np.testing.assert_allclose(ours.transform(table), theirs.transform(table), rtol=1e-6, atol=1e-6)
    back = ours.inverse_transform(ours.transform(table.astype(np.float64)))
    np.testing.assert_allclose(back, table, rtol=1e-12)


EDGES = [
    ("huge", _column(1e300, 3e300), 2e300, 1e300),
    ("opposite and huge", _column(-1.5e308, 1.5e308), 0.0, 1.5e308),
    ("tiny", _column(TINY, 3 * TINY), 2 * TINY, TINY),
    ("zeros", _column(0, 0), 0.0, 1.0),
    ("smaller than tiny", _column(5e-324, 1.5e-323), 1e-323, 5e-324),
    ("all missing", _column(np.nan, np.nan), 0.0, 1.0),
    ("a constant that sums inexactly", np.full((1001, 1), 0.1), 0.1, 1.0),
]


@pytest.mark.parametrize(("name", "table", "mean", "scale"), EDGES, ids=[row[0] for row in EDGES])
def test_the_ends_of_the_range(name, table, mean, scale):
    scaler = StandardScaler().fit(table)
    assert scaler.mean.item() == pytest.approx(mean, rel=1e-12, abs=0)
    assert scaler.scale.item() == pytest.approx(scale, rel=1e-12, abs=0)
    if scale == 1.0 and mean:
        assert np.all(scaler.transform(table) == 0)


AXES = [(0, (1, 3, 4, 5)), (None, (1, 1, 1, 1)), ((0, 2, 3), (1, 3, 1, 1)), (-1, (6, 3, 4, 1))]


@pytest.mark.parametrize(("axis", "shape"), AXES)
def test_axes_of_images(axis, shape):
    images = np.random.default_rng(3).random((6, 3, 4, 5))
    scaler = StandardScaler(axis)
    scaled = scaler.fit_transform(images)
    assert scaler.mean.shape == scaler.scale.shape == shape
    np.testing.assert_allclose(scaled.mean(axis=axis), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=axis), 1, rtol=1e-12)


def test_one_mean_for_all_fits_every_shape():
    scaler = StandardScaler(axis=None).fit(np.array([[0.0, 2.0]]))
    assert scaler.transform(np.float32(3)).item() == 2.0
    assert scaler.transform(np.zeros((2, 3, 4))).shape == (2, 3, 4)


def test_only_the_training_part_is_measured():
    scaler = StandardScaler().fit(np.array([[0.0], [2.0]]))
    assert scaler.transform(np.array([[100.0]])).item() == 99.0
    assert scaler.mean.item() == 1.0


KINDS = [
    (np.zeros((2, 1), np.float32), np.float32),
    (np.zeros((2, 1), np.float16), np.float16),
    (np.zeros((2, 1), np.float64), np.float64),
    (np.zeros((2, 1), np.uint8), np.float32),
    (np.zeros((2, 1), np.bool_), np.float32),
    ([[1.0], [2.0]], np.float64),
]


@pytest.mark.parametrize(("data", "dtype"), KINDS)
def test_dtypes(data, dtype):
    assert StandardScaler().fit_transform(data).dtype == dtype


def test_tensors_give_tensors():
    x = pb.tensor([[1.0], [3.0]], requires_grad=True)
    scaled = StandardScaler().fit(x).transform(x)
    assert isinstance(scaled, pb.Tensor)
    assert scaled.dtype is pb.float32
    assert scaled.tolist() == [[-1.0], [1.0]]


def test_the_state_is_all_that_it_knows():
    fitted = StandardScaler().fit(TABLES["ordinary"])
    loaded = StandardScaler()
    loaded.load_state_dict(fitted.state_dict())
    np.testing.assert_array_equal(loaded.transform(TABLES["ordinary"]), fitted.transform(TABLES["ordinary"]))


BAD_CALLS = [
    (lambda: StandardScaler().fit(np.zeros((0, 3))), DataError, r"nothing to standardise: .* \(0, 3\)"),
    (lambda: StandardScaler().fit([[np.inf], [1.0]]), DataError, "infinite"),
    (lambda: StandardScaler(2).fit(np.ones((2, 2))), ShapeError, r"shape \(2, 2\) has no axis 2"),
    (lambda: StandardScaler().transform([1.0]), DataError, "not been fitted"),
    (lambda: StandardScaler().state_dict(), DataError, "not been fitted"),
    (lambda: StandardScaler().fit(np.ones((3, 2))).transform(np.ones((3, 4))), ShapeError, r"\(1, 2\); \(3, 4\) do"),
    (lambda: StandardScaler().fit(np.ones((3, 2))).transform(np.ones(2)), ShapeError, r"\(2,\) does not fit"),
    (lambda: StandardScaler().load_state_dict({"mean": 1}), StateError, "got mean"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD_CALLS)
def test_wrong_calls_are_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, PullbackError)
