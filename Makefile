# make run: the embedded default with a demo. make test: everything, on real servers. make check, make bench.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 8000
TEST_PYTHON := .venv-test/bin/python
JUNIT ?= var/junit.xml
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

.PHONY: help run test check format bench lock clean

help:
	@echo "make run    serve http://127.0.0.1:$(PORT) with workers and a demo (PORT=... for another port)"
	@echo "make test   install and start real servers, run every test on them"
	@echo "make check  format, lint, types, import contracts"
	@echo "make bench  the figures the README speaks of"

define INSTALL
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; type: make $@ PYTHON=python3.11")'
	@echo "Installing $(1) into $(2) ..."
	@rm -rf $(2) && $(PYTHON) -m venv $(2)
	@$(2)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(1)
	@touch $(2)/installed
endef

.venv/installed: requirements.txt
	$(call INSTALL,requirements.txt,.venv)

.venv-test/installed: requirements-dev.txt
	$(call INSTALL,requirements-dev.txt,.venv-test)

run: .venv/installed
	@export TRIAGE_RUN=$(CURDIR) DEMO=1 PORT=$(PORT) LOG_FORMAT=plain LOG_LEVEL=$${LOG_LEVEL:-WARNING}; \
	.venv/bin/python deploy/leftovers.py; \
	.venv/bin/python manage.py migrate --verbosity 0; \
	.venv/bin/python manage.py demo; \
	echo; echo "  Ctrl+C stops it; 'make run' again takes up where it was."; echo; \
	exec .venv/bin/honcho start --no-prefix

test: .venv-test/installed
	@mkdir -p var
	@deploy/services up
	@export VAR_DIR=$(CURDIR)/var/test; \
	echo; echo "On PostgreSQL, Redis and Elasticsearch:"; \
	(eval "$$(deploy/services env)"; $(TEST_PYTHON) -m pytest $(SIDE_BY_SIDE) $(ARGS) --junit-xml $(JUNIT)); \
	echo; echo "On the embedded default (SQLite), what depends on the database:"; \
	$(if $(ARGS),,$(TEST_PYTHON) -m pytest $(SIDE_BY_SIDE) tests/flow tests/audit tests/api tests/web tests/intake tests/commands -m "not real")

check: .venv-test/installed
	@.venv-test/bin/ruff format --check .
	@.venv-test/bin/ruff check .
	@.venv-test/bin/mypy .
	@.venv-test/bin/lint-imports
	@.venv-test/bin/djlint templates --check --lint --quiet
	@$(TEST_PYTHON) manage.py makemigrations --check --dry-run --verbosity 0
	@echo "All checks passed."

format: .venv-test/installed
	@.venv-test/bin/ruff check --fix --quiet . ; .venv-test/bin/ruff format --quiet .
	@.venv-test/bin/djlint templates --reformat --quiet || true

bench: .venv-test/installed
	@deploy/services up
	@eval "$$(deploy/services env)"; $(TEST_PYTHON) -m tests.bench $(ARGS)

# Needs uv: https://docs.astral.sh/uv/
lock:
	@for role in requirements requirements-worker requirements-dev; do \
	  uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 $(ARGS) $$role.in -o $$role.txt; done
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 $(ARGS) \
	  -c requirements-worker.txt scoring/training/requirements.in -o scoring/training/requirements.txt
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 $(ARGS) \
	  --no-deps scoring/training/base.in -o scoring/training/base.txt

clean:
	@rm -rf .venv .venv-test .services var .pytest_cache .mypy_cache .ruff_cache .hypothesis
