# Thin over pytest: each target prints the command that it runs.
ENV ?= local
SCENARIO ?=
ARGS ?=
FAILURE ?=
RUN ?=
REVISION ?=
BUDGET ?=
REGION ?=
CLUSTER ?=
SERVE ?=
A ?=
B ?=
PY := .venv/bin/python
PYTEST := .venv/bin/pytest
# As pytest, but what does not need it is under way before it is loaded.
TEST := $(PY) -m harness test
SCENARIO_ARG = $(if $(SCENARIO),--scenario $(SCENARIO))
# What is no pytest knows of the lab by its variables.
LAB_ENV = $(if $(filter local,$(ENV)),eval "$$($(PY) -m lab env)" && )
# MLflow imports in 2.3 s with its bytecode cached, in 6 s without.
unexport PYTHONDONTWRITEBYTECODE
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup reproduce check test validate gate doctor init bundle compare report cleanup matrix drills lab lint bench hostile workflows unit

help: ## show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## set up .venv (done by itself by the other targets)

.venv/.installed: requirements.lock
	@scripts/setup.sh

reproduce: .venv/.installed ## the main job: reproduce all documented failures on the lab
	$(TEST) --env local --scenario incident-2025-08-06 --expect reproduced --tb no $(ARGS)

test: .venv/.installed ## every check on one environment: ENV=local|dev|prod [SCENARIO=…] [ARGS=…]
	$(TEST) --env $(ENV) $(SCENARIO_ARG) $(ARGS)

validate: .venv/.installed ## is one documented failure fixed? FAILURE=… ENV=… [ARGS="--wait 15m"]
	@$(if $(FAILURE),,echo "make validate: name the failure: make validate FAILURE=<id> ENV=$(ENV); failures/ has: $(notdir $(basename $(wildcard failures/*.yaml)))" >&2; exit 4)
	$(TEST) --env $(ENV) --validate $(FAILURE) --tb no -q $(ARGS)

gate: .venv/.installed ## after a deployment: wait for it, then what blocks: ENV=… [REVISION=…] [BUDGET=120s]
	$(TEST) --env $(ENV) --gate $(if $(REVISION),--revision $(REVISION)) $(if $(BUDGET),--budget $(BUDGET)) --tb no -q $(ARGS)

doctor: .venv/.installed ## is everything there that a run needs? credentials, permissions, network, clock: ENV=…
	$(LAB_ENV)$(PY) -m harness doctor --env $(ENV) $(ARGS)

init: .venv/.installed ## draft environments/<ENV>.yaml from what an AWS account has: ENV=… [REGION=…] [CLUSTER=…]
	$(PY) -m harness init --env $(ENV) $(if $(REGION),--region $(REGION)) $(if $(CLUSTER),--cluster $(CLUSTER))

bundle: .venv/.installed ## the evidence that the infrastructure team asks for, in one folder and one zip: ENV=… [ARGS=…]
	$(LAB_ENV)$(PY) -m harness bundle --env $(ENV) $(ARGS)

compare: .venv/.installed ## what changed between two runs: A=… B=… (folders below reports/)
	$(PY) -m harness compare $(A) $(B)

report: .venv/.installed ## the Allure report of a run: ENV=… [RUN=…] [SERVE=1]
	$(PY) -m harness report --env $(ENV) $(if $(RUN),--run $(RUN)) $(if $(SERVE),--serve)

cleanup: .venv/.installed ## remove what write checks left behind after a crash: ENV=…
	$(PY) -m harness cleanup --env $(ENV)

matrix: .venv/.installed ## every fault against every check, in three labs at once: [ARGS="--pairs N --seed N"]
	$(PYTEST) tests/matrix/test_matrix.py -n 3 --dist worksteal -p no:allure_pytest $(ARGS)

drills: .venv/.installed ## labs broken and mended by hand, and ended in every way: nothing is left
	$(PYTEST) tests/matrix --ignore tests/matrix/test_matrix.py -p no:allure_pytest $(ARGS)

lab: .venv/.installed ## keep a lab running in the foreground: [SCENARIO=…]
	$(PY) -m lab run $(SCENARIO_ARG)

check: .venv/.installed lint unit ## the project's own tests: lint, types, unit tests

lint: .venv/.installed ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: .venv/.installed ## how long it all takes, beside other tools: writes docs/benchmarks [ARGS="job suite scale lab --quick"]
	$(PY) -m benchmarks $(ARGS)

hostile: .venv/.installed ## the bench of hostile servers: writes docs/hostile-servers.md
	$(PY) -m tests.unit.hostile.bench

workflows: .venv/.installed ## lint .github: workflows and actions (needs Node.js, as make report does)
	$(PY) scripts/lint_workflows.py

unit: .venv/.installed ## unit tests of harness and lab: [ARGS=…]
	$(PYTEST) tests/unit $(ARGS)
