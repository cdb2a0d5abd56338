# make demo: install, run the main job on real embedded data, print the result table, write the report.
# make test: install what the tests need, run them.  make lint: format, lint and type checks.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint install install-test clean

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

test: install-test
	$(BIN)/python -m ruff check src tests examples benchmarks
	$(BIN)/python -m ruff format --check src tests examples benchmarks
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -n 2

lint: install-test
	$(BIN)/python -m ruff format src tests examples benchmarks
	$(BIN)/python -m ruff check --fix src tests examples benchmarks
	$(BIN)/python -m mypy

clean:
	rm -rf $(VENV) build dist
