# Two commands are all that a fresh machine needs: `make run` and `make test`. Everything lives in .venv.

.DEFAULT_GOAL := help
BIN := .venv/bin

# PYTHON=python3.12   the interpreter of a new .venv; found by itself when not given
# ARGS="--port 9000"  more words for the command that the target runs
# UPSTREAM, UPSTREAM_API_KEY, VLLM_URL reach the command as environment variables (make exports what it was given), unprinted

.PHONY: help run test install lint ruff types imports fmt bench fault e2e-vllm test-pythons build lock

help: ## this list
	@awk -F ':[^#]*## ' '/^[a-z0-9-]+:[^#]*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

run: install ## the gateway with its built-in fake upstream, or in front of UPSTREAM=http://host:8000/v1; ARGS=--once ends after the samples
	@exec $(BIN)/gatehouse demo $(ARGS)

test: install ## lint, types, import rules and all tests
	@.ci/packages
	@$(MAKE) --no-print-directory -j2 lint
	@$(BIN)/pytest -n auto --maxprocesses 4 --dist loadgroup --cov --cov-report term $(ARGS)

install: ## only the environment; quick when nothing changed
	@.ci/environment .venv $(PYTHON)

lint: ruff types imports ## ruff, mypy, import-linter

ruff: install
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: install
	@$(BIN)/mypy

imports: install
	@$(BIN)/lint-imports

fmt: install ## format, and fix what ruff can fix
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format

bench: install ## CPU, latency and memory beside nginx, the floor and LiteLLM
	@.ci/packages
	@$(BIN)/python tests/bench/run.py $(ARGS)
	@$(BIN)/python -m tests.bench.prompt || true
	@$(BIN)/python -m tests.bench.prompt_in_place || true

fault: install ## kill, power-cut and fault suites at full figures
	@.ci/packages
	@$(BIN)/pytest -m fault --timeout 2400 --durations 10 $(ARGS)

e2e-vllm: install ## against a real vLLM: VLLM_URL=http://host:8000/v1, or one served on this CPU
	@$(BIN)/pytest -m vllm --timeout 1200 tests/e2e $(ARGS)

test-pythons: install ## imports and unit tests on the other versions of Python found here
	@.ci/pythons

build: install ## the wheel, into dist/
	@$(BIN)/python -m hatchling build -t wheel

# Extras stay in the lock: without them pip looks for newer releases of what is required with an extra, and finds no hash.
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
  --no-emit-index-url --no-emit-find-links --no-header

lock: export PATH := $(PATH):$(CURDIR)/$(BIN)
lock: install ## requirements.lock from pyproject.toml, and from it those of the image; ARGS=--upgrade takes newer releases
	@command -v uv >/dev/null || $(BIN)/python -m pip install -qq uv
	@$(UV_COMPILE) pyproject.toml --extra managed --extra guardrails --extra dev --extra postgres -o requirements.lock $(ARGS)
	@$(UV_COMPILE) pyproject.toml --extra postgres -c requirements.lock -o deploy/requirements.lock
	@echo hatchling | $(UV_COMPILE) - -c requirements.lock -o deploy/build-requirements.lock
