# The book, from a fresh machine to a page: `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:

PROFILE ?= smoke
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := build/$(PROFILE)

ifneq ($(words $(PROFILE)) $(filter smoke full,$(PROFILE)),1 $(PROFILE))
$(error PROFILE=$(PROFILE): expected smoke or full)
endif

ifeq ($(strip $(JOBS)),)
override JOBS := $(shell getconf _NPROCESSORS_ONLN)
else ifneq ($(shell [[ "$(strip $(JOBS))" =~ ^[1-9][0-9]*$$ ]] || echo wrong),)
$(error JOBS=$(JOBS): expected a whole number from 1 on)
endif

# Notebooks run side by side, one thread each: on few cores that is faster, and a page's outputs do not depend on
# how many there are.
export OMP_NUM_THREADS := 1
export MPLBACKEND := agg
export PYDEVD_DISABLE_FILE_VALIDATION := 1
# Nor on where the reader is at home, and on whether that can be written to.
export PYTHONUTF8 := 1
export MPLCONFIGDIR := $(CURDIR)/build/matplotlib
export IPYTHONDIR := $(CURDIR)/build/ipython

# Some notebooks run in folders of their own, where a relative path would get lost. The name is taken as it is, with
# spaces and dollars; what ~ stands for is known to helpers.data.
ifneq ($(value SHARED_WEIGHTS_DATA),)
override SHARED_WEIGHTS_DATA := \
	$(if $(filter /% ~%,$(firstword $(value SHARED_WEIGHTS_DATA))),,$(CURDIR)/)$(value SHARED_WEIGHTS_DATA)
export SHARED_WEIGHTS_DATA
endif

# What works in this checkout works alone: a second make waits for the first one, and finds its work done.
ALONE = $(or $(wildcard $(BIN)/python),$(PYTHON)) tools/alone.py

# What the book is made of, asked for once, where it is needed: its notebooks, and the other files that its pages show.
# All of these are names that make can take: tools/contents.py refuses others.
CONTENTS = $(eval CONTENTS := $$(shell $(BIN)/python tools/contents.py $(BUILD)/contents || echo wrong))$(if \
	$(filter wrong,$(CONTENTS)),$(error The book cannot be put together, see above))$(CONTENTS)
NOTEBOOKS = $(filter %.py,$(CONTENTS))
EXECUTED = $(NOTEBOOKS:book/%.py=$(BUILD)/executed/%.ipynb)

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the environment ---

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "The book needs Python 3.11 or newer, and $(PYTHON) is older or missing: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(ALONE) $(SHELL) -euc '[ $@ -nt $< ] && exit; $(PYTHON) -m venv $(VENV); \
		$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt; touch $@'

.PHONY: install
install: $(VENV)/installed  ## create .venv and install what the book needs

requirements.txt: requirements.in
.PHONY: requirements
requirements:  ## compile requirements.in to requirements.txt, pinned for every platform (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements.in --output-file requirements.txt

# --- the book ---

.PHONY: book
book: $(VENV)/installed  ## execute every notebook and build the pages (PROFILE=smoke or full)
	@$(ALONE) $(MAKE) --silent --no-print-directory -j$(JOBS) $(BUILD)/html/index.html
	@echo "The book is at $(BUILD)/html/index.html"

# Who makes a page needs to know what the book is made of; who asks another make for it does not.
ifneq ($(filter $(BUILD)/%,$(MAKECMDGOALS)),)
# A page is remade when its notebook or the toolchain has changed, or one of the files that it read when it last ran:
# these stand beside it, in a file of rules. Without such a file it is not known to be fresh.
-include $(EXECUTED:.ipynb=.d) $(BUILD)/src.d
$(filter-out $(patsubst %.d,%.ipynb,$(wildcard $(EXECUTED:.ipynb=.d))),$(EXECUTED)): FORCE
$(BUILD)/html/index.html: $(EXECUTED) $(filter-out %.py,$(CONTENTS)) $(BUILD)/contents
endif

$(BUILD)/executed/%.ipynb: book/%.py tools/execute.py tools/notebooks.py tools/kernel.py requirements.txt \
		| build/matplotlib
	@echo "executing $< ($(PROFILE))"
	@$(BIN)/python tools/execute.py $< $@ $(PROFILE)

# Experiments are pages too, made in smoke whatever the profile: only `make rerun` trains in full.
$(BUILD)/executed/experiments/%.ipynb: override PROFILE := smoke

