# Everything one does with this repository. Needs make and Python 3.11 or newer; the rest is installed in .venv.

VENV := .venv
PY := $(VENV)/bin/python
LIGHT := $(VENV)/.installed-plots
FULL := $(VENV)/.installed-dev
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --editable

.DEFAULT_GOAL := help
.PHONY: help setup train test test-all lint format size fixtures tour bench bench-quick clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(FULL)  ## install everything for working on Pullback into .venv (done once)
	@echo "Ready: $(PY), with Pullback and its development tools"

train: $(LIGHT)  ## watch a network learn to read handwritten digits
	@$(VENV)/bin/pullback train digits

test: $(FULL)  ## run the tests (not the slow ones, nor those that need PyTorch)
	@$(PY) -m pytest -m "not slow and not oracle"

test-all: $(FULL)  ## run every test, comparing live with PyTorch where its CPU build can be had
	@if $(PY) scripts/install_oracle.py; \
	then $(PY) -m pytest --runslow --require-oracle; \
	else $(PY) -m pytest --runslow; fi

lint: $(FULL)  ## check style, format and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: $(FULL)  ## mend style and format where that can be done mechanically
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

size: $(FULL)  ## lines per room, the largest functions, and the limits
	@$(PY) scripts/size.py

fixtures: $(FULL)  ## record PyTorch's answers anew, for the tests that run without it
	@$(PY) scripts/install_oracle.py
	@$(PY) scripts/record_oracle.py

tour: $(FULL)  ## run docs/tour.md from top to bottom
	@$(PY) scripts/run_document.py docs/tour.md

bench: $(FULL)  ## measure Pullback beside its peers (an hour; BENCH="--workloads W1,W2" for less)
	@$(PY) -m bench.install_peers
	@$(PY) -m bench $(BENCH)

bench-quick: $(FULL)  ## see whether everything that `make bench` measures runs; writes nothing
	@$(PY) -m bench.install_peers
	@$(PY) -m bench --quick $(BENCH)

clean:  ## remove the environment and everything that was built (runs/ stays)
	rm -rf $(VENV) .venv-peers build dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@sh scripts/make_venv.sh $(VENV)

$(LIGHT): pyproject.toml | $(PY)
	@echo "Installing Pullback into $(VENV) (once; about 115 MB to download)"
	@$(PIP_INSTALL) ".[plots]"
	@touch $@

$(FULL): pyproject.toml | $(PY)
	@echo "Installing Pullback and its development tools into $(VENV) (once; about 190 MB to download)"
	@$(PIP_INSTALL) ".[dev]"
	@touch $(LIGHT) $@
