# Every target builds what it needs: `make quickstart` and `make test` work in a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS ?= 2

.PHONY: setup quickstart test test-full lint clean

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt "torch"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,lint]"
	touch $(INSTALLED)

quickstart: setup
	$(BIN)/lossbench run quickstart
	$(BIN)/lossbench report quickstart

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) -m "not full"

test-full: setup
	$(BIN)/python -m pytest -n $(WORKERS) --timeout 1800

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
