"""IDX, NPZ and image folders: what was written is read, and what is broken is named."""

import gzip
import io
import struct
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

import pullback as pb
from pullback.base.errors import ArgumentError, DataError, PullbackError
from pullback.data import (
    READERS,
    DataLoader,
    ImageFolder,
    MissingFile,
    MissingPillow,
    read_idx,
    read_image,
    read_npz,
    reader_for,
)


def _idx(array, code):
    big = array.astype(array.dtype.newbyteorder(">"))
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + big.tobytes()


ELEMENTS = [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]


@pytest.mark.parametrize(("code", "dtype"), ELEMENTS)
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 5), ()])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_is_read_as_written(tmp_path, code, dtype, shape, pack):
    array = (np.arange(np.prod(shape), dtype=np.int64) * 7 - 3).astype(dtype).reshape(shape)
    path = tmp_path / "some-idx"
    path.write_bytes(pack(_idx(array, code)))
    read = read_idx(path)
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.flags.writeable


GOOD_IDX = _idx(np.arange(6, dtype="u1").reshape(2, 3), 8)
BAD_IDX = [
    (b"", "begins with nothing"),
    (b"\x89PNG", "begins with 89 50 4e 47"),
    (b"\0\0\x0a\x01", "type from 08 to 0E"),
    (GOOD_IDX[:9], "ends within its header, which names 2 dimensions"),
    (GOOD_IDX[:-1], r"shape \(2, 3\) of uint8, 6 bytes, but 5 follow; the file is cut short"),
    (GOOD_IDX + b"x", "7 follow; the file is too long"),
    (gzip.compress(GOOD_IDX)[:-9], "damaged gzip file"),
    (gzip.compress(GOOD_IDX)[:20] + b"\xff" * 20, "damaged gzip file"),
]


@pytest.mark.parametrize(("content", "words"), BAD_IDX)
def test_broken_idx_is_named(tmp_path, content, words):
    path = tmp_path / "broken-idx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_npz_is_read_as_written(tmp_path):
    arrays = {"x": np.arange(6.0).reshape(2, 3), "y": np.array([True, False]), "names": np.array(["a", "é"])}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    read = read_npz(tmp_path / "a.npz")
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
    assert list(read_npz(tmp_path / "a.npz", ["y", "x"])) == ["y", "x"]


def _npy():
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


GOOD_NPZ = _npz(images=np.arange(999.0))
BAD_NPZ = [
    (b"", None, "is no .npz archive"),
    (b"text", None, "is no .npz archive"),
    (_npy(), None, "single .npy array, which numpy.load reads"),
    (GOOD_NPZ[:-40], None, "is no .npz archive"),
    (GOOD_NPZ[:100] + GOOD_NPZ[200:], None, "array 'images' is damaged"),
    (GOOD_NPZ.replace(b"PK\x01\x02", b"PK\x01\x03"), None, "is no .npz archive"),
    (b"PK" + GOOD_NPZ, None, "is no .npz archive"),
    (GOOD_NPZ.replace(np.float64(500).tobytes(), b"\0" * 8), None, "array 'images' is damaged"),
    (GOOD_NPZ, ["image"], "no array 'image'. Did you mean 'images'.*It holds images"),
    (_npz(), ["x"], "It holds nothing"),
    (_npz(x=np.array([object()], object)), None, "array 'x' holds Python objects, which would have to be unpickled"),
]


@pytest.mark.parametrize(("content", "names", "words"), BAD_NPZ)
def test_broken_npz_is_named(tmp_path, content, names, words):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_npz(path, names)
    assert str(path) in str(caught.value)


def test_what_is_no_array_in_an_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"'readme.txt' is no .npy array"):
        read_npz(tmp_path / "a.npz")


