# The two commands: `make app` serves the web app, `make test` runs every check.
# Each sets up all it needs in .venv: Python 3.11 or newer, pip and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: app test lint types unit browser notebook bench system-packages clean

app: $(VENV)/.installed-app
	$(BIN)/moodlens app

test: $(VENV)/.installed-dev system-packages lint types unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# A browser and a video connection on a busy machine: a test that fails is tried once more. Both
# tries are printed ("RERUN", "1 rerun"), and every failure shows the app's log and threads.
BROWSER_TESTS := $(BIN)/python -m pytest tests/browser --reruns 1 -rR

# Unit, contract, property, integration and notebook tests on two processes, then the browser's.
unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests --ignore tests/browser -n 2 --dist loadscope --durations 10
	$(BROWSER_TESTS)

browser: $(VENV)/.installed-dev system-packages
	$(BROWSER_TESTS)

notebook: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/notebooks

bench: $(VENV)/.installed-dev
	$(BIN)/moodlens bench

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "moodlens needs Python 3.11 or newer; choose one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes -r requirements/$*.txt
	$(PIP) install --quiet --no-deps -e .
	@touch $@

# The browser tests drive Chromium and fail without it; the tests of the history database run on
# PostgreSQL, too, and say that they skip it where it can't be installed.
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq
MAY_INSTALL := command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]

system-packages:
	@command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || { \
	    if $(MAY_INSTALL); then \
	        echo "installing chromium for the browser tests"; \
	        { $(APT) update && $(APT) install -y --no-install-recommends chromium fonts-noto-color-emoji >/dev/null; } \
	            || { echo "chromium could not be installed: install it, then run make test again"; exit 1; }; \
	    else \
	        echo "the browser tests need Chromium: install it (Debian: sudo apt-get install chromium), then run make test again"; exit 1; \
	    fi; }
	@command -v pg_ctl >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	    if $(MAY_INSTALL); then \
	        echo "installing postgresql for the tests of the history database"; \
	        { $(APT) update && $(APT) install -y --no-install-recommends postgresql >/dev/null; } \
	            || echo "postgresql could not be installed: the tests of the history run on SQLite alone"; \
	    else \
	        echo "without PostgreSQL the tests of the history run on SQLite alone (Debian: sudo apt-get install postgresql)"; \
	    fi; }

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
