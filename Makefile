# spool: one Makefile. `make help` lists what it does.
VERSION := 0.1.0
FLAVOUR ?= release
CC ?= gcc
B := build/$(FLAVOUR)
BIN := $(if $(filter release,$(FLAVOUR)),build/spool,$(B)/spool)
Q := $(if $(V),,@)

PKGS := libevent_core libevent_pthreads libcurl sqlite3 jansson libcrypto libzstd zlib inih
CPPFLAGS += -I. -D_GNU_SOURCE -DSPOOL_VERSION='"$(VERSION)"'
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual \
	-Wpointer-arith -Wvla -Wundef -Wformat=2 -Wswitch-enum -Wno-missing-field-initializers $(if $(CI),-Werror)
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
CFLAGS_coverage := -O0 -g --coverage
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
LDFLAGS_coverage := --coverage
ifeq ($(FLAVOUR),fuzz)
CC := clang
endif
ALL_CFLAGS = -std=c11 -fPIE -pthread $(WARN) $(CFLAGS_$(FLAVOUR)) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(LDFLAGS_$(FLAVOUR)) $(LDFLAGS)
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS = $(shell pkg-config --libs $(PKGS)) -lwslay

ROOMS := store/base store worker server server/cmd
SRC := $(wildcard $(ROOMS:%=%/*.c))
HDR := $(wildcard $(ROOMS:%=%/*.h))
OBJ := $(SRC:%.c=$(B)/%.o)
SQL := $(sort $(wildcard schema/*/*.sql))

# A room is an archive; what links with it sees the floors below, no more.
BASE := $(B)/base.a
STORE := $(B)/store.a $(BASE)
WORKER := $(B)/worker.a $(STORE)
SERVER := $(B)/server.a $(WORKER)

TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*/*_test.c tests/contract/*_test.c tests/fault/*_test.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*.c))
PRELOADS := $(patsubst tests/tools/%_preload.c,$(B)/tests/%.so,$(wildcard tests/tools/*_preload.c))
TOOLS := $(patsubst tests/tools/%.c,$(B)/tests/%,$(filter-out %_preload.c,$(wildcard tests/tools/*.c)))
BENCH := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bench/*.c))
BENCHES := spool_bench prune_bench http_load
SIM := $(patsubst %.c,$(B)/%.o,$(wildcard tests/sim/*.c))

all: $(BIN) build/tests/transcripts ## build build/spool (and build/tests/transcripts)
$(BIN): $(B)/server/main.o $(SERVER)
	@echo "  LD   $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/base.a: $(patsubst %.c,$(B)/%.o,$(wildcard store/base/*.c))
$(B)/store.a: $(patsubst %.c,$(B)/%.o,$(wildcard store/*.c)) $(B)/schema.o
$(B)/worker.a: $(patsubst %.c,$(B)/%.o,$(wildcard worker/*.c))
$(B)/server.a: $(patsubst %.c,$(B)/%.o,$(filter-out server/main.c,$(wildcard server/*.c server/cmd/*.c)))
$(B)/%.a:
	@mkdir -p $(@D); rm -f $@
	$(Q)ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D); echo "  CC   $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/schema.c: $(SQL) scripts/embed
	@mkdir -p $(@D)
	$(Q)scripts/embed $(SQL) > $@
$(B)/schema.o: $(B)/schema.c
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# A test links its own floor and those below: a wrong arrow fails to link.
$(filter $(B)/tests/unit/base/%,$(TESTS)): $(BASE)
$(filter $(B)/tests/unit/store/% $(B)/tests/contract/engine%,$(TESTS)): $(STORE)
$(filter $(B)/tests/unit/worker/% $(B)/tests/contract/dialect%,$(TESTS)): $(WORKER)
$(filter $(B)/tests/unit/server/% $(B)/tests/contract/front% $(B)/tests/fault/%,$(TESTS)): $(SERVER)
$(TOOLS) $(FUZZERS): $(SERVER)
$(TESTS): $(B)/tests/%: tests/%.c
	@mkdir -p $(@D); echo "  TEST $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(filter %.a,$^) $(LIBS) -lcmocka
$(TOOLS): $(B)/tests/%: tests/tools/%.c
	@mkdir -p $(@D); echo "  TOOL $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(filter %.a,$^) $(LIBS)
$(PRELOADS): $(B)/tests/%.so: tests/tools/%_preload.c
	@mkdir -p $(@D); echo "  TOOL $<"
	$(Q)$(CC) -std=c11 -O2 -g -fPIC -shared $(WARN) -D_GNU_SOURCE -o $@ $< -ldl
$(FUZZERS): $(B)/fuzz/%: tests/fuzz/%.c
	@mkdir -p $(@D); echo "  FUZZ $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(filter %.a,$^) $(LIBS)

$(BENCHES:%=$(B)/tests/%): $(B)/tests/%: $(B)/tests/bench/%.o \
		$(filter-out $(BENCHES:%=$(B)/tests/bench/%.o),$(BENCH)) $(STORE)
	@echo "  LD   $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lm

# Allocations of ours go through the test, which lets them fail.
WRAPS := malloc calloc realloc reallocarray strdup strndup realpath asprintf __asprintf_chk
$(filter $(B)/tests/fault/malloc%,$(TESTS)): LDFLAGS += $(WRAPS:%=-Wl,--wrap=%)

# Its own network comes first, so that the worker's is not linked.
$(B)/tests/sim/simulation_test: $(SIM) $(WORKER)
	@echo "  LD   $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

build/tests/%: $(B)/tests/%
	@mkdir -p $(@D); ln -sfn ../$(FLAVOUR)/tests/$* $@
tools: $(TOOLS) $(PRELOADS)

demo: setup ## install what is missing, build, stream one answer, stop
	$(Q)$(MAKE) --no-print-directory -j$$(nproc 2>/dev/null || echo 2) all
	$(Q)scripts/demo
test: setup ## install what is missing, build, run every test; ends with the count
	$(Q)scripts/test
check: $(TESTS) $(B)/tests/sim/simulation_test tools ## unit, contract and fault tests of this FLAVOUR
	$(Q)scripts/check $(B)
check-system: all tools ## the real binary, end to end
	$(Q)$(MAKE) --no-print-directory FLAVOUR=asan build/asan/spool
	$(Q)scripts/check-system
soak: all tools $(TESTS) $(B)/tests/sim/simulation_test ## hours of faults; PARTS="system/kill ..." for some of them
	$(Q)$(MAKE) --no-print-directory FLAVOUR=asan build/asan/spool
	$(Q)scripts/soak $(PARTS)
fuzz: ## each fuzz target for FUZZ_SECONDS (60)
	$(Q)scripts/fuzz $(or $(FUZZ_SECONDS),60)
fuzzers: $(FUZZERS)
bench: all build/tests/spool_bench ## what the server costs: each window 20 s
	$(Q)build/tests/spool_bench -p -s 20
bench-quick: all build/tests/spool_bench ## the same in about a minute
	$(Q)build/tests/spool_bench -p
bench-peers: all build/tests/http_load ## side by side with what people would pick instead
	$(Q)[ -d tests/bench/peers/node_modules ] || (cd tests/bench/peers && npm_config_nodedir=/usr npm ci --no-audit --no-fund)
	$(Q)node tests/bench/peers/compare.mjs build/bench
bench-prune: build/tests/prune_bench ## what writers notice while a store is cleaned
	$(Q)build/tests/prune_bench
lint: $(OBJ) ## layers, names, headers alone, banned functions, SQL in its place, format
	$(Q)scripts/lint $(OBJ)
format: ## put every C file into the house's form
	$(Q)clang-format -i $(SRC) $(HDR) $(wildcard tests/*/*.[ch] tests/*/*/*.[ch])
