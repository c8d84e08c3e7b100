"""What every test shares: which tests run, seeded randomness, and the policy for warnings.

Warnings are errors (``filterwarnings`` in pyproject.toml), floating-point ones included: a test that means to
overflow or divide by zero says so with ``np.errstate`` or ``pytest.warns``. Only PyTorch's import may warn,
for what it warns of is not ours to mend.
"""

import importlib
import os
import warnings
import zlib

# Small matrix products on several BLAS threads spend their time waiting for each other when other programs run, too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest

os.environ["MPLBACKEND"] = "Agg"

# The same examples on every run, so that a failure seen once is seen again.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("exploring", deadline=None, max_examples=1_000)
hypothesis.settings.load_profile("repeatable")

selected_oracle_tests = pytest.StashKey[int]()
missing_oracle = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="run the tests marked slow too")
    parser.addoption(
        "--require-oracle", action="store_true", help="fail, not skip, where no test can compare with PyTorch"
    )


def import_oracle() -> str:
    """Imports PyTorch and returns why it could not be; empty when it could."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            importlib.import_module("torch")
        except ImportError as error:
            return str(error)
    return ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # trylast: pytest has already applied -m, so what is counted here is what will run.
    if not config.getoption("--runslow") and "slow" not in config.getoption("-m"):
        deselect_slow(config, items)
    oracle = [item for item in items if item.get_closest_marker("oracle")]
    config.stash[selected_oracle_tests] = len(oracle)
    config.stash[missing_oracle] = import_oracle() if oracle else ""
    if config.stash[missing_oracle]:
        for item in oracle:
            item.add_marker(pytest.mark.skip(reason=f"PyTorch: {config.stash[missing_oracle]}"))


def deselect_slow(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    compared = config.stash.get(selected_oracle_tests, 0) and not config.stash[missing_oracle]
    if config.getoption("--require-oracle") and not compared:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    # Nothing is stored where the collection itself failed.
    count, reason = config.stash.get(selected_oracle_tests, 0), config.stash.get(missing_oracle, "")
    if reason:
        terminalreporter.section("PyTorch oracle SKIPPED", sep="!", yellow=True, bold=True)
        terminalreporter.line(f"{count} tests did not compare with PyTorch: {reason}")
        terminalreporter.line("`python scripts/install_oracle.py` installs its CPU build where there is one.")
    if config.getoption("--require-oracle") and (reason or not count):
        terminalreporter.line("--require-oracle: failed, because no test compared with PyTorch.", red=True)


@pytest.fixture(params=["reference", "native"])
def backend(request: pytest.FixtureRequest) -> object:
    """Each backend, and how closely it keeps to eager ops."""
    from tests.contracts.backends import Backend  # this file is tried out apart from the others, too

    return Backend(request.param)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers seeded by the test's own name: each test has its own, the same on every run."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
