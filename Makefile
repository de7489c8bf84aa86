# Everything a newcomer runs. Needs Python 3.11 or newer and make, nothing else.
#   PYTHON=python3.12 make demo    another interpreter
#   VENV=/somewhere make test      another place for the environment
#   WORKERS=0 make test            one test at a time: slower, and kinder to a busy machine
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
EXAMPLES ?= 1112
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed

.PHONY: demo test test-real test-real-long rollouts lint bench generate lock clean

demo: $(INSTALLED) ## a rollout behind an NLB, live, and the same natively, with what failed
	$(BIN)/saferollout demo

test: $(INSTALLED) ## unit tests, and every scenario on the embedded cluster
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not real"

test-real: $(INSTALLED) ## the scenarios, and what is known of Kubernetes, on a released control plane
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "real and not long"

test-real-long: $(INSTALLED) ## the scenarios on a released control plane that CI has no time for
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "real and long"

rollouts: $(INSTALLED) ## 20,000 whole rollouts in virtual time, with failures, in a loop with the controllers' model
	SAFEROLLOUT_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -n $(WORKERS) --dist worksteal tests/model

lint: $(INSTALLED) ## style, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

bench: $(INSTALLED) ## what a decision costs, and what a cached pod weighs
	PYTHONPATH=tests $(BIN)/python -m bench

generate: $(INSTALLED) ## what is made from the models: the CRD, the tables of reasons and states
	$(BIN)/python -m saferollout.api.crd > crds/saferollouts.yaml
	$(BIN)/python -m saferollout.api.reasons > docs/reasons.md
	$(BIN)/python -m saferollout.decide.target_states > docs/target-states.md

lock: $(INSTALLED) ## newest versions that fit; an environment with uv is needed
	uv pip compile --quiet --universal --no-emit-index-url --no-header --upgrade pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --no-emit-index-url --no-header --upgrade --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV)

$(INSTALLED): pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: PYTHON=python3.12 make …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
