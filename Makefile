# The only entry points. `make` lists them. Everything is built into .venv and build/, nothing elsewhere.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PY := .venv/bin/python
STAMPS := build/stamps
COMPILED := $(shell find src -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.bpf.c')

PYTEST := $(PY) -m pytest -n auto --maxprocesses=4 --dist=loadscope --no-loadscope-reorder
QUICK := not (root or live or browser or packaging or alone or slow or long)
# All of these folders is left out by QUICK: they need not be imported either.
NO_LIVE := $(addprefix --ignore=tests/,browser packaging system)

.PHONY: help setup demo check test test-long lint format bench fuzz image deb clean test-tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(STAMPS)/compiled ## make .venv with .venv/bin/levo, build the compiled modules (quick when nothing changed)

demo: setup ## Satellite, sensor and a sample API with traffic on loopback; prints the URL (DEMO="--seconds 30" for options)
	@.venv/bin/levo demo $(DEMO)

check: setup ## the quick tests: without root, servers, browsers or packages (minutes)
	@$(PYTEST) --hypothesis-profile=check -m '$(QUICK)' $(NO_LIVE) $(TESTS)

test: setup test-tools ## all tests but the long ones (TESTS="tests/demo -k replay" for some of them)
	@tools/run-tests $(TESTS)

test-long: setup test-tools ## the long tests: outages of minutes, fuzzing, clean rebuilds (hours)
	@$(PYTEST) --hypothesis-profile=long -m 'long or hypothesis' $(TESTS)

lint: setup ## ruff, mypy (strict), cython-lint, and the C compiler with its warnings
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@PATH=$$PWD/.venv/bin:$$PATH cython-lint src fuzz
	@$(PY) tools/check_c.py

format: setup ## let ruff format the Python files
	@$(PY) -m ruff format .

bench: setup ## throughput, CPU and memory on this machine, beside other tools
	@tools/run-part bench bench/run

fuzz: setup ## fuzz the compiled core under AddressSanitizer
	@tools/run-part fuzz fuzz/run

image: ## container image of the sensor, as an OCI archive
	@tools/run-part image packaging/image/build

deb: ## Debian packages levo-ebpf-sensor and levo-satellite
	@tools/run-part deb packaging/deb/build

clean: ## remove everything built, except .venv
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	@find src -name '*.so' -delete -o -name '*.bpf.o' -delete -o -name '*.c' ! -name '*.bpf.c' -delete -o -name __pycache__ -prune -exec rm -rf {} +

# --- how setup works: three steps, each redone only when what it depends on is newer ------------------------

$(STAMPS)/python: tools/find-python tools/system-packages
	@tools/system-packages build
	@python=$$(tools/find-python); \
	if ! $(PY) -c '' 2>/dev/null; then echo "setup: .venv from $$python ($$($$python -V))"; "$$python" -m venv --clear .venv; fi
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: $(STAMPS)/python pyproject.toml
	@echo "setup: Python packages"
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade 'setuptools>=77' 'cython>=3.1' wheel
	@$(PY) tools/requirements.py satellite aws dev > build/requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check -r build/requirements.txt
	@touch $@

$(STAMPS)/compiled: $(STAMPS)/packages setup.py $(COMPILED)
	@echo "setup: compiled modules and .venv/bin/levo"
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@.venv/bin/levo --version >/dev/null
	@touch $@

test-tools:
	@tools/system-packages test
