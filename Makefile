# Thin on purpose: CMake and Ninja do the work in build/.
#   make demo     install what is missing, build, and run the main job on built-in data
#   make test     every test but the sanitizer builds (.ci/run adds those)
BUILD  ?= build
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)

.PHONY: all program demo test bench fuzz deps install check accept study clean help

# Says that it builds only where there is much to build; ninja's words go to a log.
define build
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_INSTALL_PREFIX=$(PREFIX) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@[ -e $(BUILD)/$(2) ] || echo "building $(1): minutes the first time (tail -f $(BUILD).log shows how far)" >&2
	@ninja -C $(BUILD) -j $(JOBS) $(3) >>$(BUILD).log 2>&1 || { tail -n 40 $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
endef

all: deps
	$(call build,the program and its tests,tests,all)

program: deps
	$(call build,the program,tailor,tailor)

demo: program
	@$(BUILD)/tailor demo
	@echo "program  $(BUILD)/tailor is \`tailor\` here; \`make install\` puts it on the path (PREFIX=$(PREFIX))"

test: all
	@tools/run-tests $(BUILD)

# Speed beside PyTorch in one run where Python has it; alone otherwise.
bench: all
	@tools/bench/side-by-side $(BUILD)

# FUZZ_SECONDS a target; needs clang.
fuzz: deps
	@tools/fuzz $(or $(FUZZ_SECONDS),60)

# Every "done when" line of the first issue, resumable.
accept: all
	@tools/accept $(BUILD)

# Every run of every route on small real cells, then verdicts replayed on them (docs/study.md): half an hour of
# one core the first time, resumable; needs TAILOR_DATA, and TAILOR_STUDY_TEXT_BASE for its cells of texts.
study: all
	@tools/study/study $(BUILD) $(or $(STUDY),$(BUILD)/study) record
	@tools/study/study $(BUILD) $(or $(STUDY),$(BUILD)/study) time
	@tools/study/study $(BUILD) $(or $(STUDY),$(BUILD)/study) tables

check:
	@tools/check-floors && tools/check-limits && tools/check-format

deps:
	@tools/deps

install: program
	@cmake --install $(BUILD) >/dev/null && echo "installed under $(PREFIX)"

clean:
	@rm -rf build build-*

help:
	@sed -n 's/^# *\(make .*\)/\1/p' Makefile
