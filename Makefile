# `make run` starts the demo, `make test` runs every check. Both install what they need.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$python; break; }; done)
NODE_MODULES := tests/supply/node_modules tests/dashboards/node_modules tests/browser/node_modules tests/providers/node_modules clients/browser/node_modules
TOOLS := $(addprefix .tools/,promtool prometheus amtool alertmanager redis-server libfaketime.so.1 cc chromium chromium-headless-shell openssl \
	curl php)
# The tests start several hundred processes. They share compiled bytecode.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-busy test-long check bench chaos damage fuzz story mutate soak ids pictures lock audit sbom attack clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Set up, and start the demo: a sidecar with sample payments
	@$(BIN)/sidecar demo $(DEMO)

test: ## Set up, check the code, and run every test
	@$(MAKE) --no-print-directory -j4 $(VENV)/.dev $(TOOLS) $(NODE_MODULES)
	@tools/run-tests

test-busy: ## Run `make test` beside four busy loops
	@for n in 1 2 3 4; do while :; do :; done & done; trap 'kill $$(jobs -p)' EXIT; $(MAKE) --no-print-directory test

test-long: $(VENV)/.dev $(TOOLS) ## Run what takes minutes: every world of docs/how-it-decides.md, the demo's whole story; over half an hour
	@$(BIN)/pytest -q -n auto --dist worksteal --timeout 3600 -m long tests

check: $(VENV)/.dev ## Check format, lint, types, import contracts and language
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache --config pyproject.toml >.lint-imports.log || { cat .lint-imports.log; exit 1; }
	@rm -f .lint-imports.log
	@$(BIN)/python tools/check-language

bench: $(VENV)/.dev .tools/chromium-headless-shell ## Run the benchmarks, as ratios to baselines in the same run
	@$(BIN)/python -m benchmarks.statistics
	@$(BIN)/python -m benchmarks.promises
	@$(BIN)/python -m benchmarks.weights
	@$(BIN)/python -m benchmarks.fold
	@$(BIN)/python -m benchmarks.listeners
	@$(BIN)/python -m benchmarks.floods
	@$(BIN)/python -m benchmarks.scrape
	@$(BIN)/python -m benchmarks.scraped
	@$(BIN)/python -m benchmarks.streams
	@$(BIN)/python -m benchmarks.console
	@$(BIN)/python -m benchmarks.sustained
	@$(BIN)/python -m benchmarks.restart
	@$(BIN)/python -m benchmarks.checksums
	@$(BIN)/python -m benchmarks.memory

lock: ## Update the locked requirements (needs uv)
	for name in run dev; do \
		uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
			$$([ $$name = dev ] && echo --extra dev) pyproject.toml requirements/build.in -o requirements/$$name.txt; \
	done

attack: $(VENV)/.dev ## Attack a sidecar with everything at once while genuine webhooks flow; a table, and nothing lost
	@$(BIN)/python -m tests.harm.attack

audit: $(VENV)/.dev ## Ask the advisory database for known vulnerabilities in the locked requirements
	@tools/audit

sbom: $(VENV)/.dev ## Write dist/sbom.cdx.json, the bill of materials of the runtime requirements
	@mkdir -p dist; $(BIN)/python tools/sbom >dist/sbom.cdx.json && echo "dist/sbom.cdx.json"

