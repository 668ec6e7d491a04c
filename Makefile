# Everything here needs only Python 3.11 or newer and make; `make` alone says what there is.
# Another Python: make PYTHON=/path/to/python3 …     Options of the server: make run ARGS="--port 9000"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?=
ARGS ?=
# How many processes share the tests; each has servers of its own.
PROCESSES ?= 2
VENV := .venv
BIN := $(VENV)/bin
LOCKED_BY := pyproject.toml requirements.lock deploy/lock_part.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# $(call install,EXTRAS): pip can't check the hash of an editable install, so the lock goes first and Moviola
# itself follows without dependencies, with the build backend that the lock brought.
define install
	@$(BIN)/python deploy/lock_part.py $(1) > $(VENV)/part.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r $(VENV)/part.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
endef

.PHONY: help install run test test-slow fuzz check fmt bench inputs up down lock servers clean

help: ## Say what there is (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/.embedded ## Install what the embedded system needs; afterwards there is .venv/bin/moviola
	@echo "Installed. Next: make run, or $(BIN)/moviola --help"

run: $(VENV)/.embedded ## Serve the whole system on this machine, at http://127.0.0.1:8080 (options: ARGS="--port 9000")
	@exec $(BIN)/moviola up $(ARGS)

test: $(VENV)/.dev servers ## Run all the tests (as root on Debian or Ubuntu it first installs the servers they need)
	$(BIN)/python -m pytest -m "not slow" -n $(PROCESSES) --dist loadscope $(ARGS)

test-slow: $(VENV)/.dev servers ## Run the tests that take longer
	@# pytest's status 5 says that no test is marked slow.
	$(BIN)/python -m pytest -m slow $(ARGS) || [ $$? -eq 5 ]

fuzz: $(VENV)/.dev ## Flip bits in small videos until something gives (options: ARGS="--count 20000 --seconds 600 --seed 1")
	$(BIN)/python -m tests.hostile.fuzz $(ARGS)

check: $(VENV)/.dev ## Check style, types and the import laws
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.dev ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure: the benchmarks, with their figures and machine
	$(BIN)/python -m benchmarks $(ARGS)

inputs: $(VENV)/.dev ## Put files of every kind through the system, checked by another ffmpeg (docs/inputs.md)
	$(BIN)/python -m benchmarks.inputs $(ARGS)

up: ## Start the distributed system in containers (deploy/compose.yaml)
	@deploy/compose up --build --detach $(ARGS)

down: ## Stop the distributed system; its data stay
	@deploy/compose down $(ARGS)

lock: ## Resolve the dependencies anew into requirements.lock (needs uv)
	@command -v uv > /dev/null || { echo "make lock needs uv: install it, for example with \`pipx install uv\`." >&2; exit 2; }
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --all-extras \
		--python-version 3.11 --no-header pyproject.toml -o requirements.lock

clean: ## Remove .venv and all caches; your videos in .moviola stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

servers:
	@deploy/install_test_servers

$(BIN)/python:
	@PYTHON="$(PYTHON)" deploy/make_venv $(VENV)

# Whatever changes what must be installed is older than the stamp, or the install runs again.
$(VENV)/.embedded: $(LOCKED_BY) | $(BIN)/python
	@echo "Installing Moviola into $(VENV) …"
	$(call install,embedded build)
	@touch $@

$(VENV)/.dev: $(LOCKED_BY) | $(BIN)/python
	@echo "Installing Moviola and its tools into $(VENV) …"
	$(call install,embedded build dev)
	@touch $(VENV)/.embedded $@
