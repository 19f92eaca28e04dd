# `make run` starts the demo, `make test` runs every check. Both install what they need.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$python; break; }; done)
NODE_MODULES := tests/supply/node_modules tests/dashboards/node_modules tests/browser/node_modules tests/providers/node_modules clients/browser/node_modules
TOOLS := $(addprefix .tools/,promtool prometheus amtool redis-server libfaketime.so.1 cc chromium chromium-headless-shell openssl php)
# The tests start several hundred processes. They share compiled bytecode.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-busy test-long check bench chaos damage fuzz story mutate soak ids pictures lock audit sbom clean
