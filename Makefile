# make dev     a three-node cluster with agents and sample jobs; Ctrl-C stops it all
# make test    make check, then every test: quick and clusters
# make quick   the others that start no cluster, on all cores
# make clusters   the tests that start a cluster, a few at a time, then those that want the machine alone
# make check   lint, types, architecture, and the tests that hold the files against each other; before every push
# make bench   the benchmarks of docs/benchmarks.md (ONLY="failover load" KILLS=200 STOPS=20 DURATION=30)
# make chaos   the chaos harness, its CI profile: six scenarios, two at once, some three minutes (SEED=7 OUT=DIR ABREAST=1)
# make soak    every scenario and random plans, until the time is over (HOURS=2 SEED=7 OUT=DIR)
# make licences   a licence pool of three under fifty jobs, and leaders killed meanwhile (KILLS=10)
# make mutations   known bugs, put into the product: the harness must catch each (ONLY="no-claim")
# make fuzz-api   the API against its own description, with schemathesis (EXAMPLES=200 SEED=1)
# make screenshots   the pictures of docs/, from a cluster of `cronclave dev` in Chromium
# make cockpit-load   the cockpit before 100,000 jobs and 200,000 runs: frame times, CPU of the nodes (JOBS=1000 RUNS=2000)
# make clients   clients generated from the API's description, in Python and TypeScript; one asks a node
# make client-packages   the client as wheel and sdist, built, and installed in a clean environment of each Python that is here
# make client-submit   a program that submits runs with keys while leaders and it itself die: each once (RUNS=1000 KILLS=10)
# make ticks   instants against a walk, in every zone of tzdata: cron's, those of schedules with substitutes, elapsed time, ISO 8601, calendars (TRIPLES=200000 SEED=1)
# make steps   a story of very many random steps, told to a machine twice: nothing of it may differ or be odd (STEPS=10000 SEED=1)
# make deploy-check   deploy/ by the programs that it is for, of those that are here: systemd-analyze, promtool, helm, terraform
# make sim     the consensus simulation (SEEDS=1000 START=0)
#
# Needs python3 (3.11 or newer), python3-venv and make. Everything else goes into .venv. Of several interpreters the
# first that was built with optimisations makes it: it needs a sixth to a quarter less CPU. PYTHON=… says which one instead.

PYTHONS := python3 /usr/bin/python3 /usr/local/bin/python3 python3.11 python3.12 python3.13
OPTIMISED := import ensurepip, sqlite3, ssl, sys, sysconfig, venv; told = sysconfig.get_config_var; \
  built = "--enable-optimizations" in (told("CONFIG_ARGS") or "") or not told("PGO_PROF_USE_FLAG"); \
  sys.exit(not built or sys.version_info < (3, 11))
OPTIMISED_ONES = $(foreach each,$(PYTHONS),$(shell $(each) -c '$(OPTIMISED)' 2>/dev/null && echo $(each)))
PYTHON ?= $(eval PYTHON := $(firstword $(OPTIMISED_ONES) python3))$(PYTHON)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore

ONLY ?=
DURATION ?=
KILLS ?=
STOPS ?=
SEEDS ?= 1000
START ?= 0
STEPS ?= 10000
EXAMPLES ?= 200
TRIPLES ?= 200000
PYTEST_ARGS ?=
# One more than there are cores: tests that wait for a browser or a process leave theirs idle.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
CLUSTERS ?= $(WORKERS)
ABREAST ?= 2
DEV_ARGS ?=
SEED ?=
HOURS ?= 2
OUT ?= chaos-$(shell date -u +%Y%m%dT%H%M%S)

# An activated environment or a stray setting of the caller must not leak into ours. Nor must it forbid Python to keep
# what it compiled: every process that a test starts would compile all of ours anew, and pytest rewrite all tests.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
JOBS ?= 100000
RUNS ?= 200000

.PHONY: help dev test quick clusters check bench sim steps ticks fuzz-api clients client-packages client-submit chaos soak licences mutations deploy-check docs screenshots cockpit-load clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

dev: $(VENV)/.installed
	@exec $(BIN)/cronclave dev --with-parent $(DEV_ARGS)

# Clusters beside nothing else, and some want the whole machine. All parts run, whatever the first says.
test: $(VENV)/.installed-dev
	@code=0; took=; \
	for part in check quick clusters; do \
	  began=$$(date +%s); $(MAKE) --no-print-directory $$part || code=$$?; \
	  took="$$took, $$part $$(($$(date +%s) - began)) s"; \
	done; echo "make test:$${took#,}"; exit $$code

