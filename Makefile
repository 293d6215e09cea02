# Everything here sets up what it needs first; `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help demo drill run test check bench soak torture fuzz audit sbom lock clean

# `make test ARGS="-k roundup"`
ARGS ?=

help:  ## say what there is to type
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/'

demo:  ## watch a real fault being noticed, treated, verified and filed (under a minute once it is set up)
	@tools/setup demo
	@.venv/bin/paramedic demo $(ARGS)

drill:  ## a live drill on a throwaway site, scored (a minute); another one: make drill ARGS="half-the-shop-down"
	@tools/setup demo
	@.venv/bin/python -m agent.demo.drilling $(ARGS)

run:  ## the daemon in the foreground on this machine, with config/
	@tools/setup run
	@echo "in another terminal, here: .venv/bin/paramedic status"
	@.venv/bin/paramedic run --config config $(ARGS)

test:  ## all tests, against real servers; what cannot run here is named at the end
	@tools/setup test
	@# Most tests wait for a real server most of the time: more of them than there are cores.
	.venv/bin/pytest -n 4 --dist loadgroup $(ARGS)

check:  ## style, types, import rules, the systemd unit, README against the program
	@tools/setup test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	tools/verify-units
	.venv/bin/pytest -q tests/packaging/test_readme.py

bench:  ## how fast and how small, beside others
	@tools/setup test
	.venv/bin/python -m bench $(ARGS)

torture:  ## kill -9 at every bad moment, 500 times; what is lost or doubled? Shorter: make torture ARGS="--kills 50 --seed 1"
	@tools/setup test
	@.venv/bin/python -m torture $(ARGS)

soak:  ## an hour under faults: does anything leak? A shorter one: make soak ARGS="--minutes 5"
	@tools/setup test
	@.venv/bin/python -m soak $(ARGS)

fuzz:  ## coverage-guided fuzzing of every parser: make fuzz ARGS="--seconds 300 templates"
	@tools/setup run
	@.venv/bin/python -m tests.fuzz $(ARGS)

audit:  ## ask the vulnerability database about every locked package; exit code 3: it could not be asked
	@tools/setup run
	@.venv/bin/python -m tools.audit $(ARGS)

sbom:  ## the bill of materials of what is installed where the agent runs, as CycloneDX: dist/paramedic.cdx.json
	@tools/setup run
	@.venv/bin/python -m tools.sbom dist/paramedic.cdx.json

lock:  ## renew requirements*.txt from pyproject.toml; `make lock ARGS=--upgrade` for what is newest
	@tools/setup run
	@tools/lock $(ARGS)

clean:  ## remove what the above made: .venv, .cache, build folders
	rm -rf --one-file-system .venv .cache build dist *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
