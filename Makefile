# The book, from a fresh machine to a page: `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:

PROFILE ?= smoke
PYTHON ?= python3
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
VENV := .venv
BIN := $(VENV)/bin
BUILD := build/$(PROFILE)

ifeq ($(filter smoke full,$(PROFILE)),)
$(error PROFILE=$(PROFILE): expected smoke or full)
endif

# Notebooks run side by side, one thread each: on few cores that is faster, and a page's outputs do not depend on
# how many there are.
export OMP_NUM_THREADS := 1
export MPLBACKEND := agg
export PYDEVD_DISABLE_FILE_VALIDATION := 1
ifdef SHARED_WEIGHTS_DATA  # notebooks run in folders of their own, so a relative path would get lost
export SHARED_WEIGHTS_DATA := $(abspath $(SHARED_WEIGHTS_DATA))
endif

# The notebooks of the table of contents: one that is not in it is a draft.
NOTEBOOKS := $(wildcard $(patsubst %,book/%.py,$(shell sed -n 's/.*- file: *//p' book/_toc.yml)))
EXECUTED := $(NOTEBOOKS:book/%.py=$(BUILD)/executed/%.ipynb)
PAGES := $(wildcard book/*.* book/*/*.md book/_static/*)

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the environment ---

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "The book needs Python 3.11 or newer, and $(PYTHON) is older or missing: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.PHONY: install
install: $(VENV)/installed  ## create .venv and install what the book needs

requirements.txt: requirements.in
.PHONY: requirements
requirements:  ## compile requirements.in to requirements.txt, pinned for every platform (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements.in --output-file requirements.txt

# --- the book ---

.PHONY: book
book: $(VENV)/installed  ## execute every notebook and build the pages (PROFILE=smoke or full)
	@$(MAKE) --no-print-directory -j$(JOBS) $(EXECUTED)
	@$(MAKE) --no-print-directory $(BUILD)/html/index.html
	@echo "The book is at $(BUILD)/html/index.html"

# A page is remade when its notebook, the shared helpers, its part's helpers or a record that it reads has changed.
.SECONDEXPANSION:
$(BUILD)/executed/%.ipynb: book/%.py $(wildcard src/helpers/*.py) \
		$$(wildcard src/helpers/$$(*D)/*.py src/helpers/$$(*D)/*/*.py) tools/execute.py tools/notebooks.py requirements.txt
	@echo "executing $< ($(PROFILE))"
	@$(BIN)/python tools/execute.py $< $@ $(PROFILE)
-include $(EXECUTED:.ipynb=.d)

# The appendix and the experiments are no parts with helpers of their own: they use those of all.
$(filter $(BUILD)/executed/appendix/% $(BUILD)/executed/experiments/%,$(EXECUTED)): \
		$(wildcard src/helpers/*/*.py src/helpers/*/*/*.py)

# Experiments are pages too, made in smoke whatever the profile: only `make rerun` trains in full.
$(BUILD)/executed/experiments/%.ipynb: override PROFILE := smoke

# What is under html/ is always one complete build: sphinx writes beside it, from a clean slate (an incremental
# build would return 0 on the warnings of the one before), and only a build without warnings takes its place.
$(BUILD)/html/index.html: $(EXECUTED) $(PAGES) $(wildcard records/*/*.json) tools/stage.py tools/tidy.py
	@$(BIN)/python tools/stage.py $(BUILD)/executed $(BUILD)/src $(PROFILE)
	@rm -rf $(BUILD)/site
	@$(BIN)/jupyter-book build $(BUILD)/src --path-output $(BUILD)/site -W -n --keep-going -q > /dev/null
	@$(BIN)/python tools/tidy.py $(BUILD)/site/_build/html
	@touch $(BUILD)/site/_build/html/index.html
	@rm -rf $(BUILD)/html && mv $(BUILD)/site/_build/html $(BUILD)/html && rm -rf $(BUILD)/site

.PHONY: exercises
exercises: $(VENV)/installed  ## write notebooks without the solutions to exercises/, yours to work in
	@$(BIN)/python tools/exercises.py exercises

.PHONY: lab
lab: exercises  ## open the exercises in JupyterLab
	$(BIN)/jupyter lab --notebook-dir exercises

.PHONY: reference $(NOTEBOOKS:book/%.py=reference/%)
reference: $(VENV)/installed  ## regenerate the committed, executed .ipynb of every notebook
	@$(MAKE) --no-print-directory -j$(JOBS) $(NOTEBOOKS:book/%.py=reference/%)
$(NOTEBOOKS:book/%.py=reference/%): reference/%: book/%.py
	@echo "executing $< (reference)"
	@$(BIN)/python tools/reference.py $<

.PHONY: benchmark
benchmark: $(VENV)/installed  ## time what the chapters compare and write records/benchmarks/ (leave the machine alone)
	@for script in tools/benchmarks/*.py; do echo "$$script"; $(BIN)/python "$$script"; done

# --- the experiments: training in full ---

# One target a run, so that make does what is missing, side by side, and goes on when one fails. A run trains for
# hours and is not remade because a file is newer: delete its record to have it anew.
.PHONY: rerun $(RUNS)
rerun: $(VENV)/installed  ## make the missing records of an experiment, JOBS runs of THREADS threads at a time: EXPERIMENT=qm9
	@runs=$$($(BIN)/python tools/rerun.py --list "$(EXPERIMENT)"); \
		if [ -z "$$runs" ]; then echo "Every run of $(EXPERIMENT) has its record: delete one to have it made anew."; \
		else $(MAKE) --no-print-directory -k -j$(JOBS) RUNS="$$runs" $$runs; fi

# One thread, unless told otherwise: sums depend on how many there are, and beside other work two are slower than one.
export THREADS ?= 1
$(RUNS): export OMP_NUM_THREADS = $(THREADS)
$(RUNS):
	@$(BIN)/python tools/rerun.py $@

.PHONY: status
status: $(VENV)/installed  ## tell what experiments are done, running, failed or missing, and how long is left
	@$(BIN)/python tools/status.py

# --- the checks ---

.PHONY: lint
lint: $(VENV)/installed  ## check style and format
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "make format mends the layout"; exit 1; }

.PHONY: format
format: $(VENV)/installed  ## mend style and format
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

.PHONY: test
test: lint book  ## everything: lint, a smoke build, helpers, notebooks against their references, pages in a browser
	@$(BIN)/pytest -n $(JOBS) --dist loadfile --nbval --nbval-sanitize-with tests/nbval.cfg tests $(NOTEBOOKS:.py=.ipynb)

.PHONY: clean
clean:  ## remove what was built (not exercises/, which is yours, nor .venv)
	rm -rf build
