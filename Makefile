# The only door to routine tasks. `make` prints this help.
# Every target sets up what it needs: uv (into .tools/ where it is not on PATH), Python packages from the lock.

SHELL := /bin/bash
.DEFAULT_GOAL := help
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
# Trust what this machine trusts, a company's proxy included.
export UV_SYSTEM_CERTS := 1
RUN := $(UV) run --frozen --no-sync
PYTEST := $(RUN) pytest
MEMBERS := contracts services research executor
SOURCES := $(foreach member,$(MEMBERS),$(member)/src)
WEB := services/src/quantbus_services/monitor/pages/static/vendor
# Charts are nice to have: without npm, or without a network, the status page shows its tables and says how to get them.
CHARTS = if command -v npm >/dev/null; then $(MAKE) -s web || echo "no charts: see make web"; fi
CODE := $(SOURCES) executor/user_data/strategies tests benchmarks

.PHONY: help setup runtime web demo test e2e e2e-compose proofs soak pandas3 bench lint type arch check fmt up down logs sbom clean

help: ## Print this help
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

.tools/bin/uv:
	@echo "setting up: uv into .tools (it is not on PATH)"
	@python3 -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

setup: $(filter .tools/bin/uv,$(UV)) ## Install everything from the lock into .venv
	@[ -d .venv ] || echo "setting up: Python packages from the lock into .venv (a minute the first time)"
	@$(UV) sync --frozen --quiet
	@$(CHARTS)

# What runs, without what develops and researches it: a third of the download.
runtime: $(filter .tools/bin/uv,$(UV))
	@[ -d .venv ] || echo "setting up: Python packages from the lock into .venv (a minute the first time)"
	@$(UV) sync --frozen --quiet --no-dev --inexact
	@$(CHARTS)

web: $(WEB)/.made ## Fetch what draws the charts of the status page (needs npm)

# By npm's lock, which names the hash of every file; no script of a package is run.
$(WEB)/.made: services/web/package-lock.json
	@command -v npm >/dev/null || { echo "make web needs npm (Debian: apt-get install npm)"; exit 1; }
	@echo "setting up: the charts of the status page"
	@cd services/web && npm ci --ignore-scripts --no-audit --no-fund --silent
	@mkdir -p $(WEB)
	@cd services/web/node_modules && cp htmx.org/dist/htmx.min.js uplot/dist/uPlot.iife.min.js uplot/dist/uPlot.min.css \
	  lightweight-charts/dist/lightweight-charts.standalone.production.js $(abspath $(WEB))/
	@for package in htmx.org uplot lightweight-charts; do \
	  cp services/web/node_modules/$$package/LICENSE $(WEB)/$$package.LICENSE; done
	@touch $@

demo: runtime ## See it work: one candle in, one order out, in about three minutes
	@$(RUN) quantbus demo $(ARGS)

test: setup ## Unit, conformance, architecture and integration tests, with a real mongod (under 10 minutes)
	@$(PYTEST) -n 2 --dist loadfile -m "not e2e and not soak and not proof and not compose" $(ARGS)

e2e: setup ## The real bot against the paper exchange
	@$(PYTEST) -n 2 --dist loadfile -m "e2e and not soak" tests/e2e $(ARGS)

e2e-compose: setup ## A real `docker compose up`: trade, kill every container, heal (an engine, or root to make one)
	@$(PYTEST) -s -m compose tests/compose $(ARGS)

# They wait more than they compute, so there are more workers than processors. By number of tests, the long ones, each
# alone in its file, would come last and leave the other workers idle.
proofs: setup ## Kill servers, break networks, fuzz the gateway, hold the bus against a model (a few minutes)
	@$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder -m "proof and not soak" $(ARGS)

soak: setup ## Long failure runs
	@$(PYTEST) -m soak --timeout=7200 $(ARGS)

pandas3: $(filter .tools/bin/uv,$(UV)) ## Contracts and executor beside pandas 3, which a stock Freqtrade brings
	@$(UV) run --isolated --no-project --quiet --with-editable './contracts[mongo,runtime,cli,frames,embedded]' --with-editable ./executor \
	  --with 'pandas>=3' --with pytest --with pytest-asyncio --with pytest-timeout --with hypothesis \
	  python -m pytest -q -p no:cacheprovider tests/unit/executor tests/unit/contracts/test_candle.py \
	  tests/unit/contracts/policy tests/conformance/test_every_store.py --ignore tests/unit/executor/test_botconfig.py

bench: setup ## Measure, side by side with baselines, as ratios
	@for script in benchmarks/*.py; do $(RUN) python $$script || exit 1; done

lint: setup ## Ruff: format and lint
	@$(RUN) ruff format --check $(CODE)
	@$(RUN) ruff check $(CODE)

type: setup ## Mypy, strict, over the members and the tests
	@$(RUN) mypy $(SOURCES) tests

arch: setup ## The import law and the architecture tests
	@$(RUN) lint-imports --no-cache
	@$(PYTEST) -q tests/architecture

check: lint type arch ## Everything fast: lint, types, architecture, unit and conformance tests
	@$(PYTEST) -q tests/unit tests/conformance

fmt: setup ## Format and repair what can be repaired
	@$(RUN) ruff format $(CODE)
	@$(RUN) ruff check --fix $(CODE)

up: ## Start the stack and leave it running: in containers where a Docker engine answers, else as local processes
	@MAKE="$(MAKE)" sh deploy/stack.sh up $(ARGS)

down: ## Stop the stack, wherever it runs; data stays
	@MAKE="$(MAKE)" sh deploy/stack.sh down $(ARGS)

logs: ## Follow the logs of the stack
	@MAKE="$(MAKE)" sh deploy/stack.sh logs $(ARGS)

sbom: $(filter .tools/bin/uv,$(UV)) ## Write what each image brings, by the lock: build/sbom/*.cdx.json (CycloneDX)
	@UV="$(UV)" sh deploy/sbom.sh

clean: ## Remove caches and the environment; data under .quantbus stays
	@rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
