# Every target builds what it needs: `make quickstart` and `make test` work in a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS ?= 2

.PHONY: setup quickstart test test-full lint docs tools clean

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt "torch"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,lint,docs]"
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

# The documentation as a website: site/index.html, which needs no server and no network. Pages that are made from the
# code are brought up to date first.
docs: export NO_MKDOCS_2_WARNING = 1
docs: setup
	$(BIN)/python -m harness.cli.reference_docs docs
	$(BIN)/python -m mkdocs build --strict --quiet

# On Debian and Ubuntu, as root: a browser, fonts and LaTeX, for tests that are skipped without them.
tools:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		chromium fonts-liberation texlive-latex-recommended texlive-latex-extra texlive-science

clean:
	rm -rf $(VENV) build site *.egg-info .mypy_cache .ruff_cache .pytest_cache
