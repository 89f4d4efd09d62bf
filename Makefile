# Everything that is done with this repository, one command each. Only Python 3.11 to 3.13 and make are needed; the plain
# pip commands behind them are in README.md and CONTRIBUTING.md.

# The first of these that runs and is of a fitting version; `make PYTHON=/path/to/python3.12 run` takes another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then echo $$python; break; fi; done)
VENV ?= .venv
# Which of ONNX Runtime's packages: cpu, cuda, directml, openvino, rocm or webgpu (docs/back-ends.md).
RUNTIME ?= cpu
EXTRAS ?= train,dev
BIN := $(VENV)/bin
CONSTRAINTS := packaging/constraints.txt
RUN_READY := $(VENV)/ready-to-run
TEST_READY := $(VENV)/ready-to-test
SAMPLE := resources/sample.png
PACKAGES := engine training addersesr_app resources
CODE := $(PACKAGES) tests
RUNTIME_PACKAGES := onnxruntime onnxruntime-directml onnxruntime-gpu onnxruntime-migraphx onnxruntime-openvino onnxruntime-webgpu

.PHONY: help run install runtime test lint format format-check types contracts check table screenshots bench clean

help:  ## Show what can be done
	@sed -n 's/^\([a-z-]*\):.*##\(.*\)/\1\t\2/p' Makefile | expand -t 16

run: $(RUN_READY)  ## Install what is needed and open the window on the sample picture
	$(BIN)/addersesr gui $(SAMPLE)

install: $(RUN_READY)  ## Install what is needed into .venv, without torch

runtime: $(RUN_READY)  ## Put another of ONNX Runtime's packages in place of the one that is installed: make runtime RUNTIME=cuda
	$(BIN)/python -m pip uninstall --quiet --yes $(RUNTIME_PACKAGES)
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[$(RUNTIME)]'
	$(BIN)/addersesr doctor

test: $(TEST_READY)  ## Install what is needed, torch included, and run every test without a display
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest $(PYTEST)

lint: $(TEST_READY)  ## Look for mistakes
	$(BIN)/ruff check $(CODE)

format: $(TEST_READY)  ## Lay the code out
	$(BIN)/ruff check --select I --fix $(CODE)
	$(BIN)/ruff format $(CODE)

format-check: $(TEST_READY)  ## Check that the code is laid out
	$(BIN)/ruff format --check $(CODE)

types: $(TEST_READY)  ## Check types, strictly
	$(BIN)/mypy

contracts: $(TEST_READY)  ## Check which package may import which
	$(BIN)/lint-imports

check: lint format-check types contracts  ## All checks but the tests

table: $(RUN_READY)  ## Write the measured table into README.md from the models' cards
	$(BIN)/python -m engine.figures README.md

screenshots: $(RUN_READY)  ## Make the pictures in docs/screenshots
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m addersesr_app.screenshots docs/screenshots

bench: $(RUN_READY)  ## Measure how fast each network runs on this computer
	$(BIN)/addersesr bench

clean:  ## Remove environments, caches and built files
	rm -rf .venv .venv-base build dist .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(CODE) -type d -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "AdderSESR needs Python 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.12 run" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (on Debian and Ubuntu: apt install python3-venv)" >&2; rm -rf $(VENV); exit 1; }

$(RUN_READY): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[$(RUNTIME)]'
	@touch $@

$(TEST_READY): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[$(RUNTIME),$(EXTRAS)]'
	@touch $@ $(RUN_READY)