compdb: ## write compile_commands.json
	$(Q)scripts/compdb "$(CC) $(ALL_CFLAGS)" $(SRC) > compile_commands.json
setup: ## install missing packages (apt, npm), check that they are patched
	$(Q)scripts/setup
install: INTO = $(or $(PREFIX),/usr/local)
man: all ## write the manual pages to build/man
	$(Q)mkdir -p build/man
	$(Q)$(BIN) help --man > build/man/spool.1
	$(Q)for c in $$(sed -n 's/^\.BR spool\\-\([a-z]*\) .*/\1/p' build/man/spool.1); do \
		$(BIN) help --man $$c > build/man/spool-$$c.1 || exit 1; done
install: all man ## install into $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BIN) $(DESTDIR)$(INTO)/bin/spool
	install -d $(DESTDIR)$(INTO)/share/man/man1
	install -m 644 build/man/*.1 $(DESTDIR)$(INTO)/share/man/man1
	$(BIN) completion bash | install -D -m 644 /dev/stdin $(DESTDIR)$(INTO)/share/bash-completion/completions/spool
	$(BIN) completion zsh | install -D -m 644 /dev/stdin $(DESTDIR)$(INTO)/share/zsh/site-functions/_spool
	$(BIN) completion fish | install -D -m 644 /dev/stdin $(DESTDIR)$(INTO)/share/fish/vendor_completions.d/spool.fish
clean: ## remove everything that was built
	rm -rf build compile_commands.json
help: ## this list; flavours: make FLAVOUR=asan|tsan|coverage check
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: all tools demo test check check-system soak fuzz fuzzers bench bench-quick bench-peers bench-prune lint format compdb setup man install clean help
.SECONDARY:
-include $(OBJ:.o=.d) $(TESTS:=.d) $(TOOLS:=.d) $(BENCH:.o=.d) $(SIM:.o=.d)
