# Everything from nothing: `make gate` and `make test` set up what they need, once.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

# The first of these that runs and is 3.11 or newer; `make PYTHON=/path/to/python3.12 …` names another.
CANDIDATES := python3.13 python3.12 python3.11 python3
IS_NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	"$$python" -c '$(IS_NEW_ENOUGH)' >/dev/null 2>&1 && { echo "$$python"; break; }; done)

# Bytecode is kept, whatever the environment says: every run here starts many processes, and pytest would compile all of it for each.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STAMPS := .venv/.stamps
ARGS ?=
# A visit waits for longer than it computes: more browsers at once than there are processors.
WORKERS ?= $(shell "$(PYTHON)" -c 'import os; print(min(2 * (os.cpu_count() or 1) + 1, 12))' 2>/dev/null || echo 5)

.PHONY: gate test setup format rules timelines sdk soak clean help

gate: setup ## Run the gate on the embedded default: does the widget mount, and if not, why?
	@$(BIN)/chatkit-harness gate $(ARGS)

test: ## Run every check, as CI does: format, lint, types, import contracts, tests.
	@$(MAKE) --no-print-directory -j2 setup $(STAMPS)/test-packages
	@echo "== format (ruff format --check)"
	@$(BIN)/ruff format --check --quiet .
	@echo "== lint (ruff check)"
	@$(BIN)/ruff check --quiet .
	@echo "== types (mypy)"
	@$(BIN)/mypy --no-error-summary
	@echo "== import contracts (lint-imports)"
	@$(BIN)/lint-imports --no-logo > .venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }
	@echo "== tests (pytest)"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --chatkit-trace=off $(ARGS)

format: setup $(STAMPS)/test-packages ## Format the code, and correct what lint can correct.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

rules: setup ## Write docs/rules.md anew from the rules.
	@$(BIN)/python -m harness.commands.explain docs/rules.md

timelines: setup $(STAMPS)/test-packages ## Record the golden timelines of all scenarios, or of those in ARGS; a few minutes.
	@$(BIN)/python tests/timelines.py $(ARGS)

sdk: ## Join the modules of the stand-in's frame anew.
	@"$(PYTHON)" fixtures/sdk_modules/join.py

soak: setup $(STAMPS)/test-packages ## What takes longer: what the documents show, apps on real frameworks, pages that are too much, pairs of faults, replays, fifty killed runs, a thousand healthy mounts under load.
	@$(BIN)/python -m pytest -q tests/soak
	@$(BIN)/python -m pytest -q -m soak
	@$(BIN)/python -m pytest -q tests/browser/test_scenarios.py
	@$(BIN)/python benchmarks/kills.py
	@! command -v npm >/dev/null || $(BIN)/python benchmarks/clicks_apps.py --visits 100
	@! command -v npm >/dev/null || $(BIN)/python benchmarks/clicks_apps.py --visits 100 --load 15
	@$(BIN)/python benchmarks/soak.py $(ARGS)

setup: $(STAMPS)/browser

clean: ## Delete the virtual environment, caches, and what runs left behind.
	rm -rf .venv .apps test-results dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

# A stamp is newer than what its step used, so a second run does nothing here.
$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found (tried: $(CANDIDATES)). Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c '$(IS_NEW_ENOUGH)' || { echo "make: $(PYTHON) is not Python 3.11 or newer. Name another: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "== set-up: virtual environment ($(PYTHON))"
	@"$(PYTHON)" -m venv .venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: requirements.txt $(STAMPS)/venv
	@echo "== set-up: packages (requirements.txt)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(STAMPS)/test-packages: requirements-test.txt $(STAMPS)/harness
	@echo "== set-up: packages for the checks (requirements-test.txt)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt -r requirements-test.txt
	@touch $@

$(STAMPS)/harness: pyproject.toml $(STAMPS)/packages
	@echo "== set-up: chatkit-harness"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(STAMPS)/browser: $(STAMPS)/harness
	@echo "== set-up: browser"
	@$(BIN)/chatkit-harness install
	@touch $@
