# The words of this project; `make` alone prints them. Only Python 3.11 or later is needed to start.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Two at a time halves the wait; a file's tests stay together, so that its servers start once.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help venv demo test check lint format docs pictures bench lock sbom audit clean

help: ## print this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
	  || grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST)

venv: $(STAMP) ## make .venv and install what the lock names

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## run the example shop for real, from cart to mail to funnel; KEEP=1 leaves it up
	@$(PY) -m nurture.demo $(if $(KEEP),--keep)

test: $(STAMP) ## run every test; those on PostgreSQL where a server answers
	$(PY) -m pytest $(PYTEST_ARGS) $(ARGS)

check: lint test ## lint, types, layers, then every test

lint: $(STAMP) ## style, format, types and layers, without tests
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

format: $(STAMP) ## let ruff order imports and lay out the code
	$(PY) -m ruff check --fix --select I .
	$(PY) -m ruff format .

bench: $(STAMP) ## measure speed against the goals, one benchmark after another; takes a while
	@set -e; for file in benchmarks/p[0-9]*.py; do echo "== $$file"; $(PY) $$file; done

mutants: ## change the code of consent on purpose, and list the changes that no test notices; takes hours
	test -x .mutants/bin/python || $(PYTHON) -m venv .mutants
	.mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.mutants/bin/python -m pip install --quiet --disable-pip-version-check mutmut==3.8.1
	nice .mutants/bin/mutmut run --max-children 2 $(ARGS)
	.mutants/bin/mutmut results

docs: $(STAMP) ## write the pages of docs/reference that come from the program itself
	$(PY) -m nurture.cli.reference docs/reference
	$(PY) -m tests.docs.trust

pictures: $(STAMP) ## take the pictures of docs/pictures anew, of the pages and mails people see; needs Chromium
	$(PY) -m tests.e2e.pictures docs/pictures

lock: ## renew requirements.lock from pyproject.toml, with the newest that fits
	$(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	.lock/bin/uv lock --quiet --upgrade
	.lock/bin/uv export --quiet --frozen --no-emit-project --all-extras --no-annotate --no-header \
	  --format requirements-txt --output-file requirements.lock
	rm -rf .lock

sbom: ## list what the lock installs, as CycloneDX, in sbom.json
	$(PYTHON) .ci/sbom.py > sbom.json

audit: ## ask whether anything in the lock is known to be vulnerable; says so where nobody can be asked
	@test -x .audit/bin/python || $(PYTHON) -m venv .audit
	@if .audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; \
	  then .audit/bin/python .ci/audit.py requirements.lock; \
	  else echo "NOT AUDITED: pip-audit cannot be installed here"; fi

clean: ## remove what was made here, the environment too
	rm -rf $(VENV) .lock .audit sbom.json .mutants mutants .demo benchmarks/.venv-peers benchmarks/results.json .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
