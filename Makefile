# Each target sets itself up in .venv; a bare machine with python3 (3.11 to 3.13) and make is enough.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# One worker for each core, and one thread in each; a file's tests stay together, as they share what they set up.
TEST_ENV := HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: setup demo check test test-all bench clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))" || (echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 …" && false)
	$(PYTHON) -m venv .venv
	@# torch first and pinned: its CPU build is then what everything after it finds.
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e ".[demo,dev]"
	@touch $@

demo: setup
	$(BIN)/accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no run.py +recipe=bert_sentiment
	$(BIN)/python scripts/try_model.py

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: setup
	$(TEST_ENV) $(PYTEST) -m "not slow"

test-all: setup
	$(TEST_ENV) $(PYTEST)

bench: setup
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/padding.py
	$(BIN)/python benchmarks/audit_time.py
	$(BIN)/python benchmarks/cache.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build dist src/*.egg-info
