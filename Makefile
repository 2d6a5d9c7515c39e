# Every target sets up what it needs: a fresh machine has git, make and Python 3.11 to 3.13.
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
UV_VERSION := 0.13.9
PORT ?= 5000

.DEFAULT_GOAL := help
.PHONY: help setup torch cuda run test soak lint format docs bench learns ui container lock hooks clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.project ## the environment, in .venv (2.2 GB)

# Three stamps, each written last: an interrupted step is done again, and an interrupted .venv is made anew.
$(VENV)/.locked: requirements/dev.txt
	@test -e $@ || { \
	  for python in $(PYTHON) python3.11 python3.12 python3.13 python3 python none; do \
	    ! $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || break; \
	  done; \
	  test $$python != none || { \
	    echo 'rnnexp needs Python 3.11 to 3.13, and none is on the path. Install one,' \
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

test: setup $(VENV)/.torch ## the tests, in two processes (ARGS="tests/optim/test_clipping.py -k norm")
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

soak: setup ## many runs that are killed, cut off and out of disk (ARGS="--runs 200 --minutes 20"), outside CI
	@$(BIN)/python -m benchmarks.soak $(ARGS)

lint: $(VENV)/.project ## ruff, the format, the types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.project ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Its own environment, without TensorFlow: the sources are read and not imported.
.venv-docs/.locked: requirements/docs.txt
	@rm -f $@
	@for python in $(PYTHON) python3.11 python3; do ! command -v $$python >/dev/null || break; done; \
	  $$python -m venv --clear .venv-docs
	@.venv-docs/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r $<
	@touch $@

docs: .venv-docs/.locked ## the documentation site, in build/site; a warning is an error
	@mkdir -p build
	@NO_COLOR=1 .venv-docs/bin/zensical build --strict --clean >build/docs.log 2>&1 && ! grep -q '^griffe: ' build/docs.log || \
	  { cat build/docs.log >&2; exit 1; }
	@echo 'Open build/site/index.html in a browser.'

# JAX is a contestant only: nothing else needs it.
$(VENV)/.bench: $(VENV)/.locked requirements/bench.txt
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@

DEVICE ?= cpu
bench: setup $(VENV)/.torch $(VENV)/.bench $(if $(filter gpu,$(DEVICE)),$(VENV)/.cuda) ## speed beside stock Keras, PyTorch and JAX (DEVICE=gpu)
	@$(BIN)/python -m benchmarks --device $(DEVICE) $(ARGS)

learns: $(VENV)/.project ## README's table of what learns, run anew where rows are missing
	@$(BIN)/python experiments/what_learns/measure.py
	@$(BIN)/python experiments/what_learns/table.py

ui: $(VENV)/.project ## MLflow's pages over all runs, at PORT (5000)
	@$(BIN)/python run.py ui --port $(PORT)

container: ARGS ?= activation=relu seq_len=200
container: ## build the image and do one run in it (GPU=1 for CUDA)
	@engine=$$(command -v docker || command -v podman) || \
	  { echo 'make container needs docker or podman, and found neither.' >&2; exit 1; }; \
	set -x; \
	$$engine build -t rnnexp $(if $(GPU),--build-arg LOCK=gpu) . && \
	$$engine run --rm $(if $(GPU),--gpus all) -v rnnexp-data:/data rnnexp $(ARGS)

UV := $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
  --custom-compile-command 'make lock'
LOCK := $(UV) --universal
# Said of every line that holds on all of them: what pyproject.toml lists under tool.uv.environments.
EVERYWHERE := python_full_version < '3.14' and ((platform_machine == 'arm64' and sys_platform == 'darwin') or \
  (platform_machine == 'aarch64' and sys_platform == 'linux') or \
  (platform_machine == 'x86_64' and sys_platform == 'linux'))
lock: $(VENV)/.locked ## requirements/*.txt anew from pyproject.toml (ARGS=--upgrade)
	@$(PIP) install uv==$(UV_VERSION)
	$(LOCK) $(ARGS) pyproject.toml --extra dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra lab -c requirements/dev.txt -o requirements/run.txt
	$(LOCK) pyproject.toml --extra lab --extra gpu -c requirements/dev.txt -o requirements/gpu.txt
	$(LOCK) pyproject.toml --extra slurm -c requirements/dev.txt -o requirements/slurm.txt
	$(LOCK) pyproject.toml --extra ray -o requirements/ray.txt
	$(LOCK) --group contestants -c requirements/dev.txt -o requirements/bench.txt
	$(LOCK) --group docs -c requirements/dev.txt -o requirements/docs.txt
	UV_FIND_LINKS=$${UV_FIND_LINKS-$$PIP_FIND_LINKS} \
	  $(UV) --python-platform x86_64-manylinux_2_28 --group torch-cpu -c requirements/dev.txt -o requirements/torch.txt
	@sed -i.before "s/ ; $(EVERYWHERE) / /" requirements/*.txt && rm requirements/*.before

hooks: $(VENV)/.project ## make lint before every commit
	@$(BIN)/pre-commit install

clean: ## remove the environment and the caches; runs and mlflow.db stay
	rm -rf $(VENV) .venv-docs *.egg-info build .cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