# Looking for fonts takes a while, and notebooks side by side would each do it.
build/matplotlib:
	@$(BIN)/python -c 'import matplotlib.font_manager'

# What is under html/ is always one complete build: sphinx writes beside it, from a clean slate (an incremental build
# would return 0 on the warnings of the one before), and only a site without warnings, whose equations are those that
# were verified, takes its place, in one step. It is precious: make deletes it neither after an error nor when stopped.
.PRECIOUS: $(BUILD)/html/index.html
$(BUILD)/html/index.html: tools/stage.py tools/complaints.py tools/labels.py tools/tidy.py tools/publish.py \
		$(wildcard tools/pages/*.*)
	@$(BIN)/python tools/stage.py $(BUILD)/executed $(BUILD)/src $(PROFILE)
	@rm -rf $(BUILD)/site
	@built=0; PYTHONPATH=tools$${PYTHONPATH:+:$$PYTHONPATH} $(BIN)/jupyter-book build $(BUILD)/src --path-output $(BUILD)/site -W -n --keep-going -q > /dev/null \
		2> $(BUILD)/complaints || built=$$?; [ ! -s $(BUILD)/complaints ] || \
		$(BIN)/python tools/complaints.py $(BUILD)/src < $(BUILD)/complaints; \
		$(BIN)/python tools/labels.py $(BUILD)/src $(BUILD)/site/_build/html $(ONLY) && exit $$built
	@$(BIN)/python tools/tidy.py $(BUILD)/site/_build/html
	@$(BIN)/python tools/publish.py $(BUILD)/site/_build/html $(BUILD)/html $(BUILD)/src.d
	@rm -rf $(BUILD)/site $(BUILD)/complaints

.PHONY: pictures
pictures: book  ## take the pictures of the book that its README and links to it show (needs Chromium)
	@$(BIN)/python tools/pictures.py $(BUILD)/html

.PHONY: exercises
exercises: $(VENV)/installed  ## write notebooks without the solutions to exercises/, yours to work in
	@$(ALONE) $(BIN)/python tools/exercises.py exercises

.PHONY: lab
lab: exercises  ## open the exercises in JupyterLab
	$(BIN)/jupyter lab --notebook-dir exercises $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: reference
reference: $(VENV)/installed  ## regenerate the committed, executed .ipynb of every notebook
	@$(ALONE) $(MAKE) --no-print-directory -j$(JOBS) $(NOTEBOOKS:book/%.py=reference/%)
reference/%: book/%.py FORCE | build/matplotlib
	@echo "executing $< (reference)"
	@$(BIN)/python tools/reference.py $<
reference/%: FORCE
	@echo "There is no notebook book/$*.py"; exit 1

.PHONY: FORCE
FORCE:

.PHONY: benchmark
benchmark: $(VENV)/installed  ## time what the chapters compare and write records/benchmarks/ (leave the machine alone)
	@PYTHONPATH=tools$${PYTHONPATH:+:$$PYTHONPATH} $(ALONE) $(SHELL) -euc \
		'for script in tools/benchmarks/*.py; do echo "$$script"; $(BIN)/python "$$script"; done'

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
$(RUNS): | build/matplotlib
	@$(BIN)/python tools/rerun.py $@

.PHONY: data
data: $(VENV)/installed  ## fetch what full runs read, to SHARED_WEIGHTS_DATA or your cache: for nodes without internet
	@$(BIN)/python -c 'from helpers import data; data.cifar10("train"); [data.book(name) for name in data.BOOKS]; print(data.data_root())'

.PHONY: submit
submit: $(VENV)/installed  ## the same on a Slurm cluster, a GPU a run: EXPERIMENT=qm9 [GPU=a100 TIME=2:00:00 MEMORY=32G AT_ONCE=4 SBATCH=--wait]
	@$(BIN)/python tools/submit.py "$(EXPERIMENT)" "$(AT_ONCE)" $(if $(GPU),--gres=gpu:$(GPU):1) \
		$(if $(TIME),--time=$(TIME)) $(if $(MEMORY),--mem=$(MEMORY)) $(SBATCH)

.PHONY: status
status: $(VENV)/installed  ## tell what experiments are done, running, failed or missing, and how long is left
	@$(BIN)/python tools/status.py

# --- the checks ---

LINTED := .
.PHONY: lint
lint: $(VENV)/installed  ## check style and format
	@$(BIN)/ruff check --quiet $(LINTED)
	@$(BIN)/ruff format --check --quiet $(LINTED) || { echo "make format mends the layout"; exit 1; }

.PHONY: format
format: $(VENV)/installed  ## mend style and format
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

# What the cells of a notebook give now, against its committed reference. Once they were found the same, they are so
# until the reference changes, or something that the page depends on.
$(BUILD)/checked/%: book/%.ipynb $(BUILD)/executed/%.ipynb tests/nbval.cfg
	@echo "comparing $< with what its cells give now"
	@mkdir -p $(@D)
	@$(BIN)/pytest --quiet -p no:cacheprovider --nbval --nbval-sanitize-with tests/nbval.cfg $< > $@.log || { cat $@.log; \
		echo "When what book/$*.py gives now is right, make reference/$* writes it to $<."; \
		echo "What differs from run to run, as times do, is not to be printed."; \
		exit 1; }
	@mv $@.log $@
book/%.ipynb:
	@echo "$@ is missing: make reference/$* executes the notebook and writes it"; exit 1

# The tests below tests/book look at the book. The others do not, and have nothing new to tell as long as CODE is what
# it was when they last passed.
CODE := Makefile pyproject.toml requirements.txt CONTRIBUTING.md src tools tests records weights book/_* book/experiments
.PHONY: test test-all
test:  ## lint, a smoke build, notebooks against their references, helpers, pages in a browser: all that has changed
test-all:  ## all tests, the thorough ones too: pages in every window and mode and on paper, notebooks without solutions
test: QUICK := yes
test test-all: lint
	@$(ALONE) $(SHELL) -euc '\
		$(QUIETLY) -k $(BUILD)/html/index.html $(EXECUTED:$(BUILD)/executed/%.ipynb=$(BUILD)/checked/%); \
		code=$$(find $(CODE) -type f -not -name "*.pyc" -print0 | sort -z | xargs -0 cksum | cksum); tests=tests; \
		$(if $(QUICK),[ "$$code" != "$$(cat build/tested 2> /dev/null)" ] || tests=tests/book;) \
		$(BIN)/pytest -p no:nbval -n $(JOBS) --site $(BUILD)/html $(if $(QUICK),-m "not thorough") $$tests; \
		echo "$$code" > build/tested'
QUIETLY = $(MAKE) --silent --no-print-directory -j$(JOBS)

# One page by itself: a notebook or a text in a book of which nothing else is executed, a page that is made of all
# notebooks in the whole one.
IS_NOTEBOOK = $(wildcard book/$(PAGE).py)
PAGE_SITE = $(if $(wildcard book/$(PAGE).py book/$(PAGE).md),build/page,$(BUILD))/html
# Of the thorough tests, those that open the page in every window and mode would take minutes, and are left out.
CHECKS := sources pages text mathematics figures claims weight
.PHONY: check
check: $(VENV)/installed  ## all checks of one page, whose reference is made anew: PAGE=gnn/molecules
	@$(BIN)/python tools/page.py "$(PAGE)"
	@$(if $(IS_NOTEBOOK),$(MAKE) --no-print-directory lint LINTED=$(IS_NOTEBOOK))
	@$(ALONE) $(SHELL) -euc '$(if $(IS_NOTEBOOK),$(QUIETLY) $(BUILD)/executed/$(PAGE).ipynb; $(QUIETLY) reference/$(PAGE);) \
		$(QUIETLY) $(PAGE_SITE)/index.html $(if $(IS_NOTEBOOK),$(BUILD)/checked/$(PAGE)); \
		$(BIN)/pytest --quiet -p no:nbval --page $(PAGE) --site $(PAGE_SITE) -k "not every_window" \
		$(CHECKS:%=tests/book/test_%.py)'
	@echo "The page is at $(PAGE_SITE)/$(PAGE).html"
ifneq ($(BUILD),build/page)
build/page/html/index.html: FORCE
	@$(BIN)/python tools/page.py $(PAGE) $(BUILD)/executed build/page/executed
	@$(MAKE) BUILD=build/page ONLY=$(PAGE) $@
endif

.PHONY: clean
clean:  ## remove what was built (not exercises/, which is yours, nor .venv, nor full runs that are not finished)
	@$(ALONE) $(or $(wildcard $(BIN)/python),$(PYTHON)) tools/clean.py build
