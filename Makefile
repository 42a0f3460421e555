# Moongate: `make run` serves, `make test` proves, `make help` says the rest.
PROFILE ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   := build/$(PROFILE)
CC      ?= gcc
FUZZ_CC ?= clang-14
SECONDS ?= 60

FLOORS  := $(shell awk '!/^\#/ && NF {print $$1}' core/FLOORS)
VERSION := 0.1.0
COMMIT  := $(shell git rev-parse --short=10 HEAD 2>/dev/null || echo unknown)

PKGS    := luajit libcares libpcre2-8 openssl zlib
# Asked for late, so that `make deps` can run on a machine that has none of them yet.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs luajit libcares libpcre2-8 zlib 2>/dev/null) -lev

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wformat=2 \
           -Wconversion -Wno-sign-conversion -Wpointer-arith -Wcast-qual -Wwrite-strings -Werror
BASE_FLAGS := -std=gnu11 -D_GNU_SOURCE -g -fno-strict-aliasing -funwind-tables -fexceptions \
           -fstack-protector-strong -fPIE -Icore -I$(BUILD)/gen $(WARN)
release_FLAGS := -O2 -D_FORTIFY_SOURCE=2 -fno-plt
debug_FLAGS   := -O0 -DMG_FAULTS
asan_FLAGS    := -O1 -DMG_FAULTS -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
tsan_FLAGS    := -O1 -DMG_FAULTS -fsanitize=thread -fno-omit-frame-pointer
cov_FLAGS     := -O0 -DMG_FAULTS --coverage
ALL_CFLAGS = $(BASE_FLAGS) $($(PROFILE)_FLAGS) $(PKG_CFLAGS) $(CFLAGS)
LINK_FLAGS = $($(PROFILE)_FLAGS) -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)

SOURCES   := $(foreach f,$(FLOORS),$(filter-out %_test.c %_fuzz.c,$(wildcard core/$(f)/*.c)))
OBJECTS   := $(SOURCES:%.c=$(BUILD)/%.o)
TESTS     := $(foreach f,$(FLOORS),$(wildcard core/$(f)/*_test.c))
TEST_BINS := $(TESTS:%.c=$(BUILD)/%)
FUZZERS   := $(patsubst core/%_fuzz.c,fuzz/%,$(wildcard core/*/*_fuzz.c))
GENERATED := $(BUILD)/gen/script_api_ffi.h $(BUILD)/gen/exports.list
BINARY    := $(BUILD)/moongate

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all build run test check deps test-deps lint floors unit spec t asan tsan cov valgrind bench soak format install clean help

all: deps build ## install what is missing and build

build: $(BINARY)

help: ## this list
	@awk -F ':.*## ' '/^[a-z%\/ -]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  make fuzz/FLOOR/MODULE [SECONDS=60]   run one fuzzer; make fuzz: all of them"
	@echo "  profiles: make PROFILE=release|debug|asan|tsan|cov"

deps: ## install what building and running need (Debian packages)
	@tools/deps build
test-deps: deps
	@tools/deps test

run: all ## build and serve conf/moongate.lua
	@exec $(BINARY) run -c conf/moongate.lua

-include tools/generated.mk

$(BUILD)/core/%.o: core/%.c
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -DMG_VERSION='"$(VERSION)"' -MMD -MP -c $< -o $@

$(BINARY): $(OBJECTS) $(GENERATED)
	@$(CC) $(LINK_FLAGS) $(OBJECTS) $(if $(wildcard $(BUILD)/gen/exports.list),-Wl,--dynamic-list=$(BUILD)/gen/exports.list) -o $@ $(PKG_LIBS) -lssl -lcrypto -lpthread -ldl -lm
	@echo "built $@"

# A C unit test links its own floor and those below, nothing above: the third proof of the floors.
upto = $(shell echo $(FLOORS) | tr ' ' '\n' | sed '/^$(1)$$/q')
floor_of = $(word 2,$(subst /, ,$(1)))
define test_rule
$(BUILD)/$(1:%.c=%): $(1:%.c=$(BUILD)/%.o) $(foreach f,$(call upto,$(call floor_of,$(1))),$(patsubst %.c,$(BUILD)/%.o,$(filter-out %_test.c %_fuzz.c,$(wildcard core/$(f)/*.c))))
	@$$(CC) $$(LINK_FLAGS) $$^ -o $$@ $$(PKG_LIBS) -lssl -lcrypto -lpthread -ldl -lm
endef
$(foreach t,$(TESTS),$(eval $(call test_rule,$(t))))
-include $(OBJECTS:.o=.d) $(TESTS:%.c=$(BUILD)/%.d)
