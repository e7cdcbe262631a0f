# SPDX-License-Identifier: MIT
#
# The two commands for a fresh Debian 12 are `make demo` and `make check`: both install what is
# missing. The build itself is Meson's; this file only says how it is used. `make help` lists all.

BUILD  ?= build
PREFIX ?= /usr/local
KERNEL ?= 6.12
KERNELRELEASE ?= $(shell uname -r)
REPEAT ?= 5

# Meson and ninja do their own work in parallel.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := build
.PHONY: help build install demo check check-long format format-check tidy clean deps deps-check \
	module module-check guest check-guest check-debug-kernel deps-guest deps-debug-kernel \
	bench-postgres deps-databases

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

build: deps ## the library, the tool, the man pages, the examples and the tests, into build/
	@test -f $(BUILD)/build.ninja || \
		meson setup --wrap-mode=nofallback --prefix=$(PREFIX) $(BUILD)
	@ninja -C $(BUILD)

install: build ## into PREFIX (/usr/local), below DESTDIR if set
	meson install -C $(BUILD) --no-rebuild
	test -n "$(DESTDIR)" -o "$$(id -u)" -ne 0 || ldconfig

demo: build ## what this machine can do, what page tables cost on it, a database's buffer pool
	@.ci/demo $(BUILD)

check: deps-check ## all tests in all configurations; CONFIGS="gcc asan" runs some of them
	@.ci/check $(CONFIGS)

check-long: deps-check deps-databases ## each test REPEAT (5) times, and all that guests can do; takes hours
	@.ci/check --long $(REPEAT) $(CONFIGS)
	@tests/guest/debian-install
	@tests/guest/debian-postgresql

bench-postgres: build deps-databases deps-guest ## PostgreSQL with and without mshare run; BENCH="--help"
	@tests/bench/bench-postgres --build $(BUILD) --json $(BUILD)/bench-postgres.json \
		--plot $(BUILD)/bench-postgres.svg $(BENCH)
	@echo 'figures and chart: $(BUILD)/bench-postgres.json, $(BUILD)/bench-postgres.svg'

format: deps-check ## lay out the C files
	@.ci/format

format-check: deps-check ## say which C files are not laid out by .clang-format
	@.ci/format --check

module-check: ## checkpatch and sparse on the kernel module, for the kernels of the guests
	@kernel-shim/module/check

tidy: build ## clang-tidy and cppcheck, as far as installed
	@.ci/tidy $(BUILD)

module: ## the kernel module, for KERNELRELEASE (this kernel; or 6.1, 6.12: those of the guests)
	@tests/guest/module $(KERNELRELEASE)

guest: build deps-guest ## a shell in a guest with the kernel KERNEL (6.12)
	@MSHARE_BUILD=$(abspath $(BUILD)) tests/guest/run --kernel $(KERNEL) --shell

check-guest: build deps-guest ## the tests of the guests alone, on both kernels
	@meson test -C $(BUILD) --suite guest --print-errorlogs

check-debug-kernel: build deps-debug-kernel ## the same on kernels that look for mistakes; an hour
	@MSHARE_BUILD=$(abspath $(BUILD)) tests/guest/suite --kernel debug-6.1 --nodes 2 --timeout 14400
	@MSHARE_BUILD=$(abspath $(BUILD)) tests/guest/suite --kernel debug-6.12 --nodes 2 --timeout 14400

clean: ## remove what was built
	rm -rf $(BUILD) build-check

deps:
	@.ci/install-deps build

deps-check:
	@.ci/install-deps check

deps-guest:
	@.ci/install-deps guest

deps-databases:
	@.ci/install-deps databases

deps-debug-kernel:
	@.ci/install-deps debug-kernel
