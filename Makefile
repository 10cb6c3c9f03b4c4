# Two commands set everything up on a machine with Python 3.11+ and make: `make verify` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# One thread each: runs are then deterministic bit for bit, and small matrices gain nothing from more.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export NUMBA_NUM_THREADS := 1

.PHONY: help verify test test-all check format notebooks clean

help:
	@echo "make verify    install, then run the main job on two games and print both reports"
	@echo "make test      install what tests need, and run them"
	@echo "make test-all  the slower proofs as well"
	@echo "make check     lint, types, import contract, spelling"
	@echo "make format    let ruff mend what it can"
	@echo "make notebooks execute the notebooks anew"
	@echo "make clean     remove what was installed and built here"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# A stamp a set of extras: installed again when the project's requirements change.
$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.run $(VENV)/.test

verify: $(VENV)/.run
	$(BIN)/mmd-games verify rock_paper_scissors:wins=0.9/0.8/0.9
	@echo
	$(BIN)/mmd-games verify openspiel:kuhn_poker

test: $(VENV)/.test
	$(BIN)/python -m pytest -q

test-all: $(VENV)/.test
	$(BIN)/python -m pytest -q -m '' --hypothesis-profile=thorough

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(VENV)/.test
	$(BIN)/python -m jupytext --execute --to ipynb notebooks/*.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
