# SPDX-License-Identifier: MIT
#
# The two commands for a fresh Debian 12 are `make demo` and `make check`: both install what is
# missing. The build itself is Meson's; this file only says how it is used. `make help` lists all.

BUILD  ?= build
PREFIX ?= /usr/local
REPEAT ?= 20

# Meson and ninja do their own work in parallel.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := build
.PHONY: help build install demo check check-long format format-check tidy module-check clean deps \
	deps-check

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

check-long: deps-check ## the same, each test REPEAT (20) times, to find races
	@.ci/check --repeat $(REPEAT) $(CONFIGS)

format: deps-check ## lay out the C files
	@.ci/format

format-check: deps-check ## say which C files are not laid out by .clang-format
	@.ci/format --check

module-check: ## checkpatch and sparse on the kernel module, for the kernels of the guests
	@kernel-shim/module/check

tidy: build ## clang-tidy and cppcheck, as far as installed
	@.ci/tidy $(BUILD)

clean: ## remove what was built
	rm -rf $(BUILD) build-check

deps:
	@.ci/install-deps build

deps-check:
	@.ci/install-deps check