def _write_images(root, size=(4, 3)):
    """Two classes: two red pictures, one of them deeper, and one grey; `size` is (width, height)."""
    (root / "red" / "deeper").mkdir(parents=True)
    (root / "grey").mkdir()
    Image.new("RGB", size, (255, 0, 0)).save(root / "red" / "b.png")
    Image.new("RGB", size, (250, 0, 0)).save(root / "red" / "deeper" / "a.PNG")
    Image.new("L", size, 51).save(root / "grey" / "c.bmp")
    (root / "red" / "notes.txt").write_text("no picture")
    (root / "red" / ".hidden.png").write_text("no picture")
    (root / ".cache").mkdir()
    return root


def test_a_folder_of_images(tmp_path):
    folder = ImageFolder(_write_images(tmp_path))
    assert folder.classes == ["grey", "red"]
    assert folder.class_to_idx == {"grey": 0, "red": 1}
    assert [path.name for path, _ in folder.samples] == ["c.bmp", "b.png", "a.PNG"]
    assert folder.targets == [0, 1, 1]
    image, label = folder[1]
    assert (image.shape, image.dtype, label) == ((3, 3, 4), pb.float32, 1)
    assert image.numpy()[:, 0, 0].tolist() == [1.0, 0.0, 0.0]
    assert folder[0][0].numpy()[:, 2, 3].tolist() == pytest.approx([0.2] * 3)


MODES = [("RGB", None, (3, 3, 4)), ("L", None, (1, 3, 4)), ("RGB", (8, 6), (3, 8, 6)), ("L", (1, 2), (1, 1, 2))]


@pytest.mark.parametrize(("mode", "size", "shape"), MODES)
def test_modes_and_sizes(tmp_path, mode, size, shape):
    folder = ImageFolder(_write_images(tmp_path), mode=mode, size=size)
    assert folder[0][0].shape == shape
    images, labels = folder.load().arrays
    assert images.shape == (3, *shape)
    assert labels.tolist() == folder.targets
    for i in range(3):
        np.testing.assert_array_equal(images[i], folder[i][0].numpy())
    [batch] = DataLoader(folder, 3)
    np.testing.assert_array_equal(batch[0].numpy(), images)
    assert batch[1].tolist() == labels.tolist()


def test_a_transform_is_applied(tmp_path):
    folder = ImageFolder(_write_images(tmp_path), lambda image: float(image.sum()))
    assert folder[1] == (12.0, 1)


def test_pixels_stand_where_they_stood(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels.transpose(2, 0, 1))


def test_photographs_are_turned_upright(tmp_path):
    image = Image.new("L", (2, 1))
    image.putdata([10, 200])
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    image.save(tmp_path / "a.png", exif=exif)
    assert read_image(tmp_path / "a.png", "L").tolist() == [[[10], [200]]]


def test_unequal_sizes_are_named(tmp_path):
    _write_images(tmp_path)
    Image.new("L", (9, 5)).save(tmp_path / "grey" / "d.png")
    with pytest.raises(DataError, match=r"d\.png has 5 x 9 pixels, .*c\.bmp has 3 x 4 pixels; pass size="):
        ImageFolder(tmp_path).load()
    assert len(ImageFolder(tmp_path, size=(4, 4)).load()) == 4


@pytest.mark.parametrize("content", [b"", b"no picture at all", "cut"], ids=["empty", "text", "cut short"])
def test_damaged_images_are_named(tmp_path, content):
    _write_images(tmp_path, size=(64, 64))
    path = tmp_path / "red" / "b.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:900] if content == "cut" else content)
    with pytest.raises(DataError, match=r"b\.png cannot be read as an image"):
        ImageFolder(tmp_path)[1]


