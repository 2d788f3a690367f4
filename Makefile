# make demo    install into .venv, label the example reports, compare; prints where the pages are
# make test    all tests
# make check   style, types, import contracts
# make bench   ratios of this machine, as a column in docs/performance.md (20 minutes at most)
# make shipped-model  train the model that comes with labelwright again (an hour; PART=500: a trial)
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT  := 0
export HF_HUB_DISABLE_TELEMETRY := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench clean shipped-model
.DELETE_ON_ERROR:

$(DEV): EXTRA := [dev]

# Both stamps install the package; the second adds what tests and checks need.
$(STAMP) $(DEV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'labelwright needs Python 3.11 or later: make PYTHON=/path/to/python3.11' >&2; exit 2; }
	@echo 'Installing into $(VENV) (a minute or two) ...'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  $(if $(PIP_INDEX),--extra-index-url $(PIP_INDEX)) -c constraints.txt -e '.$(EXTRA)'
	@touch $@

help:
	@sed -n 's/^# make /make /p' $(firstword $(MAKEFILE_LIST))

D := out/demo
REPORTS := examples/reports.csv --id-column id --text-columns findings,impression

demo: $(STAMP)
	@rm -rf $(D)
	$(BIN)/labelwright label $(REPORTS) --out $(D)/labels
	$(BIN)/labelwright label $(REPORTS) --model labelwright-chest --out $(D)/small-model
	$(BIN)/labelwright evidence $(REPORTS) --pred $(D)/labels --out $(D)/evidence.html \
	  --title 'Labels and the sentences that carry them'
	$(BIN)/labelwright eval --gold examples/labels.csv --patients examples/reports.csv \
	  --pred two-readers=$(D)/labels --pred small-model=$(D)/small-model --out $(D)/report \
	  --title 'Demo: two readers and the small model alone on 120 hand-written reports'
	@echo
	@echo "Labels and their sentences: file://$(CURDIR)/$(D)/evidence.html"
	@echo "The comparison page:        file://$(CURDIR)/$(D)/report/index.html"

# Trainings that go on from one another: whole reports and short ones from random weights; then, twice as
# deep and with more words as one token, clauses as labeling asks them, each observation by itself; last
# the whole line as well. Calibrated on held-out texts. What is finished is not made again. PART=1000 makes
# a thousandth of every step, to see it work.
S := out/shipped
PART := 1
part = $(shell expr \( $(1) + $(PART) - 1 \) / $(PART))
BUILD = $(BIN)/labelwright build --label-set chexpert-14 --overwrite --out $(@D) --synthetic
TRAIN = OMP_NUM_THREADS=1 $(BIN)/labelwright train --config labelwright-chest --output_dir $(@D)
ON := --unit clause --muon true --per_device_train_batch_size 32
READ = OMP_NUM_THREADS=1 $(BIN)/labelwright label --model $(S)/labelwright-chest --calibration none --out $(@D)
done = $(S)/$(1)/manifest.json

shipped-model: $(S)/labelwright-chest/calibration.json

$(call done,records-start): | $(STAMP)
	$(BUILD) $(call part,80000) --balance 0.5 --brief 0.5 --seed 21 --split 1,0,0
$(call done,start): $(call done,records-start)
	$(TRAIN) --data $(<D)
$(call done,records-clauses): | $(STAMP)
	$(BUILD) $(call part,175000) --balance 0.5 --brief 0.9 --seed 46 --unit clause --split 1,0,0
$(call done,grown): $(call done,records-clauses) $(call done,start)
	rm -rf $(@D)
	$(BIN)/python sft/grow.py $(S)/start --out $(@D) --twice --tokens 2500 --records $(<D)
$(call done,clauses): $(call done,records-clauses) $(call done,grown)
	$(TRAIN) --model_name_or_path $(S)/grown $(ON) --layout branches --learning_rate 2e-3 --data $(<D)
$(call done,records-last): | $(STAMP)
	$(BUILD) $(call part,26000) --balance 0.45 --brief 0.85 --seed 1044 --unit clause --split 1,0,0
$(call done,labelwright-chest): $(call done,records-last) $(call done,clauses)
	$(TRAIN) --model_name_or_path $(S)/clauses $(ON) --learning_rate 8e-4 \
	  --max_steps $(call part,800) --data $(<D)
$(call done,held): | $(STAMP)
	$(BUILD) $(call part,4000) --balance 0.3 --brief 0.6 --seed 45 --split 0,0.5,0.5
$(call done,held-validation): $(call done,held) $(call done,labelwright-chest)
	$(READ) $(S)/held/validation.reports.jsonl
$(call done,held-test): $(call done,held) $(call done,labelwright-chest)
	$(READ) $(S)/held/test.reports.jsonl
$(call done,calibrated): $(call done,held-validation) $(call done,held-test)
	$(BIN)/labelwright eval --temperature observation --out $(@D) \
	  --gold $(S)/held/test.labels.csv --pred labelwright-chest=$(S)/held-test \
	  --calibration-gold $(S)/held/validation.labels.csv \
	  --calibration-pred labelwright-chest=$(S)/held-validation
$(S)/labelwright-chest/calibration.json: $(call done,calibrated)
	cp $(S)/calibrated/calibration.json $@

test: $(DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)
	$(BIN)/python benchmarks/machine/table.py

clean:
	rm -rf out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
