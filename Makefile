# What people type. Everything is set up from a bare checkout: Python 3.11 or newer and a network are enough.
#
#   make demo    the portal with invented data, on PORT (8000); Ctrl-C ends it
#   make test    every test; ARGS="tests/house -k locks" passes options on to pytest
#   make guida   the pictures of docs/guida again, after a page has changed
#   make faults  every operation under every fault, at every point of its way: nothing lost, nothing twice
#   make fuzz    every form with 10000 odd inputs: no error, nothing lost; ARGS="500" tries fewer
#   make bench   what it costs and how fast it is, as ratios within one run; ARGS="idle" runs one measure
#   make secrets the files that docker-compose.yml takes its secrets from
#   make lint    what a commit must satisfy

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
# Where it is whole, before others: those that version managers compile are a sixth slower.
DISTRIBUTION_PYTHON := /usr/bin/python3
INSTALL := $(PY) -m pip install -qq --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
	--require-hashes
COMPILE := $(PY) -m uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	--python-version 3.11 pyproject.toml

.PHONY: help demo test guida faults fuzz bench secrets lint audit requirements

help:
	@sed -n 's/^#   //p' Makefile

demo: .venv/.demo
	@exec $(PY) -m albo_pec.supervisor

# The tests have servers and data of their own, beside a demo that may be running. Nothing in them need survive a crash.
# Three workers, since each waits for the provider, the worker or Chromium some of the time.
test: export VAR := var/test
test: export EMBEDDED_FSYNC := 0
# Each of the many processes would compile everything anew where the environment forbids to keep it.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/.dev
	@$(PY) -m tests.chromium
	@exec $(PY) -m pytest -n 3 $(ARGS)

# One worker and one order, so that the same people are in the same pictures each time.
guida: export VAR := var/test
guida: export EMBEDDED_FSYNC := 0
guida: export GUIDE_PICTURES := 1
guida: .venv/.dev
	@$(PY) -m tests.chromium
	@exec $(PY) -m pytest -q -p no:randomly tests/browser -k "walk or importrun_change or member_request_pec" $(ARGS)

# Servers of its own too, which it kills and restarts. ARGS="kill-claiming --size 5" runs one row of the matrix.
faults: export VAR := var/faults
faults: export EMBEDDED_FSYNC := 0
faults: .venv/.dev
	@exec $(PY) -m tests.faults $(ARGS)

# Servers of its own too. ARGS="1000" tries so many inputs, other than the 10000.
fuzz: export VAR := var/fuzz
fuzz: export EMBEDDED_FSYNC := 0
fuzz: export FUZZ_INPUTS = $(firstword $(ARGS) 10000)
fuzz: .venv/.dev
	@exec $(PY) -m pytest -n 2 --hypothesis-show-statistics tests/fuzz

bench: export VAR := var/bench
bench: .venv/.dev
	@exec $(PY) -m bench $(ARGS)

# No environment of ours: where the portal runs in containers there is none.
secrets:
	@$(firstword $(PYTHON) python3) -m albo_pec.new_secrets secrets

lint: export VAR := var/test
lint: export EMBEDDED_FSYNC := 0
lint: .venv/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m mypy --config-file mypy-sandbox.ini
	.venv/bin/lint-imports
	$(PY) -m djlint --check --lint templates aruba_sandbox
	$(PY) manage.py makemigrations --check --dry-run

# Strict: a package about which nobody could be asked has not been found sound.
audit: .venv/.dev
	$(PY) -m pip_audit --strict --require-hashes --disable-pip -r requirements.txt -r requirements-demo.txt

requirements: .venv/.dev
	$(COMPILE) --output-file requirements.txt
	$(COMPILE) --extra demo --output-file requirements-demo.txt
	$(COMPILE) --extra dev --output-file requirements-dev.txt

# The stamps are written last, so that an installation that was interrupted is done again.
.venv/.demo: requirements-demo.txt | .venv/.made
	@echo "Installo le dipendenze del portale (solo la prima volta)…"
	@$(INSTALL) -r requirements-demo.txt
	@touch $@

.venv/.dev: requirements-dev.txt | .venv/.made
	@echo "Installo le dipendenze di sviluppo (solo la prima volta)…"
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

# A usable environment that is already there is kept; half of one is made again.
.venv/.made:
	@$(PY) -m pip --version >/dev/null 2>&1 || { $(MAKE_VENV); }
	@touch $@

define MAKE_VENV
echo "Preparo l'ambiente Python in .venv…"; \
python=; \
whole=$$($(DISTRIBUTION_PYTHON) -c 'import ensurepip, venv; print("$(DISTRIBUTION_PYTHON)")' 2>/dev/null); \
for candidate in $(PYTHON) $$whole python3.13 python3.12 python3.11 python3; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		python=$$candidate; break; \
	fi; \
done; \
if [ -z "$$python" ]; then \
	echo "Serve Python 3.11 o più recente: installarlo, oppure indicarlo con «make PYTHON=/percorso/python3 …»." >&2; \
	exit 1; \
fi; \
if ! $$python -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	package=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installo $$package…"; \
		{ apt-get update -qq && apt-get install -qq -y $$package; } >/dev/null 2>&1 || true; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		echo "A $$python manca il modulo venv: su Debian e Ubuntu «apt install $$package», poi riprovare." >&2; \
		exit 1; \
	fi; \
fi; \
$$python -m venv --clear .venv
endef