def test_without_pillow_the_remedy_is_named(tmp_path, monkeypatch):
    _write_images(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    for call in (lambda: ImageFolder(tmp_path), lambda: read_image(tmp_path / "red" / "b.png")):
        with pytest.raises(MissingPillow, match="pip install") as caught:
            call()
        assert isinstance(caught.value, ImportError)


def _folder(tmp_path, *parts):
    tmp_path.joinpath(*parts).mkdir(parents=True)
    return tmp_path


BAD_FOLDERS = [
    (lambda tmp: ImageFolder(_folder(tmp, "pictures") / "picture"), MissingFile, "Did you mean 'pictures'"),
    (lambda tmp: ImageFolder(_folder(tmp) if not tmp.exists() else tmp), DataError, "has no subfolders"),
    (lambda tmp: ImageFolder(_folder(tmp, "cats")), DataError, "cats holds no images"),
    (lambda tmp: ImageFolder(tmp, mode="rgb"), ArgumentError, "L, RGB; got 'rgb'"),
    (lambda tmp: ImageFolder(tmp, size=(3,)), ArgumentError, r"\(height, width\).*got \(3,\)"),
    (lambda tmp: ImageFolder(tmp, size=(0, 3)), ArgumentError, r"got \(0, 3\)"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD_FOLDERS)
def test_wrong_folders_and_arguments_are_named(tmp_path, call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(tmp_path)
    assert isinstance(caught.value, PullbackError)


FILE_READERS = [reader for reader in READERS.values() if reader.suffixes]


@pytest.mark.parametrize("reader", READERS.values(), ids=lambda reader: reader.name)
class TestEveryReader:
    def test_a_missing_file_is_named_with_its_neighbour(self, tmp_path, reader):
        (tmp_path / "digits.xyz").write_text("")
        with pytest.raises(MissingFile, match=r"digit\.xyz does not exist\. Did you mean 'digits\.xyz'") as caught:
            reader.read(tmp_path / "digit.xyz")
        assert isinstance(caught.value, FileNotFoundError)
        assert isinstance(caught.value, DataError)

    def test_a_file_for_a_folder_and_a_folder_for_a_file_are_told_apart(self, tmp_path, reader):
        (tmp_path / "file").write_text("")
        wrong, words = (tmp_path / "file", "is a file; a folder")
        if reader.suffixes:
            wrong, words = (tmp_path, "is a folder; a file")
        with pytest.raises(DataError, match=words):
            reader.read(wrong)

    def test_a_path_may_be_text(self, tmp_path, reader):
        with pytest.raises(MissingFile):
            reader.read(str(tmp_path / "nothing"))


@pytest.mark.parametrize("reader", FILE_READERS, ids=lambda reader: reader.name)
@pytest.mark.parametrize("content", [b"", bytes(range(256)), b"\x1f\x8b broken", b"PK\x03\x04 broken"])
def test_garbage_is_an_error_that_names_the_file(tmp_path, reader, content):
    path = tmp_path / f"garbage{reader.suffixes[0]}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="garbage"):
        reader.read(path)


def test_what_the_system_refuses_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    path.write_bytes(b"")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    with pytest.raises(DataError, match=r"a\.npz cannot be read: Permission denied"):
        read_npz(path)


ENDINGS = [
    ("my.csv", "csv"),
    ("MY.CSV", "csv"),
    ("my.tsv.gz", "csv"),
    ("a.npz", "npz"),
    ("t10k-labels-idx1-ubyte", "idx"),
    ("t10k-images-idx3-ubyte.gz", "idx"),
]


@pytest.mark.parametrize(("name", "reader"), ENDINGS)
def test_the_ending_chooses_the_reader(tmp_path, name, reader):
    (tmp_path / name).write_text("")
    assert reader_for(tmp_path / name) is READERS[reader]
    assert reader_for(tmp_path) is READERS["images"]


def test_an_unknown_ending_is_named(tmp_path):
    (tmp_path / "a.csw").write_text("")
    with pytest.raises(DataError, match=r"a\.csw: no reader knows this ending\. Did you mean '\.csv'"):
        reader_for(tmp_path / "a.csw")
    with pytest.raises(MissingFile):
        reader_for(tmp_path / "b.csv")
