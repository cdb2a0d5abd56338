# make demo: install, run the main job on real embedded data, print the result table, write the report.
# make test: install what the tests need, check format, lint and types, run the tests but for the long ones.
# make test-all: the long ones (tests/long.txt) too.  make lint: format, and mend what the linter can.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all check lint install install-test clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

demo: install
	$(BIN)/manyfit demo

test: check
	$(BIN)/python -m pytest -n 2 -m 'not long'

test-all: check
	$(BIN)/python -m pytest -n 2

check: install-test
	$(BIN)/python -m ruff check src tests examples benchmarks
	$(BIN)/python -m ruff format --check src tests examples benchmarks
	$(BIN)/python -m mypy

lint: install-test
	$(BIN)/python -m ruff format src tests examples benchmarks
	$(BIN)/python -m ruff check --fix src tests examples benchmarks
	$(BIN)/python -m mypy

clean:
	rm -rf $(VENV) build dist
