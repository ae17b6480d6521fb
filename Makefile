# SPDX-License-Identifier: Apache-2.0
# make demo    everything on this machine: two local Debian hosts, provisioned, benchmarked, one report
# make test    lint, types, unit, peer, browser (Chromium) and lab tests (real hosts: root, systemd-nspawn)
# make test-long   lab tests of minutes: everything from source on two Debian releases; the matrix in a virtual machine
# make peers   other people's tools: benchstat reads the exports; ansible-core and labctl apply the same playbooks
# make check   lint, types and unit tests alone: two minutes on two cores
.PHONY: demo test test-long check lint types unit installed peers browser lab golden pictures simulation fuzz protos schemas dist lock clean help
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check

help:
	@sed -n 's/^# make/make/p' Makefile

demo: .venv/labctl
	$(BIN)/labctl demo

test: check peers browser lab

check: lint types unit installed

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/dev
	$(BIN)/mypy

# Many of them wait for a process: two a core are done soonest.
unit: .venv/dev
	$(BIN)/pytest tests/unit --numprocesses $(shell expr 2 \* $$(nproc))

# The wheel, installed outside the repository.
installed: .venv/dev
	$(BIN)/pytest tests/install

browser: .venv/dev
	$(BIN)/pytest tests/browser

# The slowest tests are named, so that a slow one is seen when it comes.
lab: .venv/dev
	LABCTL_LAB_TESTS=1 $(BIN)/pytest tests/lab --durations=10

test-long: .venv/dev
	LABCTL_LAB_TESTS=1 $(BIN)/pytest tests/lab -m long --durations=10

# Other people's tools: they read what labctl writes, and do what labctl does. Each is got once, from what the machine has configured.
peers: .venv/dev .venv-peers/ansible
	LABCTL_LAB_TESTS=1 $(BIN)/pytest tests/peers --durations=10

# What the report says of a real run, word by word, and the README's pictures of it.
golden: .venv/dev
	LABCTL_GOLDEN=write $(BIN)/pytest tests/unit/report/test_golden.py
	git --no-pager diff --stat tests/fixtures/real

pictures: .venv/dev
	$(BIN)/python tools/pictures.py tests/fixtures/real/demo docs/pictures

# How often the statistics are right, on made-up runs: a minute, and the table of docs/statistics.md.
simulation: .venv/dev
	$(BIN)/python -m perf.simulate --runs 100000 --write docs/statistics.md

# Inventories and playbooks as people, editors and merges break them; filters and lookups with whatever values.
fuzz: .venv/dev
	LABCTL_FUZZ=20000 $(BIN)/pytest tests/unit/load/test_fuzz.py tests/unit/load/test_filter_fuzz.py --numprocesses 2

protos: .venv/dev
	protos/generate.sh

schemas: .venv/labctl
	$(BIN)/python -m orchestrator.cli.main schema --write docs/schemas

# What is uploaded to a package index: the sdist, and the wheel, which holds playbooks, suites and inventories too.
dist: .venv/dev
	$(BIN)/hatchling build

# The lock holds hashes and no addresses: it is valid wherever packages come from.
lock: .venv/dev
	$(PIP) install --quiet pip-tools
	$(BIN)/pip-compile $(LOCK) --build-deps-for editable --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --build-deps-for editable --extra dev --output-file requirements-dev.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --output-file requirements-peers.lock requirements-peers.in
LOCK = --quiet --upgrade --strip-extras --generate-hashes --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

.venv/labctl: requirements.lock pyproject.toml tools/system-packages
	tools/system-packages $(PACKAGES)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Also .venv/labctl has them to ask for then: whoever is not root is told of all missing packages at once.
.venv/dev: PACKAGES = '/usr/sbin/sshd openssh-server' 'git git' 'qemu-system-$(shell uname -m) $(QEMU)' 'qemu-img qemu-utils' \
	'/usr/sbin/mke2fs e2fsprogs' 'chromium chromium'
.venv/dev: .venv/labctl requirements-dev.lock
	tools/system-packages $(PACKAGES)
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

# What labctl is compared with, apart from everything that labctl itself needs.
.venv-peers/ansible: requirements-peers.lock
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip --disable-pip-version-check install --quiet --require-hashes -r requirements-peers.lock
	@touch $@

QEMU = $(if $(filter aarch64,$(shell uname -m)),qemu-system-arm,qemu-system-x86)

clean:
	rm -rf .venv .venv-peers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
