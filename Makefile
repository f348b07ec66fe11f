# `make start` and `make test` are all that a fresh machine needs; the rest is for daily work.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help start test env env-dev console lint types floors check unit coverage faults bench docs lock clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

start: env console ## Make the environment, build the console, run the hub on loopback
	$(BIN)/instar start

test: env-dev ## Everything that CI runs: environment, packages, console, checks, tests, faults
	scripts/test

env: $(VENV)/.run-stamp
env-dev: $(VENV)/.dev-stamp

$(VENV)/.run-stamp: locks/run.lock pyproject.toml
	scripts/make-env run

$(VENV)/.dev-stamp: locks/dev.lock pyproject.toml
	scripts/make-env dev

console: env ## Build the console into the package
	$(BIN)/python scripts/build_console.py

check: lint types floors ## Lint, types and floors

lint:
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types:
	$(BIN)/pyright

floors:
	$(BIN)/lint-imports --no-cache

unit: ## The tests without browsers and faults
	$(BIN)/pytest -q -n 2 --dist loadgroup tests

coverage: ## Report the coverage of the tests
	$(BIN)/coverage erase && $(BIN)/pytest -q -n 2 --cov --cov-report=term:skip-covered tests

faults: ## The short forms of the fault runs
	$(BIN)/pytest -q faults

bench: ## Run the benchmarks and print their ratios
	$(BIN)/python -m benchmarks

docs: ## Write the generated reference pages anew
	$(BIN)/python scripts/reference.py

lock: ## Resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --group build --universal --generate-hashes --no-header -q --upgrade -o locks/run.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-header -q --upgrade -o locks/dev.lock

clean: ## Remove what the build made
	rm -rf $(VENV) dist console/node_modules console/dist src/instar/server/console_files
