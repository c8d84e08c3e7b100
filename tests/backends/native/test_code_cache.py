"""Compiled kernels: each compiled once, kept on disk, and right whatever has happened to the disk meanwhile."""

import ctypes
import errno
import gc
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pullback.backends.native import code_cache, compiler
from pullback.backends.native.code_cache import CodeCache
from pullback.backends.native.compiler import Compiler, code_version, symbol

CODE = {"ab_first": b"some machine code", "cd_second": bytes(range(256)) * 8}


def constant(key: str, value: int) -> str:
    """The module of a kernel that returns a number."""
    return f"define i64 @{symbol(key)}() {{\n  ret i64 {value}\n}}"


def called(address: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64)(address)()


def never() -> str:
    raise AssertionError("the text of a kernel that is known was asked for")


@pytest.fixture
def cache(tmp_path: Path) -> CodeCache:
    return CodeCache(tmp_path / "code")


# The files
def test_what_is_written_is_read(cache: CodeCache) -> None:
    cache.write(CODE)
    assert {name: cache.read(name) for name in CODE} == CODE
    assert {name: CodeCache(cache.folder).read(name) for name in CODE} == CODE
    assert cache.size() == sum(map(len, CODE.values())) + 2 * 32


def test_what_is_not_there_is_none(cache: CodeCache) -> None:
    assert cache.read("ab_first") is None
    assert cache.size() == 0


def _shortened(content: bytes) -> bytes:
    return content[:-1]


def _flipped(content: bytes) -> bytes:
    return content[:40] + bytes([content[40] ^ 1]) + content[41:]


