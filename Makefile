# Two commands are all a newcomer needs: `make rank` and `make test`.
.DEFAULT_GOAL := rank
.PHONY: rank test check docs wheel clean
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# uv reads the folders that pip is told of in PIP_FIND_LINKS only under a name of its own.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
INSTALL := VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --constraint constraints.txt

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet uv

$(VENV)/.installed: $(BIN)/uv pyproject.toml constraints.txt
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable '.[dev,scale]'
	touch $@

rank: $(VENV)/.installed
	@$(BIN)/advisor rank --store bundled

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev
	$(BIN)/python scripts/reference.py docs/reference

# Built twice: a wheel that differs from itself cannot be checked by anybody.
wheel: $(VENV)/.installed
	rm -rf dist build
	$(BIN)/uv build --quiet --out-dir dist
	$(BIN)/uv build --quiet --out-dir build
	cd dist && for file in *; do cmp "$$file" "../build/$$file"; done
	rm -rf build

clean:
	rm -rf $(VENV) dist build
