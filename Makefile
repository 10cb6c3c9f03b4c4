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

# The processes that the tests share; more than four are not worth their start.
WORKERS ?= $(shell cores=$$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2); echo $$((cores < 4 ? cores : 4)))
# A file's tests stay together, for what they share; files are taken as they are listed, not the one of most tests first, which leaves few long ones to the end.
SHARED = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Where pyenv keeps Pythons that are not on the path.
PYENV_PYTHONS = $(wildcard $(foreach minor,11 12 13,$(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.$(minor).*/bin/python))

.PHONY: help verify test test-all check format notebooks site package browser clean

help:
	@echo "make verify    install, then run the main job on two games and print both reports"
	@echo "make test      install what tests need, and run them"
	@echo "make test-all  the slower proofs as well"
	@echo "make check     lint, types, import contract, spelling"
	@echo "make format    let ruff mend what it can"
	@echo "make notebooks execute the notebooks anew"
	@echo "make site      build the documentation into docs/_build"
	@echo "make package   build sdist and wheel, install and run them on each Python 3.11 to 3.13 at hand"
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

test: $(VENV)/.test browser
	$(BIN)/python -m pytest -q $(SHARED)

test-all: $(VENV)/.test browser
	$(BIN)/python -m pytest -q $(SHARED) -m '' --hypothesis-profile=thorough

# The pages are looked at in Chromium. On Debian, and as root, its package is installed; elsewhere those tests are reported as not run where there is none.
browser:
	@if ! which chromium chromium-browser google-chrome 2>/dev/null | grep -q . && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && [ "$(BROWSER)" != no ]; then \
	  echo "installing Chromium, in which the pages are tested (BROWSER=no leaves it out)"; \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium) >/dev/null 2>&1 \
	  || echo "Chromium could not be installed: tests that need it are reported as not run"; \
	fi

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

site: $(VENV)/.test
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

package: $(VENV)/.dev
	$(BIN)/tox run -q $(if $(PYENV_PYTHONS),--discover $(PYENV_PYTHONS))

clean:
	rm -rf $(VENV) .tox docs/_build docs/notebooks build dist .pytest_cache .ruff_cache .hypothesis