# In the order of their names: by the number of their tests, as is usual, the longest stories, one test a file, come last.
quick: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not cluster and not house" $(PYTEST_ARGS)

clusters: $(VENV)/.installed-dev
	@code=0; \
	$(BIN)/python -m pytest -n $(CLUSTERS) --dist loadfile -m "cluster and not alone" $(PYTEST_ARGS) || code=$$?; \
	$(BIN)/python -m pytest -m "cluster and alone" $(PYTEST_ARGS) || code=$$?; \
	exit $$code

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy -n $(shell nproc)
	$(BIN)/mypy --config-file client/pyproject.toml
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m house

bench: $(VENV)/.installed-dev
	$(BIN)/python -m bench $(ONLY) $(if $(DURATION),--duration $(DURATION)) \
	  $(if $(KILLS),--kills $(KILLS)) $(if $(STOPS),--stops $(STOPS))

sim: $(VENV)/.installed-dev
	$(BIN)/python -m node.simulation --workers 2 --seeds $(SEEDS) --start $(START)

steps: $(VENV)/.installed-dev
	$(BIN)/python -m tests.scheduler.machine.long_story --steps $(STEPS) --seed $(or $(SEED),1)

ticks: $(VENV)/.installed-dev
	$(BIN)/python -m tests.scheduler.ticks.walk --triples $(TRIPLES) --seed $(or $(SEED),1)
	$(BIN)/python -m tests.scheduler.ticks.shared_walk --seed $(or $(SEED),1)
	$(BIN)/python -m tests.scheduler.ticks.kinds_walk --triples $(TRIPLES) --seed $(or $(SEED),1)

fuzz-api: $(VENV)/.installed-dev
	$(BIN)/python -m tests.api.contract --examples $(EXAMPLES) --seed $(or $(SEED),1)

clients: $(VENV)/.installed-dev
	$(BIN)/python -m tests.api.generated

client-packages: $(VENV)/.installed-dev
	$(BIN)/python -m tests.client.packages

# RUNS is of the cockpit's load too, where it means more.
client-submit: $(VENV)/.installed-dev
	SUBMITTED=$(if $(filter command line environment,$(origin RUNS)),$(RUNS),1000) KILLS=$(or $(KILLS),10) \
	  $(BIN)/python -m pytest -q -p no:cacheprovider tests/e2e/test_client.py

chaos: $(VENV)/.installed-dev
	$(BIN)/python -m chaos run --profile ci --at-once $(ABREAST) $(if $(SEED),--seed $(SEED)) --out $(OUT)

soak: $(VENV)/.installed-dev
	$(BIN)/python -m chaos run --profile soak --hours $(HOURS) $(if $(SEED),--seed $(SEED)) --out $(OUT)

deploy-check:
	@code=0; \
	look() { if command -v $$1 >/dev/null; then echo "$$*"; "$$@" || code=1; else echo "$$1 is not here: left out"; fi; }; \
	units=$$(mktemp -d); for each in deploy/systemd/*.service; do \
	  sed 's#^ExecStart=.*#ExecStart=/bin/true#' $$each > $$units/$${each##*/}; done; \
	look systemd-analyze verify $$units/*.service; rm -r $$units; \
	look promtool check rules deploy/prometheus/alerts.yml; \
	look helm lint deploy/helm/cronclave; \
	look terraform fmt -check -diff deploy/terraform; exit $$code

licences: $(VENV)/.installed-dev
	KILLS=$(or $(KILLS),10) $(BIN)/python -m pytest -q -p no:cacheprovider tests/e2e/test_many.py -k licences

mutations: $(VENV)/.installed-dev
	$(BIN)/python -m tests.mutations $(ONLY)
	$(if $(ONLY),,$(BIN)/python -m pytest -q -p no:cacheprovider tests/cluster/test_hardening.py)

# Writes the generated reference pages; tests fail when they are not up to date.
docs: $(VENV)/.installed-dev
	$(BIN)/python -m cli.reference > docs/reference/cli.md
	$(BIN)/python client/words.py

screenshots: $(VENV)/.installed-dev
	$(BIN)/python -m tests.cockpit.screenshots

cockpit-load: $(VENV)/.installed-dev
	$(BIN)/python -m tests.cockpit.load --jobs $(JOBS) --runs $(RUNS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build

# A stamp is written last, so that an interrupted install is done again.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Cronclave needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Say which: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is incomplete (no ensurepip): apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) …"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml
	@echo "Installing Cronclave into $(VENV) (once) …"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml client/pyproject.toml
	@echo "Installing the tools for tests and checks (once) …"
	@$(PIP) --editable '.[dev]' --editable ./client
	@touch $@
