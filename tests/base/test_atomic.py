"""Files appear whole or not at all."""

import os
import stat

import pytest

from pullback.base import atomic
from pullback.base.atomic import atomic_write
from pullback.base.errors import ArgumentError

WRITES = [("wb", b"new\r\n\x00", b"new\r\n\x00"), ("w", "né\n", "né\n".encode())]
OLD = [None, b"old"]


@pytest.mark.parametrize(("mode", "content", "expected"), WRITES)
@pytest.mark.parametrize("old", OLD)
def test_the_file_is_replaced_whole(tmp_path, mode, content, expected, old):
    path = tmp_path / "f"
    if old is not None:
        path.write_bytes(old)
    with atomic_write(path, mode) as file:
        file.write(content)
        file.flush()
        assert (path.read_bytes() if path.exists() else None) == old, "the draft must not show before the end"
    assert path.read_bytes() == expected
    assert os.listdir(tmp_path) == ["f"]


def _write_half_and_fail(file, failure):
    file.write(b"half")
    raise failure


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", OLD)
def test_a_failure_in_the_block_leaves_nothing_behind(tmp_path, failure, old):
    path = tmp_path / "f"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(failure), atomic_write(path) as file:
        _write_half_and_fail(file, failure)
    assert (path.read_bytes() if path.exists() else None) == old
    assert os.listdir(tmp_path) == (["f"] if old is not None else [])


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_of_the_disk_leaves_nothing_behind(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(atomic.os, step, full)
    with pytest.raises(OSError, match="no space left"), atomic_write(tmp_path / "f") as file:
        file.write(b"half")
    assert os.listdir(tmp_path) == []


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(handle):
        steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def note_replace(source, target):
        steps.append("rename")
        assert os.path.dirname(source) == os.path.dirname(target)
        replace(source, target)

    monkeypatch.setattr(atomic.os, "fsync", note_fsync)
    monkeypatch.setattr(atomic.os, "replace", note_replace)
    with atomic_write(tmp_path / "f") as file:
        file.write(b"x")
    assert steps == ["file", "rename", "folder"]


def test_a_link_is_followed_and_permissions_are_kept(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_new_file_has_the_permissions_that_open_gives(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    with atomic_write(tmp_path / "atomic") as file:
        file.write(b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_longest_possible_name_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    with atomic_write(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


BAD_PLACES = [
    ("missing/f", "wb", FileNotFoundError, "missing"),
    ("", "wb", IsADirectoryError, "folder"),
    ("f", "a", ArgumentError, "'wb' or 'w'"),
    ("f", "r", ArgumentError, "'wb' or 'w'"),
]


@pytest.mark.parametrize(("name", "mode", "error", "words"), BAD_PLACES)
def test_a_bad_place_or_mode_is_named(tmp_path, name, mode, error, words):
    with pytest.raises(error, match=words), atomic_write(tmp_path / name, mode):
        pytest.fail("the block must not be entered")
    assert os.listdir(tmp_path) == []
