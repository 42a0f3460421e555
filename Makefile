# Moongate: `make run` serves, `make test` proves, `make help` says the rest.
#
# One file for the whole build, plain make and pkg-config, nothing to configure. Each profile builds into
# build/<profile>/ and keeps its own objects; a change of flags rebuilds them. Source files are found by
# looking: a new core/<floor>/<module>.c is built, its <module>_test.c is run, its <module>_fuzz.c is fuzzed.

PROFILE ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
FUZZ_CC ?= clang-14
SECONDS ?= 60

VERSION := 0.1.0
COMMIT  := $(shell git rev-parse --short=10 HEAD 2>/dev/null || echo unknown)
BUILD   := build/$(PROFILE)
GEN     := $(BUILD)/gen
BINARY  := $(BUILD)/moongate
FLOORS  := $(shell awk '!/^\#/ && NF {print $$1}' core/FLOORS)

# All processors, unless this make was started by another one that shares its own.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory

# ---------------------------------------------------------------- flags
# pkg-config is asked when the first file is compiled, and once: before that it may not be installed yet.
PKGS       := luajit libcares libpcre2-8 openssl zlib
PKG_CFLAGS  = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)) -lev -lpthread -ldl -lm)$(PKG_LIBS)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wformat=2 -Wconversion \
        -Wno-sign-conversion -Wpointer-arith -Wcast-qual -Wwrite-strings -Werror
# -fno-strict-aliasing: libev asks for it. -funwind-tables -fexceptions: Lua errors cross C frames.
BASE_FLAGS := -std=gnu11 -D_GNU_SOURCE -g -fno-strict-aliasing -funwind-tables -fexceptions -fPIE -pthread \
              -fstack-protector-strong -Icore -I$(GEN)
ifeq ($(shell uname -m),x86_64)
BASE_FLAGS += -fcf-protection
endif
SANITIZE      := -O1 -DMG_FAULTS -fno-omit-frame-pointer
release_FLAGS := -O2 -D_FORTIFY_SOURCE=2 -fstack-clash-protection -fno-plt
debug_FLAGS   := -O0 -DMG_FAULTS
asan_FLAGS    := $(SANITIZE) -fsanitize=address,undefined -fno-sanitize-recover=undefined
tsan_FLAGS    := $(SANITIZE) -fsanitize=thread
cov_FLAGS     := -O0 -DMG_FAULTS --coverage
# clang is there for its fuzzer; what it would say about the code is left to gcc.
fuzz_FLAGS    := -w $(SANITIZE) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ifeq ($(filter $(PROFILE),release debug asan tsan cov fuzz),)
$(error there is no profile '$(PROFILE)'; there are: release debug asan tsan cov)
endif

COMPILE_FLAGS = $(BASE_FLAGS) $(WARN) $($(PROFILE)_FLAGS) -DMG_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CFLAGS)
LINK_FLAGS    = $($(PROFILE)_FLAGS) -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)

