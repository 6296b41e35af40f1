# Everything a developer starts. `make` alone lists the targets. Options of a command go into ARGS, e.g. make test ARGS="-k swap".

SHELL := /bin/bash
PYTHON := .venv/bin/python
STACK := $(PYTHON) -m devstack
SHELL_SCRIPTS = $(shell git ls-files -co --exclude-standard '*.sh' .ci/run)
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .venv/bin/uv)
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-emit-index-url --custom-compile-command "make lock"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit up down status logs clean lint format lock schedule

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing: the Python environment and Debian packages; nothing to do takes no time
	@devstack/setup.sh --for test

demo: ## set up, start the stack, run the whole platform on a synthetic world, show the outcome (quicker: ARGS="--size small")
	@devstack/setup.sh --for stack
	@$(STACK) demo $(ARGS)

test: ## set up and run every test
	@devstack/setup.sh --for test
	@mkdir -p test-results
	@$(PYTHON) -m pytest -n 2 --durations=20 --junitxml=test-results/tests.xml $(ARGS)

test-unit: ## set up and run the tests that need no server
	@devstack/setup.sh --for lint
	@mkdir -p test-results
	@$(PYTHON) -m pytest -n 2 -m unit --junitxml=test-results/unit.xml $(ARGS)

up: ## start the local stack
	@devstack/setup.sh --for stack
	@$(STACK) up $(ARGS)

down: ## stop the local stack; its data stays
	@if [[ -x $(PYTHON) ]]; then $(STACK) down $(ARGS); else echo "Nothing runs."; fi

status: ## what runs, where, how much memory, and the Airflow user and password
	@devstack/setup.sh --for stack
	@$(STACK) status $(ARGS) || true # its exit code says whether all is ready: python -m devstack status

logs: ## follow the logs of all services
	@devstack/setup.sh --for stack
	@$(STACK) logs $(ARGS)

clean: ## stop the local stack and delete its data (asks first; ARGS=--yes does not)
	@if [[ -x $(PYTHON) ]]; then $(STACK) clean $(ARGS); else echo "There is nothing to delete."; fi

lint: ## check Python, SQL, YAML and shell scripts
	@devstack/setup.sh --for lint
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/sqlfmt --check --quiet gcc_social
	.venv/bin/yamllint --strict .
	shellcheck $(SHELL_SCRIPTS)

format: ## format Python and SQL
	@devstack/setup.sh --for lint
	.venv/bin/ruff check --fix
	.venv/bin/ruff format
	.venv/bin/sqlfmt --quiet gcc_social

schedule: ## write docs/schedule.md from the DAGs' declarations
	@devstack/setup.sh --for lint
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && PYTHONPATH=plugins AIRFLOW_HOME=$$home $(PYTHON) -m stir.schedule_page $(ARGS)

lock: ## turn requirements.in and requirements-dev.in into exact versions
	$(LOCK) --upgrade requirements.in --output-file requirements.txt
	$(LOCK) --upgrade requirements-dev.in --output-file requirements-dev.txt
