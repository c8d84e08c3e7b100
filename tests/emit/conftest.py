"""What is emitted gives the bits of the reference: compiled steps run on it here unless a test says otherwise."""

import pytest


@pytest.fixture(autouse=True)
def reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that name no backend run on the reference."""
    monkeypatch.setenv("PULLBACK_BACKEND", "reference")
