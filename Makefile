# Two commands do everything: `make demo` and `make test`. Set-up is a part of each target that needs it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
SUITE ?= all
FORMAT ?= table
REPROCESS ?= none
RATE ?= 30
SECONDS ?= 60
RUN_BACKWARDS ?=

# bytecode is written where it is first needed: compiling all of both environments beforehand takes a minute
unexport PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONPATH

# what a person types reaches the shell as quoted text, by its name: make itself reads nothing in it
typed = '$(subst ','\'',$(value $(1)))'
unexport POSTS SPAN RANDOM_SEED SOURCE LIVE FROM TO REPROCESS RUN_BACKWARDS FORMAT Q SUITE BENCH RATE SECONDS

VENV := $(or $(value DEVSTACK_VENV_DIR),.venv)
AIRFLOW := $(call typed,VENV)/airflow/bin
SPARK := $(call typed,VENV)/spark/bin
STACK := $(AIRFLOW)/python -m devstack
# these never download: without the environments nothing can run
WHEN_SET_UP := test -x $(AIRFLOW)/python || { echo 'Nothing is set up here, so nothing runs.'; exit 0; };

.PHONY: help setup demo up down reset status logs seed load backfill stream report sql test check contracts bench mwaa

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make the environments and fetch the jars (part of the other targets; the second time downloads nothing)
	@$(PYTHON) devstack/bootstrap.py

demo: setup ## the whole pipeline on this machine: seed, load, backfill, answers, numbers; Airflow stays up
	@$(STACK) demo

up: setup ## start the stack
	@$(STACK) up

down: ## stop the stack; the data stays
	@$(WHEN_SET_UP) $(STACK) down

reset: ## stop the stack and forget its data
	@$(WHEN_SET_UP) $(STACK) reset

status: ## show services, ports and memory
	@$(WHEN_SET_UP) $(STACK) status

logs: ## show the ends of the services' logs
	@$(WHEN_SET_UP) $(STACK) logs

seed: setup ## fill the source: [POSTS=11154] [SPAN=2017-10-20..2022-10-18] [RANDOM_SEED=1] | SOURCE=<folder of a dump> | LIVE=<posts a minute>
	@$(STACK) seed $(if $(value POSTS),--posts $(call typed,POSTS)) $(if $(value SPAN),--span $(call typed,SPAN)) \
	  $(if $(value RANDOM_SEED),--random-seed $(call typed,RANDOM_SEED)) \
	  $(if $(value SOURCE),--source $(call typed,SOURCE)) $(if $(value LIVE),--live $(call typed,LIVE))

load: setup ## load days in one run: FROM=2017-10-20 TO=2022-10-15 (UTC, both included)
	@$(STACK) load $(call typed,FROM) $(call typed,TO)

backfill: setup ## run each day again or anew: FROM= TO= [REPROCESS=none|failed|completed] [RUN_BACKWARDS=1]
	@$(STACK) backfill $(call typed,FROM) $(call typed,TO) --reprocess $(call typed,REPROCESS) \
	  $(if $(filter-out 0 no false,$(value RUN_BACKWARDS)),--run-backwards)

stream: setup ## send random posts through Kinesis and show rows a second, lag and latency: [RATE=30] [SECONDS=60]
	@$(STACK) stream $(call typed,RATE) $(call typed,SECONDS)

report: setup ## print where the newest report is, and open it where there is a screen
	@$(STACK) report

sql: setup ## ask the lake: Q='SELECT ...' [FORMAT=table|csv|json]
	@$(STACK) sql --format $(call typed,FORMAT) -- $(call typed,Q)

test: setup ## run the tests: [SUITE=fast|spark|stack|e2e|long|all]
	@$(AIRFLOW)/python tests/suites.py $(call typed,SUITE)

check: setup ## lint, formatting, types and the DAGs' policies
	@$(AIRFLOW)/ruff check .
	@$(AIRFLOW)/ruff format --check .
	@$(AIRFLOW)/mypy devstack plugins dags infra
	@$(SPARK)/mypy include/spark
	@$(AIRFLOW)/sqlfluff lint include/sql
	@$(AIRFLOW)/python -m pytest -q tests/dags

contracts: setup ## write what is made from include/contracts: statements of the tables, columns of the source, docs/catalogue.md
	@PYTHONPATH=include/spark $(SPARK)/python -m pinspark.generate

bench: setup ## benchmarks; they print ratios: [BENCH=emulation|cleaning|analytics|window|backfill]
	@$(AIRFLOW)/python -m bench $(call typed,BENCH)

mwaa: setup ## build the tree to upload to MWAA: build/mwaa/dags/pinflow
	@$(AIRFLOW)/python -m infra.mwaa.build