# ---------------------------------------------------------------- files
MAIN      := core/cli/main.c
sources_of = $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard core/$(1)/*.c)))
objects_of = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAIN),$(call sources_of,$(1))))
upto       = $(shell echo $(FLOORS) | tr ' ' '\n' | sed '/^$(1)$$/q')
floor_of   = $(word 2,$(subst /, ,$(1)))

SOURCES   := $(foreach f,$(FLOORS),$(call sources_of,$(f)))
OBJECTS   := $(SOURCES:%.c=$(BUILD)/%.o)
TESTS     := $(foreach f,$(FLOORS),$(sort $(wildcard core/$(f)/*_test.c)))
TEST_BINS := $(TESTS:%.c=$(BUILD)/%)
FUZZERS   := $(foreach f,$(FLOORS),$(patsubst core/%_fuzz.c,fuzz/%,$(sort $(wildcard core/$(f)/*_fuzz.c))))

# What tools/gen-api makes of core/script/api.h. Its rules are in tools/generated.mk, which adds the files to
# GENERATED; one of them is the list of functions that Lua may find in the program.
GENERATED :=
EXPORTS   := $(GEN)/script_exports.list
EXPORT    := -Wl,--dynamic-list=$(EXPORTS)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all build run deps test check lint floors objects unit spec t asan tsan valgrind cov bench \
        bench-peers soak fuzz $(FUZZERS) format tidy install uninstall dist clean help FORCE

# ---------------------------------------------------------------- building
all: deps ## install what is missing and build build/$(PROFILE)/moongate
	@+$(MAKE) build

build: $(BINARY) ## build, installing nothing

run: all ## build and serve conf/moongate.lua, the annotated demo
	@exec $(BINARY) run -c conf/moongate.lua

deps: ## install what building needs (Debian packages, only those that are missing)
	@tools/deps build

-include $(wildcard tools/generated.mk)

# The flags as they were when the objects were made: written only when they differ.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(subst ','"'"',$(COMPILE_FLAGS))' | cmp -s - $@ || echo '$(CC) $(subst ','"'"',$(COMPILE_FLAGS))' >$@
$(BUILD)/commit: FORCE
	@mkdir -p $(@D)
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' >$@

$(BUILD)/core/%.o: core/%.c $(BUILD)/flags | $(GENERATED)
	@mkdir -p $(@D)
	@$(CC) $(COMPILE_FLAGS) $(ONLY_HERE) -MMD -MP -c $< -o $@

# Only the commands say which commit they are; nothing else is rebuilt when there is a new one.
$(BUILD)/core/cli/%.o: ONLY_HERE = -DMG_COMMIT='"$(COMMIT)"' -DMG_PROFILE='"$(PROFILE)"'
$(filter $(BUILD)/core/cli/%,$(OBJECTS)): $(BUILD)/commit

# Moved into place when it is whole, so that what is running or being tested never sees half of it.
$(BINARY): $(OBJECTS) $(GENERATED)
	@$(CC) $(LINK_FLAGS) $(OBJECTS) $(if $(filter $(EXPORTS),$(GENERATED)),$(EXPORT)) -o $@.new $(PKG_LIBS)
	@mv $@.new $@
	@echo "built $@"

# A C unit test links its own floor and those below, nothing above: the third proof of the floors.
define test_rule
$(1:%.c=$(BUILD)/%): $(1:%.c=$(BUILD)/%.o) $(foreach f,$(call upto,$(call floor_of,$(1))),$(call objects_of,$(f)))
	@$$(CC) $$(LINK_FLAGS) $$(filter %.o,$$^) -o $$@ $$(PKG_LIBS)
endef
$(foreach t,$(TESTS),$(eval $(call test_rule,$(t))))
objects: $(OBJECTS)

-include $(OBJECTS:.o=.d) $(TESTS:%.c=$(BUILD)/%.d)

# ---------------------------------------------------------------- proving
# tools/run-tests runs the stages one after the other, all of them whatever fails, and ends with the line
# "N passed, N failed". ONLY=part-of-a-path narrows what unit, spec and t run.
STAGES = +@MAKE='$(MAKE)' PROFILE=$(PROFILE) ONLY='$(ONLY)' tools/run-tests

test: ## install what tests need, build, then: lint floors unit spec t
	$(STAGES) deps build lint floors unit spec t
check: ## the same without installing anything
	$(STAGES) build lint floors unit spec t
lint: ## luacheck, and the shell scripts' syntax
	$(STAGES) lint
floors: ## that no file reaches for a floor above its own
	$(STAGES) floors
unit: ## C unit tests [ONLY=codec/h1]
	$(STAGES) unit
spec: ## Lua unit tests and the house's own rules [ONLY=config]
	$(STAGES) spec
t: ## tests of the whole proxy [ONLY=t/http]
	$(STAGES) build t
asan: ## unit and t with the address and undefined-behaviour sanitizers
	@+$(MAKE) PROFILE=asan sanitized
tsan: ## unit and t with the thread sanitizer
	@+$(MAKE) PROFILE=tsan sanitized
.PHONY: sanitized
sanitized:
	$(STAGES) build unit t
valgrind: ## unit under valgrind
	@tools/deps tools
	+@MAKE='$(MAKE)' PROFILE=debug ONLY='$(ONLY)' UNDER="valgrind -q --error-exitcode=9 --leak-check=full" tools/run-tests unit
cov: ## unit, spec and t, then how much of each file they ran
	@rm -rf build/cov/core && mkdir -p build/cov
	-+@MAKE='$(MAKE)' PROFILE=cov ONLY='$(ONLY)' tools/run-tests build unit t
	@tools/coverage build/cov

fuzz: ## all fuzzers, SECONDS=60 each; or one: make fuzz/codec/h1_head
	@+for f in $(FUZZERS); do $(MAKE) $$f || exit 1; done
$(FUZZERS): fuzz/%:
	@tools/deps build fuzz
	@+$(MAKE) PROFILE=fuzz CC=$(FUZZ_CC) build/fuzz/core/$*_fuzz
	@tools/run-fuzzer $* $(SECONDS)
define fuzz_rule
build/fuzz/$(1:%.c=%): $(1:%.c=build/fuzz/%.o) $(foreach f,$(call upto,$(call floor_of,$(1))),$(call objects_of,$(f)))
	@$$(CC) $$(LINK_FLAGS) -fsanitize=fuzzer $$^ -o $$@ $$(PKG_LIBS)
endef
ifeq ($(PROFILE),fuzz)
$(foreach f,$(FUZZERS),$(eval $(call fuzz_rule,core/$(f:fuzz/%=%)_fuzz.c)))
-include $(FUZZERS:fuzz/%=$(BUILD)/core/%_fuzz.d)
endif

# ---------------------------------------------------------------- measuring
bench: all ## CPU per request and memory per connection, the project alone [ARGS=--quick]
	@tools/deps bench
	@bench/run $(ARGS)
bench-peers: all ## the same workloads beside nginx, HAProxy and others (needs ../shared/bench)
	@test -x ../shared/bench/run || { echo "make bench-peers: ../shared/bench/run is not there" >&2; exit 1; }
	@MOONGATE_BIN=$(CURDIR)/build/release/moongate ../shared/bench/run $(ARGS)
soak: all ## load, reloads and killed workers for SECONDS=60; nothing may fail, nothing may grow
	@tools/deps bench
	@bench/soak $(SECONDS)

# Parts of the core alone: bench/<name>_bench.c is a program that links all of it.
BENCHES := $(patsubst %_bench.c,%,$(sort $(wildcard bench/*_bench.c)))
.PHONY: $(BENCHES)
$(BENCHES): bench/%: $(BUILD)/bench/%_bench
	@$<
$(BUILD)/bench/%.o: bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@$(CC) $(COMPILE_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/bench/%_bench: $(BUILD)/bench/%_bench.o $(OBJECTS)
	@$(CC) $(LINK_FLAGS) $(filter-out $(BUILD)/$(MAIN:.c=.o),$^) -o $@ $(PKG_LIBS)
-include $(wildcard $(BUILD)/bench/*.d)

# ---------------------------------------------------------------- keeping
format: ## clang-format over core/
	@tools/deps tools
	@clang-format -i $(wildcard core/*/*.[ch])
