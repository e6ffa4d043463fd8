# For the Makefile of a plugin in C:
#
#   SICKBAY_SDK ?= sickbay
#   include $(SICKBAY_SDK)/plugin.mk
#
# `make test` runs `test_*.c` natively on a scripted host, with the sanitizers. `make module` compiles the plugin to WebAssembly and leaves out
# the last step, its component type (README.md, "Building"); `sickbay build` takes that too. What the plugin is called and made of stands in
# plugin.toml. Everything goes into the folder `build`, what is of the SDK into the one beside this file.

sdk := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
build ?= build
sdk_build ?= $(sdk)/build
name := $(or $(name),$(shell sed -n 's/^name *= *"\(.*\)".*/\1/p' plugin.toml))
sources := $(or $(sources),$(shell sed -n 's/^sources *= *\[\(.*\)\].*/\1/p' plugin.toml | tr -d '",'))
sdk_sources := $(wildcard $(sdk)/src/*.c)
sdk_headers := $(wildcard $(sdk)/include/sickbay/*.h $(sdk)/src/*.h $(sdk)/testing/*.h)
WARNINGS ?= -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes

# Natively: any C compiler. `make test SANITIZE=` where the sanitizers are not installed.
SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=all
native_flags := -std=c11 -g -O1 -ffp-contract=off $(WARNINGS) $(SANITIZE) -I $(sdk)/include $(CFLAGS)
native_objects := $(patsubst $(sdk)/%.c,$(sdk_build)/%.o,$(sdk_sources) $(wildcard $(sdk)/testing/*.c))
tests := $(patsubst %.c,$(abspath $(build))/%,$(wildcard test_*.c))

# WebAssembly: clang 14 or newer with its wasm-ld.
first_of = $(firstword $(foreach program,$(1) $(addprefix $(1)-,21 20 19 18 17 16 15 14),$(shell command -v $(program))))
CLANG ?= $(or $(call first_of,clang),clang)
WASM_LD ?= $(or $(call first_of,wasm-ld),wasm-ld)
wasm_flags := --target=wasm32-unknown-unknown -std=c11 -Os -ffreestanding -mbulk-memory -fvisibility=hidden $(WARNINGS) \
	-I $(sdk)/include
# The stack comes first in memory, so that it traps where it overflows; nothing stays but what is exported.
wasm_link_flags := -nostdlib -fuse-ld=$(WASM_LD) -Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=65536 -Wl,--strip-debug

.PHONY: all test module clean
.SECONDARY:
all: test module

test: $(tests)
	@for test in $^; do echo "$$(basename $$test)"; $$test || exit 1; done

$(abspath $(build))/test_%: test_%.c $(sources) $(wildcard *.h) $(native_objects) $(sdk_headers)
	@mkdir -p $(@D)
	$(CC) $(native_flags) $< $(sources) $(native_objects) -lm -o $@

$(sdk_build)/%.o: $(sdk)/%.c $(sdk_headers)
	@mkdir -p $(@D)
	$(CC) $(native_flags) -c $< -o $@

module: $(build)/$(name).core.wasm

$(build)/$(name).core.wasm: $(sources) $(sdk_sources) $(sdk_headers) plugin.toml
	@mkdir -p $(@D)
	$(CLANG) $(wasm_flags) $(sources) $(sdk_sources) $(wasm_link_flags) -o $@

clean:
	rm -rf $(build)
