# What there is to do here. Everything happens in .venv; `make` alone prints this list.

PYTHONS = python3 python3.11 python3.12 python3.13
NEW_ENOUGH = import sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(PYTHONS); do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)

VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

# The demo; a smaller one: make demo RECIPE=recipes/smoke.yaml CASES=9 DEMO=out/smoke
RECIPE ?= recipes/demo.yaml
CASES ?= 24
DEMO ?= demo

.PHONY: help setup setup-ray demo test test-all lint audit bench

help:
	@echo "make setup     the environment in $(VENV), once"
	@echo "make setup-ray the same with Ray, which is large; without it the tests of Ray are skipped"
	@echo "make demo      a phantom cohort, a study on it, $(DEMO)/report.html"
	@echo "make test      the tests, without those marked slow"
	@echo "make test-all  the slow ones too"
	@echo "make lint      ruff and mypy"
	@echo "make audit     known holes in the installed packages (asks PyPI), and their licences"
	@echo "make bench     every script of bench/, one after the other"

setup: $(READY)

# torch comes first and alone, so that nothing else decides which build of it is taken.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "expected Python 3.11 or newer with venv; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

# Its wheels are large; without it the tests of Ray are skipped.
setup-ray: setup
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,ray]'

demo: setup
	$(BIN)/mrfusion phantom $(DEMO)/phantom --cases $(CASES) --spacing 2 --seed 0
	$(BIN)/mrfusion study $(RECIPE) --data $(DEMO)/phantom --out $(DEMO)

test: setup
	$(BIN)/pytest -n auto --maxprocesses 4 -m "not slow"

test-all: setup
	$(BIN)/pytest -n auto --maxprocesses 4

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# In an environment of its own: what audits is not what is audited. --strict: what cannot be asked about is a failure.
audit: setup
	@test -x .audit/bin/pip-audit || { $(PYTHON) -m venv .audit && .audit/bin/pip install --quiet pip-audit; }
	.audit/bin/pip-audit --strict --skip-editable --path $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	$(BIN)/python .ci/licences.py

bench: setup
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done
