"""The embedded novels, and text as numbers and windows."""

import bz2
import hashlib

import numpy as np
import pytest

from pullback.base.errors import ArgumentError, DataError
from pullback.data import DataLoader, Subset, TextWindows, Vocabulary, austen, split_by_position
from pullback.data.embedded import AUSTEN
from scripts import make_austen

TITLES = ("SENSE AND SENSIBILITY", "PRIDE AND PREJUDICE", "MANSFIELD PARK", "EMMA", "NORTHANGER ABBEY", "Persuasion")


def test_the_novels_never_change() -> None:
    # Results are compared between releases: another text would make them incomparable.
    text = austen()
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "2442d8098f2aa979276240ed8fb3457a0d2359ae325309d143d7835437399795"
    places = [text.index(f"{title}\n") for title in TITLES]
    assert places == sorted(places)
    assert places[0] == 0
    assert AUSTEN.stat().st_size < 1_300_000


@pytest.mark.skipif(not make_austen.ARCHIVE.exists(), reason=f"needs .cache/ with {make_austen.PACKAGE} (apt-get)")
def test_the_script_makes_the_same_text() -> None:
    assert make_austen.joined(make_austen.read_package()) == bz2.decompress(AUSTEN.read_bytes()).decode()


def test_origin_and_licence_stand_beside_the_novels() -> None:
    text = AUSTEN.with_name("austen_origin.txt").read_text(encoding="utf-8")
    for word in ("Jane Austen", "Julia Silge", "public domain", "MIT Licen", make_austen.ARCHIVE_SHA256):
        assert word.lower() in text.lower()


def test_vocabulary_leads_there_and_back() -> None:
    text = "Ein Käse, 3 £ – 😀\n"
    vocabulary = Vocabulary.of(text)
    assert list(vocabulary.characters) == sorted(set(text))
    ids = vocabulary.encode(text)
    assert (ids.dtype, ids.min(), ids.max()) == (np.int64, 0, len(vocabulary) - 1)
    assert vocabulary.decode(ids) == text
    assert vocabulary.encode("").shape == (0,)


@pytest.mark.parametrize("stranger", ["!", "z", "😀"])
def test_unknown_characters_are_named(stranger: str) -> None:
    with pytest.raises(DataError, match=f"'{stranger}' is not among the 3"):
        Vocabulary("abc").encode(f"ab{stranger}c")


@pytest.mark.parametrize("characters", ["ba", "aab"])
def test_vocabularies_are_sorted(characters: str) -> None:
    with pytest.raises(ArgumentError, match="sorted"):
        Vocabulary(characters)


def test_parts_follow_each_other() -> None:
    ids = np.arange(1003)
    parts = split_by_position(ids)
    assert [len(part) for part in parts] == [903, 50, 50]
    assert np.array_equal(np.concatenate(parts), ids)
    with pytest.raises(ArgumentError, match="leave nothing"):
        split_by_position(ids, 0.6, 0.4)


@pytest.mark.parametrize(("length", "stride", "n"), [(4, None, 21), (4, None, 20), (4, 4, 9), (4, 1, 9), (3, 7, 40)])
def test_windows_are_what_slices_are(length: int, stride: int | None, n: int) -> None:
    ids = np.random.default_rng(0).integers(0, 9, n)
    windows = TextWindows(ids, length, stride)
    starts = range(0, n - length, stride or length)
    assert len(windows) == len(starts)
    for (x, y), start in zip(windows, starts, strict=False):
        assert x.tolist() == ids[start : start + length].tolist()
        assert y.tolist() == ids[start + 1 : start + 1 + length].tolist()


def test_windows_hold_the_text_once() -> None:
    ids = np.arange(1000)
    x, y = TextWindows(ids, 100, 1).arrays
    assert np.shares_memory(x, ids)
    assert np.shares_memory(y, ids)
    assert not x.flags.writeable


def test_each_place_counts_once() -> None:
    windows = TextWindows(np.arange(1, 21), length=6, stride=2, counted=2)
    targets = windows.arrays[1]
    counted = targets[targets != -100]
    assert counted.tolist() == list(range(2, 20))
    assert targets[1].tolist() == [-100] * 4 + [8, 9]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, "got length=0"),
        ({"length": 3, "stride": 0}, "stride=0"),
        ({"length": 3, "counted": 4}, "counted=4"),
    ],
)
def test_impossible_windows_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        TextWindows(np.arange(50), **settings)


def test_text_that_is_too_short() -> None:
    with pytest.raises(DataError, match="too short for windows of 5"):
        TextWindows(np.arange(5), 5)


def test_a_loader_gathers_windows_as_rows() -> None:
    windows = TextWindows(np.arange(100), 5, 3)
    epoch = iter(DataLoader(Subset(windows, np.arange(20)), 4, shuffle=True, seed=1))
    assert epoch.has_rows  # type: ignore[attr-defined]
    x, y = next(epoch)
    assert x.shape == (4, 5)
    assert (y - x).tolist() == [[1] * 5] * 4
