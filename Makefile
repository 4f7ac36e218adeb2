# `make` lists the targets. Each is one line that calls a script; the scripts hold the reasons.
.DEFAULT_GOAL := help
PYTHON ?= python3
# Where it is set, every process would compile anew all that it imports: a start takes four times the processor's time.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

demo: ## start everything on this machine and run the demo experiment (ONCE=1 ends after the run)
	@PYTHON=$(PYTHON) ONCE=$(ONCE) sh scripts/demo

venv: ## make .venv with the pinned requirements, the development ones too
	@PYTHON=$(PYTHON) sh scripts/bootstrap dev

test: venv ## the whole suite; says at the end what it had to leave out and why
	@.venv/bin/python scripts/test.py $(ARGS)

check: venv ## format, lint, types, layers, migrations, templates
	@.venv/bin/python scripts/check.py

bench: venv ## this server and an MLflow server side by side (ARGS="--help" for the parts)
	@.venv/bin/python -m benchmarks $(ARGS)

services: ## install by apt and start what the full suite needs: PostgreSQL, Redis, Docker Engine, Chromium …
	@bash scripts/services.sh start

services-stop: ## end what `make services` started
	@bash scripts/services.sh stop

base-image: ## make the base image of jobs offline, in the engine of DOCKER_HOST
	@bash scripts/base-image.sh

.PHONY: help demo venv test check bench services services-stop base-image
