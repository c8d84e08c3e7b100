"""LLVM IR to machine code in this process: each kernel is compiled once, and kept on disk for the next process."""

import functools
import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from pullback.backends.native import kernel_cache


@dataclass(frozen=True)
class Compilation:
    """Where kernels are, by key; how many of them were compiled, came from disk, or were there already; seconds."""

    addresses: Mapping[str, int]
    compiled: int
    from_disk: int
    known: int
    seconds: float
    sizes: Mapping[str, int] = field(default_factory=dict)  # bytes of machine code files


def key_of(text: str) -> str:
    """The name of a kernel in the cache: everything that its code depends on, hashed."""
    return hashlib.sha256(f"{_code_version()}\n{text}".encode()).hexdigest()[:40]


@functools.cache
def _code_version() -> str:
    """Changes whenever the code that writes kernels, LLVM, or the processor changes."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    digest.update(repr((llvmlite.__version__, llvm.llvm_version_info, *_processor())).encode())
    return digest.hexdigest()


@functools.cache
def _processor() -> tuple[str, str]:
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def symbol_of(key: str) -> str:
    """The name of the function that is the kernel."""
    return f"kernel_{key}"


class Jit:
    """The compiler of this process."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        name, features = _processor()
        target = llvm.Target.from_default_triple()
        self._machine = target.create_target_machine(
            cpu=name, features=features, opt=3, reloc="default", codemodel="jitdefault"
        )
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self._machine)
        self._addresses: dict[str, int] = {}
        self._lock = threading.RLock()

    def compile(self, wanted: Mapping[str, Callable[[str], str]]) -> Compilation:
        """The addresses of kernels: from this process, from disk, or compiled now."""
        started = time.perf_counter()
        compiled, from_disk, known = {}, 0, 0
        with self._lock:
            for key, build in wanted.items():
                if key in self._addresses:
                    known += 1
                    continue
                code = kernel_cache.read(key)
                if code is None or not self._add(key, code):
                    code = compiled[key] = self.object_code(build(symbol_of(key)))
                    if not self._add(key, code):
                        raise RuntimeError(f"LLVM cannot load the kernel {key} that it compiled")
                else:
                    from_disk += 1
            addresses = {key: self._addresses[key] for key in wanted}
        kernel_cache.write(compiled)
        return Compilation(addresses, len(compiled), from_disk, known, time.perf_counter() - started)

    def object_code(self, text: str) -> bytes:
        """An object file of optimised machine code."""
        return bytes(self._machine.emit_object(self.optimised(text)))

    def assembly(self, text: str) -> str:
        """The same as assembly, to be read."""
        return str(self._machine.emit_assembly(self.optimised(text)))

    def optimised(self, text: str) -> Any:
        """The module after LLVM's passes."""
        module = llvm.parse_assembly(text)
        module.triple = self._machine.triple
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = True
        builder = llvm.create_pass_builder(self._machine, options)
        builder.getModulePassManager().run(module, builder)
        return module

    def _add(self, key: str, code: bytes) -> bool:
        """Load an object file; whether it holds the kernel."""
        try:
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
        except (RuntimeError, ValueError):
            return False
        address = self._engine.get_function_address(symbol_of(key))
        if address:
            self._addresses[key] = address
        return bool(address)

    def load_module(self, what: str, build: Callable[[], str], names: Sequence[str]) -> dict[str, int]:
        """The addresses of the functions of one module, which `build` writes unless it is on disk."""
        key = key_of(what)
        with self._lock:
            code = kernel_cache.read(key)
            if code is None:
                code = self.object_code(build())
                kernel_cache.write({key: code})
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
            return {name: self._engine.get_function_address(name) for name in names}


@functools.cache
def jit() -> Jit:
    """The compiler of this process, made when it is first needed."""
    return Jit()


def compile_kernels(wanted: Mapping[str, Callable[[str], str]]) -> Compilation:
    """Kernels by key. Each value writes the LLVM module of its kernel, given the name of the function."""
    return jit().compile(wanted)
