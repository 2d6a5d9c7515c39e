# Every target sets up what it needs: a fresh machine has git, make and Python 3.11.
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
UV_VERSION := 0.13.9
PORT ?= 5000

.DEFAULT_GOAL := help
.PHONY: help setup torch cuda run test lint format bench learns ui container lock hooks clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.project $(VENV)/.torch ## the environment, in .venv

# Three stamps, each written last: an interrupted step is done again, and an interrupted .venv is made anew.
$(VENV)/.locked: requirements/dev.txt
	@test -e $@ || { \
	  for python in $(PYTHON) python3.11 python3 python none; do \
	    ! $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || break; \
	  done; \
	  test $$python != none || { \
	    echo 'rnnexp needs Python 3.11, and neither python3.11 nor python3 is one. Install it,' \
	      'or name it: make setup PYTHON=/path/to/python3.11' >&2; exit 1; }; \
	  $$python -m venv --clear $(VENV); }
	@rm -f $@
	@echo 'Installing the packages of $< into $(VENV): a minute or two, once.'
	@$(PIP) install --require-hashes -r $<
	@touch $@

$(VENV)/.project: $(VENV)/.locked pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# Only the comparisons with PyTorch need it. Where pip cannot find the build without CUDA, they are skipped.
$(VENV)/.torch: $(VENV)/.locked requirements/torch.txt
	@$(PIP) install --only-binary :all: --require-hashes -r requirements/torch.txt 2>$(VENV)/torch.log || \
	  echo 'PyTorch is left out: pip does not find its CPU build, which requirements/torch.txt names' \
	    '(CONTRIBUTING.md says how; then: make torch). Comparisons with it are skipped.'
	@touch $@

torch: ## PyTorch's CPU build, for the comparisons with it
	@rm -f $(VENV)/.torch
	@$(MAKE) --no-print-directory $(VENV)/.torch

$(VENV)/.cuda: $(VENV)/.locked requirements/gpu.txt
	@echo 'Installing the libraries of CUDA into $(VENV): some gigabytes, once.'
	@$(PIP) install --require-hashes -r requirements/gpu.txt
	@touch $@

cuda: setup $(VENV)/.cuda ## the libraries of CUDA, for device=gpu (the driver is the system's)

run: ARGS ?= activation=relu seq_len=200
run: $(VENV)/.project ## one run (ARGS="activation=tanh seq_len=100")
	@$(BIN)/python run.py $(ARGS)

test: setup ## the tests, in two processes (ARGS="tests/test_clipping.py -k norm")
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile $(ARGS)

lint: $(VENV)/.project ## ruff, the format, the types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.project ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# JAX is a contestant only: nothing else needs it.
$(VENV)/.bench: $(VENV)/.locked requirements/bench.txt
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@

DEVICE ?= cpu
bench: setup $(VENV)/.bench $(if $(filter gpu,$(DEVICE)),$(VENV)/.cuda) ## speed beside stock Keras, PyTorch and JAX (DEVICE=gpu)
	@$(BIN)/python -m benchmarks --device $(DEVICE) $(ARGS)

learns: $(VENV)/.project ## README's table of what learns, run anew where rows are missing
	@$(BIN)/python experiments/what_learns/measure.py
	@$(BIN)/python experiments/what_learns/table.py

ui: $(VENV)/.project ## MLflow's pages over all runs, at PORT (5000)
	@case "$${MLFLOW_TRACKING_URI:=sqlite:///$(CURDIR)/mlflow.db}" in \
	  http*) echo "MLFLOW_TRACKING_URI names a server, open it: $$MLFLOW_TRACKING_URI" ;; \
	  *) $(BIN)/mlflow ui --backend-store-uri "$$MLFLOW_TRACKING_URI" --port $(PORT) ;; \
	esac

container: ARGS ?= activation=relu seq_len=200
container: ## build the image and do one run in it (GPU=1 for CUDA)
	@engine=$$(command -v docker || command -v podman) || \
	  { echo 'make container needs docker or podman, and found neither.' >&2; exit 1; }; \
	set -x; \
	$$engine build -t rnnexp $(if $(GPU),--build-arg LOCK=gpu) . && \
	$$engine run --rm $(if $(GPU),--gpus all) -v rnnexp-data:/data rnnexp $(ARGS)

LOCK := $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
  --custom-compile-command 'make lock' --python-platform x86_64-manylinux_2_28
lock: $(VENV)/.locked ## requirements/*.txt anew from pyproject.toml (ARGS=--upgrade)
	@$(PIP) install uv==$(UV_VERSION)
	$(LOCK) $(ARGS) pyproject.toml --extra dev -o requirements/dev.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	$(LOCK) pyproject.toml --extra gpu -c requirements/dev.txt -o requirements/gpu.txt
	$(LOCK) pyproject.toml --extra slurm -c requirements/dev.txt -o requirements/slurm.txt
	$(LOCK) pyproject.toml --extra ray -o requirements/ray.txt
	$(LOCK) --group contestants -c requirements/dev.txt -o requirements/bench.txt
	UV_FIND_LINKS=$${UV_FIND_LINKS-$$PIP_FIND_LINKS} \
	  $(LOCK) --group torch-cpu -c requirements/dev.txt -o requirements/torch.txt

hooks: $(VENV)/.project ## make lint before every commit
	@$(BIN)/pre-commit install

clean: ## remove the environment and the caches; runs and mlflow.db stay
	rm -rf $(VENV) *.egg-info build .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
