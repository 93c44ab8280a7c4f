# Everything a user or CI calls. Needs only Python 3.10+ with venv, and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test test-all check board-check browser bench clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -c 'from federatedml.catalog import catalog; catalog(); import serving.plans.compiling'  # compiles kernels, once
	touch $(STAMP)

demo: install
	$(BIN)/python examples/demo.py

check: install board-check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The board's scripts. Needs Node and npm's registry, which users of the board do not.
TSC := npx -y -p typescript@7.0.2 tsc
OXLINT := npx -y oxlint@1.94.0
board-check:
	@if ! command -v npx >/dev/null; then echo "board-check: SKIPPED, there is no npx (Node) here"; \
	elif ! $(TSC) --version >/dev/null 2>&1; then echo "board-check: SKIPPED, npx cannot fetch TypeScript here"; \
	else $(TSC) -p fateboard/static/js/jsconfig.json && $(OXLINT) -c fateboard/oxlint.json --deny-warnings fateboard/static/js; fi

# What the board's browser tests need; without it they are skipped.
browser:
	@sh tests/browser/install_chromium.sh

# Two at a time what starts no processes of its own; nodes and browsers need the cores to themselves.
ALONE := tests/unit tests/conformance tests/protocol
WITH_NODES := tests/e2e tests/browser

test: check browser
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadscope $(ALONE)
	$(BIN)/python -m pytest -m "not slow" $(WITH_NODES)

test-all: check browser
	$(BIN)/python -m pytest -n 2 --dist loadscope $(ALONE)
	$(BIN)/python -m pytest $(WITH_NODES)

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .distaff build dist *.egg-info
