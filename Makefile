# A front door: each target is one command that can be typed by hand. CMake builds, ctest tests.
ROCFORGE := build/release/bin/rocforge
QUESTION ?= What is the capital of France?

.DEFAULT_GOAL := help
.PHONY: help deps build demo test lint format clean

help:
	@echo "make demo     build, fetch a small chat model, ask it a question (QUESTION=...)"
	@echo "make build    build/release/bin/rocforge"
	@echo "make test     everything: tests, sanitizers, fuzzing, format, lint (tools/test.sh -h)"
	@echo "make lint     clang-format and clang-tidy (where installed), include and size rules"
	@echo "make format   clang-format all sources in place"
	@echo "make deps     install the packages that all of this needs"
	@echo "make clean    remove build/"

deps:
	@tools/deps.sh test

build:
	@tools/deps.sh build
	@test -f build/release/build.ninja || cmake --preset release -DROCFORGE_TESTS=OFF
	@cmake --build build/release --target rocforge

demo: build
	@$(ROCFORGE) pull smollm2 >/dev/null
	$(ROCFORGE) generate -m smollm2 -p "$(QUESTION)" --max-tokens 64 --temperature 0

test:
	@tools/test.sh

lint:
	@tools/test.sh format tidy rules

format:
	@tools/format.sh

clean:
	rm -rf build
