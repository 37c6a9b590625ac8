# Everything a contributor runs. `make` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := services

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements/dev.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the development requirements"
	@$(BIN)/python -m pip install -qq --require-hashes --requirement requirements/dev.lock
	@touch $@

$(BIN)/llm-gateway: $(VENV)/.installed pyproject.toml
	@$(BIN)/uv pip install --quiet --offline --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

.PHONY: setup
setup: $(BIN)/llm-gateway ## Make .venv with the pinned requirements, and llm-gateway in it

.PHONY: proto
proto: setup ## Generate the message classes from services/proto
	@$(BIN)/python -m grpc_tools.protoc -Illm_platform/proto=services/proto \
	  --python_out=services --pyi_out=services services/proto/*.proto

.PHONY: api
api: setup ## Write the OpenAPI documents of the dashboards from their operations and services/proto
	@$(BIN)/python -m llm_platform.dashboard.openapi

.PHONY: lock
lock: setup ## Pin the requirements of pyproject.toml anew, with hashes
	@for set in runtime: deploy:deploy dev:deploy,dev bench:bench; do \
	  extras=$${set#*:}; \
	  $(BIN)/uv pip compile --quiet pyproject.toml $${extras:+--extra $${extras//,/ --extra }} --universal \
	    --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	    --output-file requirements/$${set%%:*}.lock; \
	done

.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

.PHONY: lint
lint: setup ## ruff, yamllint, ansible-lint, generated code, and a test for every known failure
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/yamllint --strict .
	@tests/checks/generated-code && tests/checks/cases && tests/checks/degradation
	@deploy/scripts/bootstrap.sh
	@PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/ansible-lint --offline --profile production -q

.PHONY: types
types: setup ## mypy --strict on the package, the fleet, the simulator and the benchmark
	@$(BIN)/mypy

.PHONY: unit
unit: setup ## Unit tests, in parallel
	@$(BIN)/pytest tests/unit -n 2

# Each worker has servers of its own, and much of a file is waiting for them: two files at a time.
BESIDE_EACH_OTHER := tests/integration/dashboards tests/integration/stores

.PHONY: integration
integration: setup ## Real processes on the loopback over mTLS, and the OpenAI SDK against them
	@$(BIN)/pytest $(BESIDE_EACH_OTHER) -n 2 --dist loadfile
	@$(BIN)/pytest tests/integration tests/compat $(BESIDE_EACH_OTHER:%=--ignore=%)

.PHONY: browser
browser: setup web ## The dashboards' pages in Chromium, as each role
	@$(BIN)/pytest tests/browser

.PHONY: screenshots
screenshots: setup web ## Pictures of every page, light and dark, desk and phone, in build/screenshots
	@$(BIN)/python -m tests.browser.screenshots

.PHONY: page-report
page-report: setup web ## What every page weighs, when it stands, what axe finds, desk and slow phone, in build/pages.md
	@$(BIN)/python -m tests.browser.page_report

.PHONY: deploy-test
deploy-test: setup ## ./deploy.sh dev deploy from nothing, its second run, an update under load (needs root and Docker)
	@$(BIN)/pytest tests/deploy

.PHONY: unit-image
unit-image: ## Unit tests on the image's own Python and packages (needs root and Docker)
	@deploy/scripts/bootstrap.sh
	@.state/controller/bin/ansible-playbook -i deploy/inventory/dev.ini deploy/images/test.yml

.PHONY: chaos
chaos: setup ## kill -9 of services and stores under load, then the ledger against the provider's record (KILLS=60 SEED=n)
	@$(BIN)/pytest -s tests/chaos

.PHONY: test
test: lint types web-test unit integration browser chaos deploy-test unit-image ## All of the above: what CI runs

.PHONY: web
web: services/web/node_modules/.package-lock.json ## Build the dashboards' pages (needs Node 20.19)
	@cd services/web && npm run --silent build

.PHONY: web-test
web-test: services/web/node_modules/.package-lock.json ## Format, types and unit tests of the pages
	@cd services/web && npm run --silent lint && npm run --silent types && npm run --silent test

services/web/node_modules/.package-lock.json: services/web/package-lock.json
	@cd services/web && npm ci --no-progress --loglevel error

.PHONY: bench
bench: setup ## Requests per second, CPU and latency beside LiteLLM, Portkey and nginx
	@$(BIN)/python -m pip install -qq --require-hashes --requirement requirements/bench.lock && $(BIN)/python -m bench

.PHONY: bench-dashboards
bench-dashboards: setup ## What the dashboards' pages ask, over 100,000 keys and 5 million rows of usage (DATABASE=postgresql)
	@$(BIN)/python -m bench.dashboards --database $(or $(DATABASE),sqlite)

.PHONY: clean
clean: ## Remove what the build and the tests made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build bench/results
