# make results   the default study: tables, plots, gallery and report under results/mini/ (sets itself up)
# make test      formatting, lint, types and tests (one process per core)
# make check     formatting, lint, types and the quick tests
# make natural   fetches what speaks, hears and judges from the package index, and tries it on eight clips
# make report    results/STUDY/report.zip of what is there
# make app       the page for people, on this machine alone
# make docs      README and docs/ as a site in build/site/
# make pretrain  the shipped start weights from nothing (hours)
# Another study: make results STUDY=tiny. Options for Snakemake: make results SNAKEFLAGS="--cores 1"

SHELL := /bin/bash
STUDY := mini
PYTHON := python3
SNAKEFLAGS :=
export PATH := $(CURDIR)/.venv/bin:$(PATH)

CONFIG := --configfile config/$(STUDY).yaml
INSTALLED := .venv/.installed
PEERS := .venv/.peers
SPREAD := --numprocesses auto --dist loadgroup
PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check install

.PHONY: results report test check lint natural app docs format pretrain clean-study

results: $(INSTALLED) unlock
	snakemake $(CONFIG) $(SNAKEFLAGS)
	@$(MAKE) --no-print-directory results/$(STUDY)/report.zip
	@syncvoice summary --study results/$(STUDY)

# Built again only when a table, a plot or the gallery is newer.
results/%/report.zip: $(INSTALLED) $(wildcard results/$(STUDY)/tables/* results/$(STUDY)/plots/* results/$(STUDY)/gallery/*)
	snakemake --configfile config/$*.yaml --report $@

report: $(INSTALLED)
	snakemake $(CONFIG) --report results/$(STUDY)/report.zip

# A run that was killed leaves its lock behind; it is lifted only if no Snakemake works in this folder any more.
.PHONY: unlock
unlock: $(INSTALLED)
	@if [ -n "$$(ls -A .snakemake/locks 2>/dev/null)" ] && ! workflow/scripts/snakemake_runs_here; then \
		echo "lifting the lock of a run that has ended"; snakemake $(CONFIG) --unlock; fi

test: lint .venv/.app
	pytest $(SPREAD)

check: lint
	pytest $(SPREAD) -m "not slow" tests/unit

lint: $(PEERS)
	ruff check .
	ruff format --check .
	snakefmt --check workflow
	snakemake --lint
	mypy

NATURAL := $(addprefix resources/assets/,kokoro_int8 whisper_base distillmos)
natural: $(PEERS) .venv/.pool unlock
	snakemake $(NATURAL) $(CONFIG)
	SYNCVOICE_NATURAL=required pytest tests/end_to_end/test_natural.py tests/unit/test_kokoro_bf16.py

app: .venv/.app
	syncvoice app

SITE := build/site-source
docs: .venv/.docs
	rm -rf $(SITE)
	mkdir -p $(SITE)/config $(SITE)/results
	cp -r README.md NOTICE docs $(SITE)
	cp config/README.md $(SITE)/config
	cp -r results/reference $(SITE)/results
	mkdocs build --strict --quiet
	@echo "open build/site/index.html"

format: $(INSTALLED)
	ruff check --fix .
	ruff format .
	snakefmt workflow

pretrain: $(INSTALLED) unlock
	snakemake pretrain $(CONFIG)
	@echo "The new weights lie in results/pretrain/. Copy them to weights/ to use them."

clean-study:
	rm -rf results/$(STUDY)

# The environment is brought up to date when a lock file changes. torch comes first: with a CPU build at hand pip takes
# that.
$(INSTALLED): requirements.lock requirements-nodeps.lock
	$(PYTHON) -m venv .venv
	$(PIP) "$$(grep '^torch==' requirements.lock)"
	$(PIP) -r requirements.lock
	$(PIP) --no-deps -r requirements-nodeps.lock
	$(PIP) --no-deps -e .
	touch $@

# What tests and benchmarks compare our scorers with; no study needs it.
$(PEERS): $(INSTALLED) requirements-test.lock
	$(PIP) --no-deps -r requirements-test.lock
	touch $@

.venv/.docs: $(INSTALLED) requirements-docs.lock
	$(PIP) --no-deps -r requirements-docs.lock
	touch $@

# What speaks a pool for pre-training with `--arithmetic bf16`.
.venv/.pool: $(INSTALLED) requirements-pool.lock
	$(PIP) --no-deps -r requirements-pool.lock
	touch $@

.venv/.app: $(INSTALLED) requirements-app.lock
	$(PIP) --no-deps -r requirements-app.lock
	touch $@
