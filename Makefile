# The commands of this repository. Each sets itself up: a .venv with the versions of constraints.txt and all packages of
# the repository, installed again when one of these files changes.
#
#   make demo               SB3 agents learn in their own dreams, and win in reality
#   make test               the fast test suite
#   make lint               formatting, lint and types
#   make learn [CASE=...]   learning results: train, judge, write benchmarks/results/learn
#   make bench [CASE=...]   speed results: measure, write benchmarks/results/speed
#   make fuzz               open 10,000 damaged and hostile files, write benchmarks/results/soundness
#   make soak               kill 100 training runs, resume them, write benchmarks/results/soundness
#   make tables             put the results into the READMEs
#   make wheels             build every distribution, as wheel and sdist, into dist
#   make standalone [PLUGIN=zoo-...]   install each wheel alone, and try it

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
BIN := .venv/bin
PACKAGES := envs $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
INSTALLED := .venv/installed
TORCH := $(shell grep '^torch==' constraints.txt)

export SDL_VIDEODRIVER ?= dummy
export MUJOCO_GL ?= egl
# numba notices when the file of a function changes, not when that of one which it calls does.
export NUMBA_CACHE_DIR ?= $(CURDIR)/.pytest_cache/numba/$(shell find plugins -path '*/zoo_*.py' | sort | xargs cat | cksum | cut -d ' ' -f 1)

.DEFAULT_GOAL := demo
.PHONY: demo test lint learn bench fuzz soak tables wheels standalone

$(INSTALLED): pyproject.toml constraints.txt $(PACKAGES:%=%/pyproject.toml)
	@echo "Installing into .venv, which takes a minute or two"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt $(TORCH) setuptools
	$(BIN)/pip install -qq --constraint constraints.txt --no-build-isolation -e '.[dev]' $(PACKAGES:%=-e ./%)
	touch $@

demo: $(INSTALLED)
	$(BIN)/python -m benchmarks.demo

# One torch thread a worker: small networks gain nothing from more, and two workers would fight for two cores.
test: export OMP_NUM_THREADS = 1
test: export MKL_NUM_THREADS = 1
test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy zoo_core zoo_core_pytest.py $(filter-out %.egg-info,$(wildcard envs/zoo_* plugins/*/zoo_*))

learn: $(INSTALLED)
	$(BIN)/python -m benchmarks.learn $(CASE)

bench: export OPENBLAS_NUM_THREADS = 1
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.bench $(CASE)

fuzz: $(INSTALLED)
	$(BIN)/python -m benchmarks.fuzz --files 10000

soak: $(INSTALLED)
	$(BIN)/python -m benchmarks.soak --write $(if $(SEED),--seed $(SEED))

tables: $(INSTALLED)
	$(BIN)/python -m benchmarks.tables

wheels: $(INSTALLED)
	rm -rf dist
	for package in . $(PACKAGES); do $(BIN)/python -m build --quiet --no-isolation --outdir dist $$package || exit 1; done

standalone: export OMP_NUM_THREADS = 1
standalone: wheels
	$(BIN)/python -m tests.standalone $(PLUGIN)
