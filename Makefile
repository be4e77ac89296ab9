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

.PHONY: help setup setup-ray demo test test-all test-pythons test-lowest test-light test-wheel coverage wheel lint audit bench docs

help:
	@echo "make setup     the environment in $(VENV), once"
	@echo "make setup-ray the same with Ray, which is large; without it the tests of Ray are skipped"
	@echo "make demo      a phantom cohort, a study on it, $(DEMO)/report.html"
	@echo "make test      the tests, without those marked slow"
	@echo "make test-all  the slow ones too"
	@echo "make test-pythons  the tests under each other Python from 3.12 on that is found here"
	@echo "make test-lowest   the tests with the lowest versions that pyproject.toml allows"
	@echo "make test-light    the same for what does without torch; quick"
	@echo "make test-wheel    the wheel on every Python from 3.11 to 3.13 that is found here, without torch"
	@echo "make coverage  the tests, and which lines they do not reach"
	@echo "make wheel     a wheel in dist/, installed into an empty environment and asked for its version"
	@echo "make lint      ruff and mypy"
	@echo "make audit     known holes in the installed packages (asks PyPI), and their licences"
	@echo "make docs      the documentation, with its tutorials executed, in docs/_build/html"
	@echo "make bench     every script of bench/, one after the other"

setup: $(READY)

# torch comes first and alone, so that nothing else decides which build of it is taken.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "expected Python 3.11 or newer with venv; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,export]'
	@touch $@

# Its wheels are large; without it the tests of Ray are skipped.
setup-ray: setup
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,export,ray]'

demo: setup
	$(BIN)/mrfusion phantom $(DEMO)/phantom --cases $(CASES) --spacing 2 --seed 0
	$(BIN)/mrfusion study $(RECIPE) --data $(DEMO)/phantom --out $(DEMO)

test: setup
	$(BIN)/pytest -n auto --maxprocesses 4 -m "not slow"

test-all: setup
	$(BIN)/pytest -n auto --maxprocesses 4

# Each in an environment of its own. pyenv hides a Python that is installed and not chosen: its folder is asked as well.
OTHERS = python3.12 python3.13
test-pythons:
	@tested=; for name in $(OTHERS); do \
	  found=$$(ls -d $$(command -v $$name) $(HOME)/.pyenv/versions/$${name#python}.*/bin/$$name 2>/dev/null | \
	    while read p; do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done); \
	  if [ -z "$$found" ]; then echo "$$name: not installed here"; continue; fi; \
	  echo "== $$name: $$found"; \
	  $(MAKE) test PYTHON=$$found VENV=.env-$$name || exit 1; tested="$$tested $$name"; \
	done; \
	test -n "$$tested" || { echo "neither of $(OTHERS) is installed here: nothing was tested" >&2; exit 1; }; \
	echo "tested under$$tested"

LOWEST = .env-lowest
test-lowest:
	@test -n "$(PYTHON)" && $(PYTHON) -m venv $(LOWEST)
	$(PYTHON) .ci/lowest.py export > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/pip install --quiet -c $(LOWEST)/constraints.txt -e '.[dev,export]'
	$(LOWEST)/bin/pytest -n auto --maxprocesses 4 -m "not slow" -W default

# Without torch and what needs it: seconds of download instead of minutes.
LIGHT = .env-light
LIGHT_PACKAGES = connected-components-3d filelock isal jaxtyping jinja2 nibabel numpy pillow plotly pydantic pyyaml rich scipy typer
LIGHT_TESTS = tests/test_spec.py tests/test_plan.py tests/test_files.py tests/test_case.py tests/study/test_design.py \
  tests/run_folder tests/searches tests/comparison/test_compare.py
test-light:
	@test -n "$(PYTHON)" && $(PYTHON) -m venv $(LIGHT)
	$(PYTHON) .ci/lowest.py > $(LIGHT)/constraints.txt
	$(LIGHT)/bin/pip install --quiet -c $(LIGHT)/constraints.txt $(LIGHT_PACKAGES) pytest beartype hypothesis
	$(LIGHT)/bin/pip install --quiet --no-deps .
	$(LIGHT)/bin/mrfusion --version
	$(LIGHT)/bin/mrfusion list > $(LIGHT)/list.txt
	$(LIGHT)/bin/mrfusion study --help > $(LIGHT)/help.txt
	$(LIGHT)/bin/pytest -W default $(LIGHT_TESTS)

# The wheel, installed from its file into an empty environment of every Python that is named and found here. Without torch,
# whose wheels are large: `make wheel` installs it whole. What pins need another Python is left to pip.
WHEEL_PYTHONS = python3.11 python3.12 python3.13
test-wheel:
	@rm -rf dist && $(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .
	@for name in $(WHEEL_PYTHONS); do \
	  found=$$(ls -d $$(command -v $$name) $(HOME)/.pyenv/versions/$${name#python}.*/bin/$$name 2>/dev/null | \
	    while read p; do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done); \
	  if [ -z "$$found" ]; then echo "$$name: not installed here"; continue; fi; \
	  echo "== $$name: $$found"; \
	  rm -rf .env-$$name-wheel && $$found -m venv .env-$$name-wheel && \
	  .env-$$name-wheel/bin/pip install --quiet $(LIGHT_PACKAGES) pytest beartype hypothesis && \
	  .env-$$name-wheel/bin/pip install --quiet --no-deps dist/*.whl && \
	  .env-$$name-wheel/bin/mrfusion --version && \
	  .env-$$name-wheel/bin/mrfusion list > .env-$$name-wheel/list.txt && \
	  .env-$$name-wheel/bin/pytest -W default $(LIGHT_TESTS) || exit 1; \
	done

coverage: setup
	$(BIN)/pytest -n auto --maxprocesses 4 -m "not slow" --cov=mrfusion --cov-report=term-missing:skip-covered

wheel:
	rm -rf dist .env-wheel
	$(PYTHON) -m venv .env-wheel
	.env-wheel/bin/pip wheel --quiet --no-deps --wheel-dir dist .
	.env-wheel/bin/pip install --quiet -c constraints.txt dist/*.whl
	cd .env-wheel && bin/mrfusion --version && bin/mrfusion --help > help.txt && bin/mrfusion list > list.txt

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini

# In an environment of its own: what audits is not what is audited. --strict: what cannot be asked about is a failure.
audit: setup
	@test -x .audit/bin/pip-audit || { $(PYTHON) -m venv .audit && .audit/bin/pip install --quiet pip-audit; }
	.audit/bin/pip-audit --strict --skip-editable --path $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	$(BIN)/python .ci/licences.py

# Tutorials are executed; a broken link or a failing cell fails the build. The first time takes minutes, then a cache helps.
docs: setup
	@test -x $(BIN)/sphinx-build || $(BIN)/pip install --quiet -c constraints.txt -e '.[dev,export,docs]'
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/sphinx-build -n -W --keep-going -q docs docs/_build/html
	$(BIN)/python .ci/site.py docs/_build/html
	@echo "docs/_build/html/index.html"

bench: setup
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done
