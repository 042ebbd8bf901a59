# make demo: set up and run the main job. make test: set up and run the tests. make check: lint and types.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

ifeq ($(origin CONV4REC_DATA),undefined)
  ifneq ($(wildcard data/.),)
    export CONV4REC_DATA := $(CURDIR)/data
  else ifneq ($(wildcard ../shared/data/.),)
    export CONV4REC_DATA := $(abspath ../shared/data)
  endif
endif

ROOT_APT := test "$$(id -u)" = 0 && command -v apt-get > /dev/null && apt-get -qq update > /dev/null 2>&1 && apt-get -qq install -y --no-install-recommends

.PHONY: demo test programs check bench clean

demo: $(READY)
	$(BIN)/conv4rec demo

test: $(READY) programs
	$(BIN)/pytest

programs: # for the tests of the page and of a store in PostgreSQL; they are skipped where these cannot be had
	@command -v chromium > /dev/null && command -v chromedriver > /dev/null || { $(ROOT_APT) chromium chromium-driver > /dev/null 2>&1; } || echo "no chromium: tests of the page will be skipped"
	@command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || { $(ROOT_APT) postgresql > /dev/null 2>&1; } || echo "no PostgreSQL: its tests will be skipped"

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks.load
	$(BIN)/python -m benchmarks.evaluation
	$(BIN)/python -m benchmarks.verbs
	$(BIN)/python -m benchmarks.service

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "conv4rec needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) runs
