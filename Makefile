# What CI runs is what you type. Everything is installed into .venv, nothing else on the machine changes.
PYTHON ?= python3
# Dependabot compiles with the options that it finds in the head of a lock.
FLAGS := --universal --python-version 3.10 --generate-hashes
LOCK := .venv/bin/uv pip compile --quiet $(FLAGS) --custom-compile-command "make lock (uv pip compile $(FLAGS))"

PYTEST := .venv/bin/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

# Some machines export it; every process would then compile all its imports again.
unexport PYTHONDONTWRITEBYTECODE

# What a wheel's files are dated, else each build gives other bytes: 1 January 1980, the first day that zip knows.
wheel: export SOURCE_DATE_EPOCH := 315532800

# Ours alone, by name: what an owner adds, CodeQL or Pages, is the owner's.
WORKFLOWS := $(patsubst %,.github/workflows/%.yml,ci compare promote rollback rollout stages teardown template)
ACTIONS := $(patsubst %,.github/actions/%/action.yml,delete-blue promote setup)

SHARD ?= 1/1
UV ?= .venv/bin/uv

# Its sources, where they are; else the wheel of a release (docs/MAKE_IT_YOURS.md, Staying current).
SOURCES := $(wildcard emulator/pyproject.toml)
EMULATOR := $(if $(SOURCES),--no-build-isolation --editable emulator,--require-hashes --requirement wheels/requirements.txt)

.PHONY: help install wheel demo test drill soak check fix size mutants reference lock clean

install: .venv/installed ## everything into .venv; PYTHON=python3.12 with another Python

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 11

.venv/installed: requirements.txt $(or $(SOURCES),wheels/requirements.txt)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else \
	  "This needs Python 3.10 to 3.13, but $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 …" % v)'
	$(PYTHON) -m venv --clear .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
	.venv/bin/uv pip install --quiet --compile-bytecode --require-hashes --requirement requirements.txt
	.venv/bin/uv pip install --quiet --no-deps $(EMULATOR)
	@touch $@

wheel: install ## the emulator as a package for others; OUT=dist
	$(UV) build --quiet --wheel --no-create-gitignore --no-build-isolation --out-dir $(or $(OUT),dist) emulator

demo: install ## two rollouts under traffic, and one of a bad model, undone; KEEP=1 leaves the local Azure ML running
	.venv/bin/python -m demo $(if $(KEEP),--keep)

test: install ## all tests but the drills
	$(PYTEST)
	$(if $(SOURCES),cd emulator && ../$(PYTEST))

drill: install ## what takes long: late approvals, killed runners and scripts, load; SHARD=2/4 is the second quarter of it
	.venv/bin/python -m tools.drill $(SHARD)

soak: install ## the long runs: scripts killed at every call, 100,000 requests while weights change, a million for the memory
	SOAK=1 .venv/bin/python -m pytest -m "drill or not drill" --timeout 3600 tests/promises/test_interruptions.py
	cd emulator && SOAK=1 ../.venv/bin/python -m pytest -m "drill or not drill" --timeout 3600 tests/resources/test_durability.py
	cd emulator && ../.venv/bin/python -m benchmarks.router
	cd emulator && ../.venv/bin/python -m benchmarks.router --soak

check: install ## lint, format, types, endpoints/, workflows; model/ is only read for errors
	.venv/bin/ruff check
	.venv/bin/ruff format --check --exclude 'model/**'
	.venv/bin/mypy
	$(if $(SOURCES),cd emulator && ../.venv/bin/mypy)
	.venv/bin/python -m scripts.doctor --files
	.venv/bin/shellcheck scripts/*.sh
	.venv/bin/actionlint -oneline -shellcheck=.venv/bin/shellcheck $(WORKFLOWS)
	.venv/bin/zizmor -q --offline --persona=pedantic --strict-collection --config .github/zizmor.yml $(WORKFLOWS) $(ACTIONS) .github/dependabot.yml

fix: install ## formats, and mends what lint finds if that is safe
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

size: install ## the lines that a copy owns, and what each script takes to be understood
	.venv/bin/python -m tools.size

reference: install ## docs/REFERENCE.md: the verbs, from their --help
	.venv/bin/python -m tools.reference

mutants: install ## breaks the pure decisions in every way it knows, and wants the tests to notice; ONLY=authors, or several
	.venv/bin/python -m tools.mutants $(ONLY)

# --upgrade takes newer releases; without it only what the *.in files changed moves.
lock: install ## all requirements.txt, from the .in files; UPGRADE=--upgrade
	$(LOCK) $(UPGRADE) requirements.in --output-file requirements.txt
	$(LOCK) --constraint requirements.txt scripts/requirements.in --output-file scripts/requirements.txt
	$(LOCK) --constraint requirements.txt model/requirements.in --output-file model/requirements.txt
	$(if $(SOURCES),$(LOCK) $(UPGRADE) tests/promises/plugin-packages.in --output-file tests/promises/plugin-packages.txt)
	$(LOCK) $(UPGRADE) scripts/template-packages.in --output-file scripts/template-packages.txt

clean: ## what make and training wrote
	rm -rf .venv dist outputs mlruns .emulator