def _checksum_flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "only a checksum": lambda content: content[:32],
    "half": lambda content: content[: len(content) // 2],
    "last byte lost": _shortened,
    "a bit flipped": _flipped,
    "a bit of the checksum flipped": _checksum_flipped,
    "longer": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_compiled_again_and_replaced(cache: CodeCache, damage: str) -> None:
    texts = {"answer": constant("answer", 42)}
    assert Compiler(cache).compile_kernels(texts).compiled == 1
    (path,) = cache.folder.glob("*/*.code")
    sound = path.read_bytes()
    path.write_bytes(DAMAGES[damage](sound))
    again = Compiler(cache).compile_kernels(texts)
    assert (again.compiled, called(again.addresses["answer"])) == (1, 42)
    assert path.read_bytes() == sound
    assert Compiler(cache).compile_kernels({"answer": never}).from_disk == 1


def test_a_file_under_another_name_is_not_that_name_s(cache: CodeCache) -> None:
    cache.write(CODE)
    os.replace(cache.path("ab_first"), cache.path("cd_second"))
    assert cache.read("cd_second") is None


def test_a_folder_that_cannot_be_made_is_done_without_after_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    made = Compiler(CodeCache(tmp_path / "file" / "code"))
    with pytest.warns(UserWarning, match=r"cannot be kept in .*file/code.*PULLBACK_CACHE"):
        first = made.compile_kernels({"one": constant("one", 1)})
    second = made.compile_kernels({"two": constant("two", 2)})  # a second warning would be an error
    assert (called(first.addresses["one"]), called(second.addresses["two"])) == (1, 2)


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_full_or_read_only_disk_is_done_without(
    cache: CodeCache, monkeypatch: pytest.MonkeyPatch, problem: int
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.warns(UserWarning, match=os.strerror(problem)):
        cache.write(CODE)
    cache.write(CODE)
    monkeypatch.undo()
    assert [path.name for path in cache.folder.glob("*/*")] == []


def test_kept_code_is_used_where_the_disk_cannot_be_written(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    Compiler(cache).compile_kernels({"answer": constant("answer", 42)})
    (path,) = cache.folder.glob("*/*.code")
    os.utime(path, (0, 0))  # so long ago that reading wishes to note the use

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr("os.utime", refuse)
    assert Compiler(cache).compile_kernels({"answer": never}).from_disk == 1


def test_what_was_used_longest_ago_goes_beyond_the_limit(tmp_path: Path) -> None:
    filling = CodeCache(tmp_path)
    names = [f"{i:02d}_kernel" for i in range(10)]
    for age, name in enumerate(names):
        filling.write({name: bytes(1000)})
        os.utime(filling.path(name), (1e9 - age, 1e9 - age))
    assert filling.read(names[9]) is not None  # the oldest, which counts as used now
    CodeCache(tmp_path, limit_bytes=5 * 1032).write({"zz_new": bytes(1000)})
    left = {path.stem for path in tmp_path.glob("*/*")}
    assert left == {"zz_new", names[9], *names[:3]}


def test_the_limit_holds_while_one_process_writes(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, limit_bytes=16_000)
    for i in range(100):
        cache.write({f"{i:02d}_kernel": bytes(1000)})
        assert cache.size() < 16_000 + 16_000 // 8 + 2_000
    assert cache.size() > 12_000


def test_drafts_of_processes_that_died_go(cache: CodeCache) -> None:
    cache.write(CODE)
    old, young = (cache.folder / "ab" / name for name in (".dead.tmp", ".alive.tmp"))
    for draft in (old, young):
        draft.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    CodeCache(cache.folder).write(CODE)
    assert (old.exists(), young.exists()) == (False, True)


_WRITER = """
import sys
from pathlib import Path
from pullback.backends.native.code_cache import CodeCache
codes = {f"{i:02d}_kernel": bytes([i]) * (1 << 16) for i in range(4)}
cache = CodeCache(Path(sys.argv[1]))
for _ in range(12):
    cache.write(codes)
    for name, code in codes.items():
        if cache.read(name) != code:
            sys.exit(f"{name} was not whole")
"""


def test_processes_that_write_at_once_read_whole_files(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", _WRITER, str(tmp_path)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(writer.communicate(timeout=60)[1], writer.returncode) for writer in writers] == [("", 0)] * 3
    assert len(list(tmp_path.glob("*/*"))) == 4


# The compiler
def test_a_kernel_comes_from_memory_from_disk_or_from_llvm(cache: CodeCache) -> None:
    first, second = Compiler(cache), Compiler(cache)
    texts = {key: constant(key, i) for i, key in enumerate("abc")}
    cold = first.compile_kernels(texts)
    assert (cold.known, cold.from_disk, cold.compiled) == (0, 0, 3)
    again = first.compile_kernels({**dict.fromkeys("abc", never), "d": lambda: constant("d", 3)})
    assert (again.known, again.from_disk, again.compiled) == (3, 0, 1)
    warm = second.compile_kernels(dict.fromkeys("abcd", never))
    assert (warm.known, warm.from_disk, warm.compiled) == (0, 4, 0)
    assert 0 < warm.seconds < cold.seconds
    for found in (cold, again, warm):
        assert all(called(address) == "abcd".index(key) for key, address in found.addresses.items())


def test_equal_keys_of_several_threads_compile_once(cache: CodeCache) -> None:
    made, built, found = Compiler(cache), [], []
    start = threading.Barrier(8)

    def text() -> str:
        built.append(threading.get_ident())
        return constant("same", 7)

    def work() -> None:
        start.wait()
        found.append(made.compile_kernels({"same": text}).addresses["same"])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert len(found) == 8
    assert len(set(found)) == 1


def test_machine_code_outlives_everything_that_made_it(cache: CodeCache) -> None:
    made = Compiler(cache)
    address = made.compile_kernels({"answer": constant("answer", 42)}).addresses["answer"]
    for i in range(50):
        made.compile_kernels({f"filler {i}": constant(f"filler {i}", i)})
    gc.collect()
    assert called(address) == 42


REFUSED = {
    "another function": ("define void @other() {\n  ret void\n}", ValueError, "must define k_"),
    "a call to nowhere": (
        f"declare void @pullback_has_no_such_function()\ndefine void @{symbol('bad')}() {{\n"
        "  call void @pullback_has_no_such_function()\n  ret void\n}",
        ValueError,
        "pullback_has_no_such_function",
    ),
    "no LLVM": ("define nonsense", RuntimeError, "parsing error"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_module_is_an_error_and_leaves_the_key_free(cache: CodeCache, case: str) -> None:
    text, error, message = REFUSED[case]
    made = Compiler(cache)
    with pytest.raises(error, match=message):
        made.compile_kernels({"bad": text})
    assert cache.size() == 0
    assert called(made.compile_kernels({"bad": constant("bad", 5)}).addresses["bad"]) == 5


def test_kernels_may_call_the_c_library(cache: CodeCache) -> None:
    text = f"""
    declare float @expf(float)
    declare double @pow(double, double)
    define double @{symbol("libm")}(float %x, double %y) {{
      %e = call float @expf(float %x)
      %wide = fpext float %e to double
      %p = call double @pow(double %wide, double %y)
      ret double %p
    }}"""
    address = Compiler(cache).compile_kernels({"libm": text}).addresses["libm"]
    function = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_float, ctypes.c_double)(address)
    np.testing.assert_allclose(function(1.5, 2.0), np.exp(3.0), rtol=1e-6)


def test_a_module_of_several_functions(cache: CodeCache) -> None:
    text = "define i64 @pb_test_one() {\n  ret i64 1\n}\ndefine i64 @pb_test_two() {\n  ret i64 2\n}"
    names = ["pb_test_one", "pb_test_two"]
    made = Compiler(cache)
    cold = made.load_module("pair", text, names)
    assert [called(cold[name]) for name in names] == [1, 2]
    assert made.load_module("pair", never, names) == cold
    assert [called(found) for found in Compiler(cache).load_module("pair", never, names).values()] == [1, 2]


SCALE = """
define void @scale(ptr noalias %x, ptr noalias %y, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %from = getelementptr float, ptr %x, i64 %i
  %to = getelementptr float, ptr %y, i64 %i
  %value = load float, ptr %from
  %triple = fmul float %value, 3.0
  store float %triple, ptr %to
  %next = add nuw nsw i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}"""


def test_loops_become_vectors_as_wide_as_pays(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    features = compiler.llvm.get_host_cpu_features()
    if not features.get("avx2"):
        pytest.skip("written for processors with AVX2")
    assert ("%zmm" if features.get("avx512f") else "%ymm") in Compiler(cache).assembly(SCALE)
    # A processor that is slow at 512 bits gets what LLVM holds right for it.
    monkeypatch.setattr(compiler, "_SLOW_AT_512_BITS", {str(compiler.llvm.get_host_cpu_name())})
    assert "prefer-256-bit" not in compiler._processor.__wrapped__()[1]


# What code on disk depends on
def test_code_of_another_version_or_processor_is_not_used(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    Compiler(cache).compile_kernels({"answer": constant("answer", 41)})
    monkeypatch.setattr(compiler, "_surroundings", lambda: b"after an upgrade")
    new = Compiler(cache).compile_kernels({"answer": constant("answer", 42)})
    assert (new.compiled, called(new.addresses["answer"])) == (1, 42)


CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "a line": (lambda folder: (folder / "a.py").write_text("x = 2"), True),
    "a file more": (lambda folder: (folder / "deep" / "c.py").write_text(""), True),
    "a file less": (lambda folder: (folder / "deep" / "b.py").unlink(), True),
    "a name": (lambda folder: os.replace(folder / "a.py", folder / "b.py"), True),
    "a line moved over": (
        lambda folder: ((folder / "a.py").write_text("x = 1y"), (folder / "deep" / "b.py").write_text(" = 2")),
        True,
    ),
    "a date": (lambda folder: os.utime(folder / "a.py", (0, 0)), False),
    "a file that is no source": (lambda folder: (folder / "a.pyc").write_bytes(b"1"), False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_version_of_the_code_is_its_content(tmp_path: Path, change: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "deep" / "b.py").write_text("y = 2")
    before = code_version(tmp_path)
    act, matters = CHANGES[change]
    act(tmp_path)
    assert (code_version(tmp_path) != before) == matters


def test_the_warning_is_the_only_sign_of_a_missing_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    broken = CodeCache(tmp_path / "file")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(3):
            broken.write(CODE)
    assert len(seen) == 1
    assert code_cache.LIMIT_BYTES == 512 << 20
