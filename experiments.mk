# --- the experiments: training in full ---

# Experiments are pages too, and those are made in smoke whatever the profile: only `make rerun` trains in full.
$(BUILD)/executed/experiments/%.ipynb: override PROFILE := smoke

.PHONY: rerun
rerun: $(VENV)/installed  ## make the missing records of an experiment, on all cores or JOBS=1: EXPERIMENT=qm9
	@runs=$$($(BIN)/python tools/rerun.py --list "$(EXPERIMENT)"); \
		$(MAKE) --no-print-directory -k -j$(JOBS) RUNS="$$runs" $$runs

# One target a run, so that make does what is missing, side by side, and goes on when one fails. A run trains for
# hours and is not remade because a file is newer: delete its record to have it anew. The cores are shared out evenly.
CORES := $(shell getconf _NPROCESSORS_ONLN)
$(RUNS): export OMP_NUM_THREADS = $(shell echo $$(($(CORES) > $(JOBS) ? $(CORES) / $(JOBS) : 1)))
$(RUNS):
	@$(BIN)/python tools/rerun.py $@

.PHONY: status
status: $(VENV)/installed  ## tell what experiments are done, running, failed or missing, and how long is left
	@$(BIN)/python tools/status.py
