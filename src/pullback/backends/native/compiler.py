"""LLVM IR to machine code in this process: each kernel is compiled once, and kept on disk for the next process.

A kernel is named by a key that its writer makes from everything that the kernel depends on. Code on disk is further
named by the processor, the versions of LLVM and llvmlite, and the source of this backend, so that an upgrade of any of
them never meets old code. Loading kept code parses no IR and takes microseconds; compiling takes tens of milliseconds.
"""

import functools
import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from pullback.backends.native.code_cache import CodeCache
from pullback.backends.native.hardware import cache_folder

# Machine code lives as long as the process: nobody can know who still holds an address.
_engines: list[Any] = []

# The text of a module, or a function that writes it: called only when the kernel must be compiled.
ModuleText = str | Callable[[], str]

# Processors that lower their clock so much for 512-bit vectors that 256 bits are faster. For all later ones of Intel
# LLVM holds the same, though there the full width pays; for AMD's it takes 512 bits by itself.
_SLOW_AT_512_BITS = {"skylake-avx512", "cascadelake", "cooperlake"}


@dataclass(frozen=True)
class Compilation:
    """Where kernels are, by key; how many were known, came from disk or were compiled; how many seconds it took."""

    addresses: Mapping[str, int]
    known: int
    from_disk: int
    compiled: int
    seconds: float


@functools.lru_cache(maxsize=1 << 16)
def symbol(key: str) -> str:
    """The name of the function that the module of this key's kernel must define.

    >>> symbol("sum of 8 numbers")
    'k_c603575fe4bc6fe64194c7a225df1253'
    """
    return "k_" + hashlib.sha256(key.encode()).hexdigest()[:32]


def compile_kernels(texts: Mapping[str, ModuleText]) -> Compilation:
    """The addresses of kernels by key: known to this process, loaded from disk, or compiled now.

    The module of a key defines the function `symbol(key)`, and nothing else that can be seen from outside. Safe to
    call from several threads: equal keys are compiled once.

    Raises ValueError when a module does not define its function or calls one that is nowhere in this process, and
    RuntimeError with LLVM's words when it is not valid.
    """
    return compiler().compile_kernels(texts)


@functools.cache
def compiler() -> "Compiler":
    """The compiler of this process, made when it is first needed."""
    return Compiler(CodeCache(cache_folder() / "code"))


class Compiler:
    """Compiles for the processor that it runs on, and keeps what it compiled. What is loaded is never unloaded."""

    def __init__(self, cache: CodeCache) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        cpu, features = _processor()
        self._machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=cpu, features=features, opt=3, reloc="default", codemodel="jitdefault"
        )
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly("", llvm.create_context()), self._machine)
        _engines.append(self._engine)
        self.cache = cache
        self._addresses: dict[str, int] = {}
        self._lock = threading.RLock()
        _hold_during_fork(self._lock)

    def compile_kernels(self, texts: Mapping[str, ModuleText]) -> Compilation:
        """See the function of this name."""
        started = time.perf_counter()
        from_disk, compiled = 0, {}
        with self._lock:
            unknown = [key for key in texts if symbol(key) not in self._addresses]
            for key in unknown:
                code = self._load_or_compile(key, texts[key], [symbol(key)])
                if code is None:
                    from_disk += 1
                else:
                    compiled[_name_on_disk(key)] = code
            addresses = {key: self._addresses[symbol(key)] for key in texts}
        self.cache.write(compiled)
        known = len(texts) - len(unknown)
        return Compilation(addresses, known, from_disk, len(compiled), time.perf_counter() - started)

    def load_module(self, key: str, text: ModuleText, names: Sequence[str]) -> dict[str, int]:
        """The addresses of several functions of one module. Their names must be unique in the process."""
        with self._lock:
            compiled = None
            if any(name not in self._addresses for name in names):
                compiled = self._load_or_compile(key, text, names)
            addresses = {name: self._addresses[name] for name in names}
        if compiled is not None:
            self.cache.write({_name_on_disk(key): compiled})
        return addresses

    def _load_or_compile(self, key: str, text: ModuleText, names: Sequence[str]) -> bytes | None:
        """Make the functions known. Returns their code if it had to be compiled, and so is not on disk."""
        kept = self.cache.read(_name_on_disk(key))
        if kept is not None and self._load(kept, names):
            return None
        code = self.object_code(text if isinstance(text, str) else text())
        if not self._load(code, names):
            raise ValueError(f"the module of the kernel {key!r} must define {', '.join(names)}")
        return code

    def _load(self, code: bytes, names: Sequence[str]) -> bool:
        """Load an object file; whether it holds the functions."""
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        found = {name: self._engine.get_function_address(name) for name in names}
        if not all(found.values()):
            return False
        self._addresses.update(found)
        return True

    def object_code(self, text: str) -> bytes:
        """The object file of a module."""
        with self._lock:
            return bytes(self._machine.emit_object(self._optimise(text)))

    def assembly(self, text: str) -> str:
        """The machine code of a module, to be read."""
        with self._lock:
            return str(self._machine.emit_assembly(self._optimise(text)))

    def _optimise(self, text: str) -> Any:
        """The module after LLVM's passes."""
        module = llvm.parse_assembly(text, llvm.create_context())  # its own context: the global one only ever grows
        module.triple = self._machine.triple
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = options.slp_vectorization = True
        options.loop_unrolling = options.loop_interleaving = True
        builder = llvm.create_pass_builder(self._machine, options)
        builder.getModulePassManager().run(module, builder)
        _check_declarations(module)  # now that those that nothing calls are gone
        return module


def _check_declarations(module: Any) -> None:
    """LLVM ends the process when it cannot find a function that a module calls; an error is kinder."""
    for function in module.functions:
        name = function.name
        if function.is_declaration and not name.startswith("llvm.") and not llvm.address_of_symbol(name):
            raise ValueError(f"the module calls {name}, which is neither in it nor anywhere in this process")


def _hold_during_fork(lock: Any) -> None:
    """No fork while LLVM works in another thread: the child would find LLVM's own locks taken for ever."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


# What code depends on beside its key
@functools.cache
def _processor() -> tuple[str, str]:
    """The name of the processor, and its features, as LLVM writes them."""
    name, features = str(llvm.get_host_cpu_name()), llvm.get_host_cpu_features()
    flags = sorted(f"{'+' if present else '-'}{feature}" for feature, present in features.items())
    if features.get("avx512f") and name not in _SLOW_AT_512_BITS:
        flags.append("-prefer-256-bit")
    return name, ",".join(flags)


@functools.cache
def _surroundings() -> bytes:
    digest = hashlib.sha256(repr((*_processor(), llvm.llvm_version_info, llvmlite.__version__)).encode())
    digest.update(code_version(Path(__file__).parent).encode())
    return digest.digest()


def code_version(folder: Path) -> str:
    """A hash of all Python source in a folder and below. Contents alone count: dates lie after an upgrade."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _name_on_disk(key: str) -> str:
    return hashlib.sha256(_surroundings() + key.encode()).hexdigest()[:40]