clean: ## Remove everything that set-up created
	rm -rf $(VENV) .tools $(NODE_MODULES) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/pip:
	@if [ -z "$(PYTHON)" ]; then tools/install-system-packages python3 python3-venv; fi
	@test -w . || { echo "$(CURDIR) is not writable for $$(id -un); clone into a writable folder" >&2; exit 1; }
	@python="$(or $(PYTHON),python3)"; $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { found="$$($$python --version 2>&1)" || found="no Python"; \
		echo "Python 3.11 or later is needed; $$found was found. Set PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	echo "Setting up $(VENV) ..."; $$python -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/pip requirements/run.txt pyproject.toml
	@tools/install-requirements run
	@touch $@

$(VENV)/.dev: $(VENV)/bin/pip requirements/dev.txt pyproject.toml
	@tools/install-requirements dev
	@touch $@ $(VENV)/.run

.tools/promtool .tools/prometheus:
	@tools/fetch-prometheus .tools $(@F)

.tools/amtool .tools/alertmanager:
	@tools/fetch-alertmanager .tools $(@F)

.tools/redis-server:
	@tools/fetch-redis-server .tools

.tools/cc:
	@mkdir -p .tools; command -v cc >/dev/null || tools/install-system-packages gcc libc6-dev; \
	ln -sf "$$(command -v cc)" $@

.tools/chromium .tools/chromium-headless-shell:
	@mkdir -p .tools; command -v $(@F) >/dev/null || tools/install-system-packages $(@F); \
	ln -sf "$$(command -v $(@F))" $@

.tools/npm:
	@mkdir -p .tools; command -v npm >/dev/null || tools/install-system-packages nodejs npm; \
	ln -sf "$$(command -v npm)" $@

.tools/openssl:
	@mkdir -p .tools; command -v openssl >/dev/null || tools/install-system-packages openssl; \
	ln -sf "$$(command -v openssl)" $@

.tools/curl:
	@mkdir -p .tools; command -v curl >/dev/null || tools/install-system-packages curl; \
	ln -sf "$$(command -v curl)" $@

.tools/php:
	@mkdir -p .tools; command -v php >/dev/null && command -v phpunit >/dev/null && command -v phpcs >/dev/null \
	|| tools/install-system-packages php-cli php-curl php-mbstring php-xml phpunit php-codesniffer; \
	ln -sf "$$(command -v php)" $@

%/node_modules: %/package-lock.json | .tools/npm
	@npm ci --prefix $* --no-audit --no-fund --silent
	@touch $@

.tools/libfaketime.so.1:
	@tools/fetch-faketime .tools

fuzz: $(VENV)/.dev ## Fuzz each parser for a minute, guided by coverage; send valid and invalid requests against the OpenAPI document
	@OPENAPI_EXAMPLES=2000 $(BIN)/pytest -q -n 2 --timeout 900 tests/shells/test_openapi.py
	@$(BIN)/python -m tests.fuzz.run --seconds 60 2>&1 | grep -E '^(fuzzing|Done|==|.*Error)'; exit $${PIPESTATUS[0]}

chaos: $(VENV)/.dev .tools/cc ## Kill the sidecar 200 times under load, cut the power 3000 times, and check for lost events
	@$(BIN)/python -m tests.harm.kill --rounds 200
	@POWER_CUTS=3000 $(BIN)/pytest -q tests/harm/test_powercut.py

damage: $(VENV)/.dev ## Damage each of the journal's files 500 times, running and stopped, and count what was noticed
	@$(BIN)/python -m tests.harm.damage --cases 500

story: $(VENV)/.dev .tools/promtool .tools/prometheus .tools/alertmanager .tools/redis-server ## Run Prometheus against the demo's story and an incident: which alerts fire, which panels have data
	@$(BIN)/python -m tests.prometheus.story

mutate: $(VENV)/.dev .tools/promtool ## Change every limit of every alert, and check that a test fails
	@$(BIN)/python -m tests.rules.mutate

pictures: $(VENV)/.dev .tools/chromium-headless-shell ## Take the README's pictures from the demo's page during its story
	@$(BIN)/python -m tests.demo.pictures

soak: $(VENV)/.dev ## Run 20 000 auth probes and a million frames, and check for leaks
	@$(BIN)/python -m tests.harm.soak

ids: $(VENV)/.dev ## Send a million ids that nobody saw before to each endpoint, over an hour; memory and series
	@$(BIN)/python -m tests.harm.unique_ids
