# SPDX-License-Identifier: Apache-2.0
# make demo    everything on this machine: two local Debian hosts, provisioned, benchmarked, one report
# make test    lint, types, unit and lab tests (real hosts: root, systemd-nspawn)
# make check   lint, types and unit tests alone: under a minute
.PHONY: demo test check lint types unit lab protos lock clean help
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check

help:
	@sed -n 's/^# make/make/p' Makefile

demo: .venv/labctl
	$(BIN)/labctl demo

test: check lab

check: lint types unit

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/dev
	$(BIN)/mypy

# Many of them wait for a process: two a core are done soonest.
unit: .venv/dev
	$(BIN)/pytest tests/unit --numprocesses $(shell expr 2 \* $$(nproc))

# The slowest tests are named, so that a slow one is seen when it comes.
lab: .venv/dev
	LABCTL_LAB_TESTS=1 $(BIN)/pytest tests/lab --durations=10

protos: .venv/dev
	protos/generate.sh

# The lock holds hashes and no addresses: it is valid wherever packages come from.
lock: .venv/dev
	$(PIP) install --quiet pip-tools
	$(BIN)/pip-compile $(LOCK) --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --extra dev --output-file requirements-dev.lock pyproject.toml
LOCK = --quiet --upgrade --strip-extras --generate-hashes --allow-unsafe --build-deps-for editable --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

.venv/labctl: requirements.lock pyproject.toml tools/system-packages
	tools/system-packages
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/labctl requirements-dev.lock
	tools/system-packages '/usr/sbin/sshd openssh-server' 'qemu-system-$(shell uname -m) $(QEMU)' 'qemu-img qemu-utils' \
		'/usr/sbin/mke2fs e2fsprogs'
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

QEMU = $(if $(filter aarch64,$(shell uname -m)),qemu-system-arm,qemu-system-x86)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