tidy: ## clang-tidy over core/ [ONLY=codec/]
	@tools/deps build tools
	@clang-tidy --quiet $(foreach s,$(SOURCES),$(if $(findstring $(ONLY),$(s)),$(s))) -- $(filter-out -fcf-protection,$(BASE_FLAGS)) $(PKG_CFLAGS)

SHARE = $(DESTDIR)$(PREFIX)/share
install: all ## [DESTDIR= PREFIX=/usr/local]
	@install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/moongate
	@cd lua && find . -name '*.lua' -exec install -D -m 644 {} $(abspath $(SHARE))/moongate/lua/{} \;
	@cd conf && find . \( -name '*.lua' -o -path './scaffold/*' -type f \) -exec install -D -m 644 {} $(abspath $(SHARE))/moongate/conf/{} \;
	@install -d $(SHARE)/doc/moongate $(DESTDIR)$(PREFIX)/lib/systemd/system
	@install -m 644 $(wildcard README.md CHANGES.md docs/*.md) $(SHARE)/doc/moongate/
	@sed 's|@PREFIX@|$(PREFIX)|g' conf/moongate.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/moongate.service
	@echo "installed in $(DESTDIR)$(PREFIX)"
uninstall: ## removes what install put there
	@rm -rf $(SHARE)/moongate $(SHARE)/doc/moongate
	@rm -f $(DESTDIR)$(PREFIX)/bin/moongate $(DESTDIR)$(PREFIX)/lib/systemd/system/moongate.service

dist: ## build/moongate-$(VERSION).tar.gz from the last commit
	@mkdir -p build
	@git archive --format=tar.gz --prefix=moongate-$(VERSION)/ -o build/moongate-$(VERSION).tar.gz HEAD
	@echo "wrote build/moongate-$(VERSION).tar.gz"

clean: ## remove build/
	@rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile $(wildcard tools/generated.mk) \
		| sed 's|\$$(PROFILE)|$(PROFILE)|; s|\$$(VERSION)|$(VERSION)|'
	@$(if $(BENCHES),echo "  make $(firstword $(BENCHES))  one part of the core alone; there are: $(BENCHES)")
	@echo "  profiles: make PROFILE=release (the default), debug, asan, tsan, cov; each in build/<profile>/"
