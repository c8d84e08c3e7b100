"""Tensors to files and back: every format, every dtype, and every way in which a file can be wrong."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pullback as pb
from pullback.base.dtypes import DTYPES, Array
from pullback.base.errors import ArgumentError, DataError, DTypeError
from pullback.data.source import MissingFile
from pullback.files.safetensors_file import read_safetensors, write_safetensors
from pullback.files.tree_text import from_arrays, to_arrays
from pullback.files.weights import SAFETENSORS, load, load_metadata, save


def sample(dtype: str, shape: tuple[int, ...] = (2, 3)) -> Array:
    return np.asarray(np.arange(np.prod(shape)).reshape(shape) % 2, dtype=DTYPES[dtype].numpy)


@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (1, 0, 4)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_shape_comes_back(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save({"x": pb.from_numpy(sample(dtype, shape))}, path)
    back = load(path)["x"]
    assert (back.dtype.name, back.shape) == (dtype, shape)
    assert back.numpy().tobytes() == sample(dtype, shape).tobytes()


@pytest.mark.parametrize("suffix", SAFETENSORS)
def test_state_dict_keeps_names_and_order(suffix: str, tmp_path: Path) -> None:
    state = {"z.weight": pb.randn(3, 2, requires_grad=True), "a.bias": pb.zeros(3), "m": pb.tensor(4)}
    save(state, tmp_path / f"w{suffix}")
    back = load(tmp_path / f"w{suffix}")
    assert list(back) == list(state)
    assert all(np.array_equal(back[name].numpy(), state[name].detach().numpy()) for name in state)
    assert not back["z.weight"].requires_grad


def test_state_dict_is_plain_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    save({"fc.weight": pb.ones(2, 3)}, tmp_path / "w.safetensors")
    found = load_file(tmp_path / "w.safetensors")
    assert list(found) == ["fc.weight"]
    assert np.array_equal(found["fc.weight"], np.ones((2, 3), np.float32))


def test_files_of_others_are_read(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"w": np.arange(3.0)}, tmp_path / "w.safetensors", {"format": "np"})
    assert load(tmp_path / "w.safetensors")["w"].tolist() == [0, 1, 2]
    assert load_metadata(tmp_path / "w.safetensors") == {"format": "np"}


def test_same_weights_same_bytes(tmp_path: Path) -> None:
    metadata = {name: name.upper() for name in "abcdefgh"}
    for i in range(4):
        save({"w": pb.ones(2), "b": pb.zeros(3)}, tmp_path / f"{i}.safetensors", metadata)
    assert len({(tmp_path / f"{i}.safetensors").read_bytes() for i in range(4)}) == 1
    assert load_metadata(tmp_path / "0.safetensors") == metadata
    assert load(tmp_path / "0.safetensors")["b"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("text", ["é漢😀", 'quote " backslash \\ newline \n', "\x7f\x00"])
def test_metadata_may_be_any_text(text: str, tmp_path: Path) -> None:
    save({"w": pb.ones(1)}, tmp_path / "w.safetensors", {text: text})
    assert load_metadata(tmp_path / "w.safetensors") == {text: text}


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(trees)
def test_plain_trees_come_back(tree: object) -> None:
    arrays, text = to_arrays(tree)
    assert arrays == {}
    back = from_arrays(arrays, text)
    assert back == tree
    assert repr(back) == repr(tree), "types too: True is not 1, and a tuple is no list"


def test_optimizer_like_tree_comes_back(tmp_path: Path) -> None:
    tree = {
        "state": {0: {"step": pb.tensor(3.0), "exp_avg": pb.ones(2)}, 1: {}},
        "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "nesterov": False, "params": [0, 1]}],
    }
    save(tree, tmp_path / "o.safetensors")
    back = load(tmp_path / "o.safetensors")
    assert back["param_groups"] == tree["param_groups"]
    assert back["state"][0]["step"].shape == ()
    assert list(back["state"]) == [0, 1]


def test_two_places_with_one_path_stay_apart(tmp_path: Path) -> None:
    save({"a.b": {"c": pb.zeros(1)}, "a": {"b.c": pb.ones(1)}}, tmp_path / "x.safetensors")
    back = load(tmp_path / "x.safetensors")
    assert (back["a.b"]["c"].item(), back["a"]["b.c"].item()) == (0, 1)


def test_float_bits_survive(tmp_path: Path) -> None:
    values = [0.1, 1e-310, float("inf"), -0.0, float("nan"), 2.0**-1074]
    save({"v": values, "t": pb.tensor(values, dtype=pb.float64)}, tmp_path / "x.safetensors")
    back = load(tmp_path / "x.safetensors")
    assert np.array(back["v"]).tobytes() == np.array(values).tobytes()
    assert back["t"].numpy().tobytes() == np.array(values).tobytes()


def test_strided_arrays_are_saved_in_order(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(3, 4)
    save({"a": array.T, "b": array[:, ::2], "c": array[::-1]}, tmp_path / "x.safetensors")
    back = load(tmp_path / "x.safetensors")
    assert back["a"].tolist() == array.T.tolist()
    assert back["b"].tolist() == array[:, ::2].tolist()
    assert back["c"].tolist() == array[::-1].tolist()


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "bfloat16"])
def test_npy_and_npz_come_back(dtype: str, tmp_path: Path) -> None:
    x = pb.from_numpy(sample(dtype))
    save(x, tmp_path / "x.npy")
    save({"a": x, "b": x[0]}, tmp_path / "x.npz")
    assert np.array_equal(load(tmp_path / "x.npy").numpy(), sample(dtype))
    back = load(tmp_path / "x.npz")
    assert list(back) == ["a", "b"]
    assert np.array_equal(back["b"].numpy(), sample(dtype)[0])
    assert np.array_equal(np.load(tmp_path / "x.npy", allow_pickle=False), sample(dtype))


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save({"w": pb.ones(1)}, path)
    with pytest.raises(ArgumentError):
        save({"w": object()}, path)
    assert load(path)["w"].tolist() == [1]
    assert [each.name for each in tmp_path.iterdir()] == ["w.safetensors"]


SAVE_ERRORS = [
    ("model.pkl", {}, ArgumentError, "the ending must be one of"),
    ("model.safetensor", {}, ArgumentError, "Did you mean '.safetensors'?"),
    ("model", {}, ArgumentError, "got none."),
    ("x.safetensors", {"model": {"f": print}}, ArgumentError, "the entry 'model.f' is a builtin"),
    ("x.safetensors", {1.5: 2}, ArgumentError, "the key 1.5; keys must be text or integers"),
    ("x.safetensors", {"w": np.ones(1, np.complex64)}, TypeError, "complex64"),
    ("x.safetensors", object(), ArgumentError, "the object is a object"),
    ("x.npy", {"w": pb.ones(1)}, ArgumentError, "an .npy file holds one tensor; got a dict"),
    ("x.npz", {"w": 3}, ArgumentError, "a dict of tensors and nothing else"),
    ("x.npz", {"w": pb.ones(1, dtype=pb.bfloat16)}, ArgumentError, "NumPy's formats know no bfloat16"),
    ("x.safetensors", {"__metadata__": pb.ones(1)}, ArgumentError, "keeps the name '__metadata__' for itself"),
    ("no/such/x.safetensors", {}, FileNotFoundError, "does not exist"),
]


@pytest.mark.parametrize(("name", "tree", "error", "words"), SAVE_ERRORS)
def test_what_cannot_be_saved(name: str, tree: object, error: type, words: str, tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        save(tree, tmp_path / name)
    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_good_file_may_begin_like_a_pickle(tmp_path: Path) -> None:
    beginnings = set()
    for length in range(300):
        save({"w": pb.ones(1)}, tmp_path / "w.safetensors", {"note": "x" * length})
        beginnings.add((tmp_path / "w.safetensors").read_bytes()[0])
        assert load(tmp_path / "w.safetensors")["w"].item() == 1
    assert 0x80 in beginnings


def good_bytes(tmp_path: Path) -> bytes:
    write_safetensors(tmp_path / "good.safetensors", {"w": np.ones(100, np.float32)})
    return (tmp_path / "good.safetensors").read_bytes()


@pytest.mark.parametrize("kept", [0, 4, 20, -1, -300])
def test_truncated_file_is_told(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(good_bytes(tmp_path)[:kept])
    with pytest.raises(DataError, match="cut short or damaged"):
        load(path)


def npz_bytes(tmp_path: Path) -> bytes:
    np.savez(tmp_path / "a.npz", w=np.ones(3))
    return (tmp_path / "a.npz").read_bytes()


def objects_npy(tmp_path: Path) -> bytes:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    return (tmp_path / "a.npy").read_bytes()


def odd_dtype(tmp_path: Path) -> bytes:
    header = json.dumps({"w": {"dtype": "U64", "shape": [1], "data_offsets": [0, 8]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(8)


def foreign_tree(tmp_path: Path) -> bytes:
    write_safetensors(tmp_path / "t.safetensors", {}, {"pullback.tree": '{"tensor": "gone"}'})
    return (tmp_path / "t.safetensors").read_bytes()


LOAD_ERRORS = [
    ("w.pt", npz_bytes, "was pickled"),
    ("w.pth", lambda _: b"\x80\x02}q\x00.", "was pickled"),
    ("w.safetensors", lambda _: b"hello, this is text", "no safetensors file"),
    ("w.safetensors", odd_dtype, "'w' has the dtype U64"),
    ("w.safetensors", foreign_tree, "description of what the file holds is damaged"),
    ("w.npy", npz_bytes, "an .npz archive under another name"),
    ("w.npy", objects_npy, "it holds Python objects"),
    ("w.npy", lambda _: b"\x93NUMPY\x01\x00", "no .npy file"),
    ("w.npy", lambda _: b"hello, this is text", "it does not begin as one does"),
    ("w.npz", lambda folder: npz_bytes(folder)[:60], "w.npz"),
]


@pytest.mark.parametrize(("name", "content", "words"), LOAD_ERRORS)
def test_what_cannot_be_read(name: str, content, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content(tmp_path))
    with pytest.raises(DataError) as caught:
        load(path)
    assert words in str(caught.value)


def test_names_that_numpy_keeps_for_itself_are_saved_too(tmp_path: Path) -> None:
    state = {"file": pb.ones(2), "allow_pickle": pb.zeros(3), "blocks/0.w": pb.tensor(4)}
    save(state, tmp_path / "w.npz")
    assert {name: x.tolist() for name, x in load(tmp_path / "w.npz").items()} == {
        n: x.tolist() for n, x in state.items()
    }
    with np.load(tmp_path / "w.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted(state)


def test_swapped_arguments_are_told() -> None:
    with pytest.raises(DTypeError, match=r"save\(obj, path\); got dict"):
        save("w.safetensors", {"w": pb.ones(1)})  # type: ignore[arg-type]


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    save({}, tmp_path / "weights.safetensors")
    with pytest.raises(MissingFile, match=r"Did you mean .weights\.safetensors."):
        load(tmp_path / "weigths.safetensors")


def test_pytorchs_arguments_are_taken(tmp_path: Path) -> None:
    save({"w": pb.ones(1)}, tmp_path / "w.pth")
    assert load(tmp_path / "w.pth", map_location="cpu", weights_only=True)["w"].item() == 1
    with pytest.raises(pb.base.errors.PullbackError, match="cuda"):
        load(tmp_path / "w.pth", map_location="cuda")


def test_loaded_tensors_own_their_memory(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "w.safetensors", {"w": np.zeros(3, ml_dtypes.bfloat16)})
    arrays, _ = read_safetensors(tmp_path / "w.safetensors")
    arrays["w"][0] = 1
    assert read_safetensors(tmp_path / "w.safetensors")[0]["w"][0] == 0


def test_what_contains_itself_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    endless: list[object] = [pb.ones(1)]
    endless.append(endless)
    with pytest.raises(ArgumentError, match="contains itself"):
        save(endless, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())
